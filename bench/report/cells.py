"""Cells, the numbers of the tables with the paper's beside them, as CSV: one table's, or all of a suite's."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bench.report.labels import REGIMES
from bench.report.metrics import METRICS
from bench.report.rows import read_rows
from pnc.base.errors import bad
from pnc.base.files import write_text

IDENTITY = ("table", "row", "dataset", "source", "target", "task", "variant", "scale", "regime", "metric")
COLUMNS = (*IDENTITY, "mean", "std", "seeds", "paper", "quoted", "device", "settings")
_NUMBERS = {"mean": float, "std": float, "seeds": int, "paper": float, "quoted": bool}


def as_cells(cells: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Cells as a frame with ``COLUMNS``: means are NaN where only the paper has a number, and the other way round."""
    return pd.DataFrame(list(cells), columns=list(COLUMNS)).astype(_NUMBERS)


def write_cells(path: Path, frame: pd.DataFrame) -> None:
    """Write cells as CSV: the same cells give the same bytes."""
    as_text = frame.assign(quoted=frame["quoted"].map({True: "true", False: "false"}))
    write_text(path, as_text.to_csv(index=False, lineterminator="\n"))


def read_cells(path: Path) -> pd.DataFrame:
    """Cells as they were written. Raises PncError naming file and row (the header is row 1)."""
    cells: list[dict[str, Any]] = []
    first: dict[tuple[str, ...], str] = {}
    for where, texts in read_rows(path, COLUMNS, "a table of cells"):
        _check_key(where, texts)
        earlier = first.setdefault(tuple(texts[name] for name in IDENTITY), where)
        if earlier != where:
            raise bad(where, expected="a cell of its own", found=f"that of {earlier} again")
        cells.append(texts | _typed(where, texts))
    return as_cells(cells)


def _check_key(where: str, texts: Mapping[str, str]) -> None:
    for name in ("table", "row", "dataset"):
        if not texts[name]:
            raise bad(f"{where}, {name}", expected="a name", found="''")
    for name, known in (("regime", tuple(REGIMES)), ("metric", tuple(METRICS))):
        if texts[name] not in known:
            raise bad(f"{where}, {name}", expected=f"one of {known}", found=repr(texts[name]))


def _typed(where: str, texts: Mapping[str, str]) -> dict[str, Any]:
    """The columns that are not text."""
    numbers = {name: _number(f"{where}, {name}", texts[name]) for name in ("mean", "std", "paper")}
    if texts["quoted"] not in ("true", "false"):
        raise bad(f"{where}, quoted", expected="true or false", found=repr(texts["quoted"]))
    if not texts["seeds"].isdecimal():
        raise bad(f"{where}, seeds", expected="a whole number", found=repr(texts["seeds"]))
    seeds, quoted = int(texts["seeds"]), texts["quoted"] == "true"
    if not math.isnan(numbers["mean"]) == quoted == (seeds == 0):
        expected = "a mean over seeds where it is not quoted, and none where it is"
        raise bad(where, expected=expected, found=f"mean {texts['mean']!r}, seeds {seeds}, quoted {texts['quoted']}")
    return numbers | {"seeds": seeds, "quoted": quoted}


def _number(where: str, text: str) -> float:
    if not text:
        return math.nan
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise bad(where, expected="a number or nothing", found=repr(text))
    return number
