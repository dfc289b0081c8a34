"""One table of a suite as ``stages.cells`` leaves it: its cells, what is behind them, and its query."""

import json
from typing import Any, NamedTuple

import pandas as pd

from bench.report.aggregate import Behind, Gathered
from bench.report.cells import read_cells, write_cells
from bench.report.query import Table, table
from bench.work.suite import Suite
from pnc.base.files import read_json, write_json, write_text

FOLDER = "cells"  # among a suite's artefacts; each table has a folder of its own there
CELLS, BEHIND, TABLE = "cells.csv", "behind.json", "table.json"


class Part(NamedTuple):
    """What a figure is drawn from, and the whole of the tables is put together from."""

    table: Table
    cells: pd.DataFrame
    behind: Behind


def write_part(suite: Suite, key: str, values: Any, found: Gathered) -> None:
    """``values`` are those of ``tables.KEY``."""
    folder = suite.at / FOLDER / key
    write_text(folder / TABLE, json.dumps(values, indent=1))  # rows and columns stay in their order
    write_json(folder / BEHIND, found.behind)
    write_cells(folder / CELLS, found.cells)


def read_part(suite: Suite, key: str) -> Part:
    """Raises PncError naming a file that is missing or damaged, and the command that makes it anew."""
    folder = suite.at / FOLDER / key
    with suite.rebuilt_by("cells", key):
        cells = read_cells(folder / CELLS)
        return Part(table(key, read_json(folder / TABLE)), cells, read_json(folder / BEHIND))
