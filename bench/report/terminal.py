"""One table for the terminal, narrow enough for 80 columns: all of its numbers."""

import math
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
Header = dict[tuple[str, str], str]  # by column and metric


def to_console(cells: pd.DataFrame, table: Table, dataset: str, width: int) -> Group:
    """The first section of ``table``, one group of rows per regime; the paper's number stands below ours.

    Where the numbers are too wide for ``width`` columns their spreads are left out, and where they still are, several
    grids stand below each other.
    """
    shown = cells[cells["metric"].isin(table.first_metrics)]
    header = columns_of(table, table.first_metrics)
    texts, what = _texts(shown), "mean±std"
    if len(_blocks(texts, header, width)) > 1:
        means = _texts(shown.assign(std=math.nan))
        if len(_blocks(means, header, width)) == 1:
            texts, what = means, "mean"
    paper = ", below it (the paper's number)" if shown["paper"].notna().any() else ""
    title = f"{table.title} on {dataset}: {_units(table)}{what} of {seeds_text(shown)}{paper}"
    groups = {regime: _group(table, shown, regime) for regime in REGIMES}
    return Group(Text(title), *(_grid(groups, texts, block) for block in _blocks(texts, header, width)))


def _grid(groups: Mapping[str, list[str]], texts: Texts, header: Header) -> Grid:
    grid = Grid(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    grid.add_column("", min_width=_NARROWEST)
    for heading in header.values():
        grid.add_column(Text(heading), justify="right", no_wrap=True)
    for regime, rows in groups.items():
        if rows and regime:
            grid.add_section()
            grid.add_row(Text(f"{regime}:", style="italic"))
        for row in rows:
            grid.add_row(Text(row), *(texts.get((row, regime, *column), MISSING) for column in header))
    return grid


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


def _blocks(texts: Texts, header: Header, width: int) -> list[Header]:
    """The columns, in as many blocks as it takes for each to fit beside the narrowest column of titles."""
    widest = {column: len(heading) for column, heading in header.items()}
    for (_, _, scale, metric), found in texts.items():
        widest[scale, metric] = max(widest[scale, metric], *map(len, found.split("\n")))
    blocks: list[Header] = [{}]
    for column, heading in header.items():
        if blocks[-1] and _NARROWEST + sum(_GAP + widest[each] for each in (*blocks[-1], column)) > width:
            blocks.append({})
        blocks[-1][column] = heading
    return blocks


def _units(table: Table) -> str:
    return "per cent, " if {METRICS[metric].unit for metric in table.first_metrics} == {"%"} else ""
