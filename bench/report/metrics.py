"""What DVC compares between revisions: a suite's headline numbers, and two small tables for its plots.

Rows are called as in ``TABLES.md``. The paper's numbers are left out.
"""

import re
from pathlib import Path
from typing import Any

import pandas as pd

from bench.report.cells import ACCURACIES, POSITIONS
from bench.report.labels import label, ordered
from bench.report.paper import CLONED_SHARE
from pnc.base.errors import bad
from pnc.base.files import write_json, write_text

SCALES = tuple(CLONED_SHARE)


def write_metrics(folder: Path, cells: pd.DataFrame) -> None:
    """Write the three files of a suite's ``cells``: the same cells give the same bytes."""
    write_json(folder / "metrics.json", headline(cells))
    for name, table in {"rows": averages(cells), "positions": every_position(cells)}.items():
        write_text(folder / "plots" / f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))


def headline(cells: pd.DataFrame) -> dict[str, dict[str, dict[str, float]]]:
    """Table 1 in per cent, as scale → row → metric: ``{"S": {"PNC (full), strict": {"avg": 98.3, …}, …}, …}``."""
    measured = _measured(cells, "T1", ACCURACIES)
    numbers: dict[str, Any] = {scale: {} for scale in SCALES if scale in set(measured["scale"])}
    for cell in measured.to_dict("records"):
        row = label(cell["row"], cell["regime"])
        numbers[cell["scale"]].setdefault(row, {})[cell["metric"]] = cell["mean"]
    return numbers


def averages(cells: pd.DataFrame) -> pd.DataFrame:
    """Table 1's Avg: ``row``, then a column per scale, empty where it was not measured."""
    measured = _measured(cells, "T1", ("avg",))
    names = [label(*pair) for pair in ordered(measured)]
    labels = [label(*pair) for pair in zip(measured["row"], measured["regime"], strict=True)]
    table = measured.assign(label=labels).pivot(index="label", columns="scale", values="mean")
    return table.reindex(index=names, columns=list(SCALES)).rename_axis("row").reset_index()


def every_position(cells: pd.DataFrame) -> pd.DataFrame:
    """Avg and loss at each position: ``R``, then a column like ``avg S strict`` for all that was measured."""
    measured = _measured(cells, POSITIONS, ("avg", "loss"))
    keys = [" ".join(key) for key in zip(measured["metric"], measured["scale"], measured["regime"], strict=True)]
    positions = measured["row"].map(position_of)
    table = measured.assign(key=keys, R=positions).pivot(index="R", columns="key", values="mean")
    return table.rename_axis(columns=None).reset_index()


def position_of(row: str) -> int:
    """R of a row such as "PNC R=1"."""
    found = re.search(r"R=(\d+)$", row)
    if not found:
        raise bad(f"row of table {POSITIONS}", expected="a name that ends in R=NUMBER", found=repr(row))
    return int(found[1])


def _measured(cells: pd.DataFrame, table: str, metrics: tuple[str, ...]) -> pd.DataFrame:
    return cells[(cells["table"] == table) & cells["metric"].isin(metrics) & ~cells["quoted"].astype(bool)]
