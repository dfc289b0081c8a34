"""What DVC compares between revisions: a suite's measured numbers, and two small tables for its plots.

Rows are called as in ``TABLES.md``. The paper's numbers are left out.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from bench.report.labels import label, position_of
from pnc.base.files import write_json, write_text

MAIN, POSITIONS = "T1", "positions"  # the tables that are plotted
_NO_HEADING = "all"  # DVC joins names by dots, and an empty one would be hard to see


def write_metrics(folder: Path, cells: pd.DataFrame) -> None:
    """Write the three files of a suite's ``cells``: the same cells give the same bytes."""
    write_json(folder / "metrics.json", numbers(cells))
    for name, table in {"rows": averages(cells), "positions": every_position(cells)}.items():
        write_text(folder / "plots" / f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))


def numbers(cells: pd.DataFrame) -> dict[str, Any]:
    """table → column → row → metric → mean: ``{"T1": {"S": {"PNC (full), strict": {"avg": 98.3, …}, …}, …}, …}``."""
    found: dict[str, Any] = {}
    for cell in cells[~cells["quoted"]].to_dict("records"):
        column = found.setdefault(cell["table"], {}).setdefault(cell["scale"] or _NO_HEADING, {})
        column.setdefault(label(cell["row"], cell["regime"]), {})[cell["metric"]] = cell["mean"]
    return found


def averages(cells: pd.DataFrame) -> pd.DataFrame:
    """Table 1's Avg: ``row``, then a column per scale, empty where it was not measured."""
    measured = _measured(cells, MAIN, ("avg",))
    labels = [label(*pair) for pair in zip(measured["row"], measured["regime"], strict=True)]
    table = measured.assign(label=labels).pivot(index="label", columns="scale", values="mean")
    rows, scales = dict.fromkeys(labels), dict.fromkeys(measured["scale"])
    ordered = table.reindex(index=list(rows), columns=list(scales))
    return ordered.rename(columns={"": _NO_HEADING}).rename_axis(index="row", columns=None).reset_index()


def every_position(cells: pd.DataFrame) -> pd.DataFrame:
    """Avg and loss at each position: ``R``, then a column like ``avg S strict`` for all that was measured."""
    measured = _measured(cells, POSITIONS, ("avg", "loss"))
    measured = measured.assign(R=measured["row"].map(position_of)).dropna(subset="R").astype({"R": int})
    keys = [
        " ".join(filter(None, key))
        for key in zip(measured["metric"], measured["scale"], measured["regime"], strict=True)
    ]
    table = measured.assign(key=keys).pivot(index="R", columns="key", values="mean")
    return table.rename_axis(columns=None).reset_index()


def _measured(cells: pd.DataFrame, table: str, metrics: tuple[str, ...]) -> pd.DataFrame:
    return cells[(cells["table"] == table) & cells["metric"].isin(metrics) & ~cells["quoted"]]
