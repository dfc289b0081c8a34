"""Made-up scores and cells for the tests of tables, and a table that asks for them."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from _paths import ROOT

from bench.report import paper
from bench.report.cells import as_cells
from bench.report.query import Table, table

PAPER = paper.load(ROOT / "paper")
SETTINGS = {"epochs": 3, "data": {"share": 0.1}}
DEVICE = "a made-up machine"
MADE = {"commit": "1a2b3c4", "device": DEVICE, "python": "3.11.7", "numpy": "2.4.1", "torch": "2.14.1+cu130"}
TABLE_1: dict[str, Any] = {
    "title": "Table 1",
    "scores": "main",
    "where": {"source": "new", "target": "old"},
    "columns": {"S": {"task": "S"}, "M": {"task": "M"}},
    "rows": {
        "Pre-trained": {"method": "pretrained"},
        "Continual": {"method": "continual"},
        "PNC (w/o Local)": {"method": "pnc", "variant": "unmasked", "at": "best"},
        "PNC (full)": {"method": "pnc", "at": "best"},
        "Linear probe (ceiling)": {"method": "linear_probe"},
    },
    "metrics": {"": ["ori", "tar", "avg"], "Calibration": ["ece", "leak"], "Package": ["position", "package_bytes"]},
}


def table_1(key: str = "T1", **changes: Any) -> Table:
    return table(key, TABLE_1 | changes)


def score(**changes: Any) -> dict[str, Any]:
    """One seed's Avg of the strict clone at its best position."""
    own = {"source": "new", "target": "old", "task": "S", "variant": "", "regime": "strict", "method": "pnc"}
    return own | {"at": "best", "metric": "avg", "seed": 0, "value": 50.0} | changes


def write_scores(path: Path, *scores: Mapping[str, Any], **changes: Any) -> Path:
    content = {"scores": list(scores), "settings": SETTINGS, "made": MADE}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content | changes))
    return path


def cell(metric: str = "avg", mean: float = 90.0, **changes: Any) -> dict[str, Any]:
    """A cell measured with three seeds."""
    own = {"table": "T1", "row": "PNC (full)", "dataset": "digits", "source": "new", "target": "old", "task": "S"}
    own |= {"variant": "", "scale": "S", "regime": "strict", "metric": metric}
    numbers = {"mean": mean, "std": 0.1, "seeds": 3, "paper": math.nan, "quoted": False}
    return own | numbers | {"device": DEVICE, "settings": "0123456789ab"} | changes


def quoted(metric: str = "avg", **changes: Any) -> dict[str, Any]:
    """A cell that only the paper has."""
    empty = {"std": math.nan, "seeds": 0, "quoted": True, "device": "", "settings": ""}
    return cell(metric, math.nan, **{**empty, "paper": 97.0, **changes})


def frame(*cells: Mapping[str, Any]) -> pd.DataFrame:
    return as_cells(cells)
