"""One table as ``stages.cells`` leaves it, in a folder of its own: its cells, what is behind them, and its query."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from bench.report.aggregate import Behind, Gathered
from bench.report.cells import read_cells, write_cells
from bench.report.query import Table, table
from pnc.base.files import read_json, write_json, write_text

CELLS, BEHIND, TABLE = "cells.csv", "behind.json", "table.json"


class Part(NamedTuple):
    """What a figure is drawn from, and the whole of the tables is put together from."""

    table: Table
    cells: pd.DataFrame
    behind: Behind


def write_part(folder: Path, values: Any, found: Gathered) -> None:
    """``values`` are those of ``tables.KEY``, KEY being the folder's name."""
    write_text(folder / TABLE, json.dumps(values, indent=1))  # rows and columns stay in their order
    write_json(folder / BEHIND, found.behind)
    write_cells(folder / CELLS, found.cells)


def read_part(folder: Path) -> Part:
    """Raises PncError naming the file that is missing or damaged."""
    cells = read_cells(folder / CELLS)
    return Part(table(folder.name, read_json(folder / TABLE)), cells, read_json(folder / BEHIND))
