"""One table for the terminal, narrow enough for 80 columns: all of its numbers."""

from collections.abc import Mapping

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table as Grid
from rich.text import Text

from bench.report.labels import REGIMES
from bench.report.metrics import METRICS
from bench.report.query import Table
from bench.report.tables import MISSING, columns_of, records, rows_of, seeds_text, text

_NARROWEST = 16  # of the column with the rows' titles, which are folded to fit
_GAP = 1

Texts = dict[tuple[str, str, str, str], str]  # by row, regime, column and metric


def to_console(cells: pd.DataFrame, table: Table, dataset: str, width: int) -> Group:
    """The first section of ``table``, one group of rows per regime; the paper's number stands below ours.

    Where the numbers are too wide for ``width`` columns their spreads are left out.
    """
    shown = cells[cells["metric"].isin(table.first_metrics)]
    header = columns_of(table, table.first_metrics)
    texts, what = _texts(shown), "mean±std"
    if _width(texts, header) > width:
        texts, what = _texts(shown.assign(std=float("nan"))), "mean"
    paper = ", below it (the paper's number)" if shown["paper"].notna().any() else ""
    title = f"{table.title} on {dataset}: {_units(table)}{what} of {seeds_text(shown)}{paper}"
    grid = Grid(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    grid.add_column("", min_width=_NARROWEST)
    for heading in header.values():
        grid.add_column(Text(heading), justify="right", no_wrap=True)
    for regime in REGIMES:
        rows = _group(table, shown, regime)
        if rows and regime:
            grid.add_section()
            grid.add_row(Text(f"{regime}:", style="italic"))
        for row in rows:
            grid.add_row(Text(row), *(texts.get((row, regime, *column), MISSING) for column in header))
    return Group(Text(title), grid)


def _group(table: Table, cells: pd.DataFrame, regime: str) -> list[str]:
    """The rows of one regime; those without any cell come with the rows that need none."""
    found = set(cells.loc[cells["regime"] == regime, "row"])
    missing = set() if regime else set(table.rows) - set(cells["row"])
    return [row for row in rows_of(table, cells) if row in found | missing]


def _texts(cells: pd.DataFrame) -> Texts:
    """The number of each cell, and below it the paper's."""
    keys = cells[["row", "regime", "scale", "metric"]].itertuples(index=False, name=None)
    numbers = [text(cell).replace(" ± ", "±").replace(" (", "\n(") for cell in records(cells)]
    return dict(zip(keys, numbers, strict=True))


def _width(texts: Texts, header: Mapping[tuple[str, str], str]) -> int:
    """Of the whole grid, with its first column as narrow as can be."""
    widest = {column: len(heading) for column, heading in header.items()}
    for (_, _, *column), found in texts.items():
        key = (column[0], column[1])
        widest[key] = max(widest[key], *map(len, found.split("\n")))
    return _NARROWEST + sum(_GAP + each for each in widest.values())


def _units(table: Table) -> str:
    return "per cent, " if {METRICS[metric].unit for metric in table.first_metrics} == {"%"} else ""
