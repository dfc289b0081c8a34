"""Print a suite's results again: Table 1, and where the tables and figures lie."""

import argparse
from pathlib import Path

from rich.console import Console

from bench.report.cells import read_cells
from bench.report.tables import to_console
from bench.work.cli import run


def main(arguments: argparse.Namespace) -> None:
    """Show the measured cells of one suite."""
    folder, console = Path("results") / arguments.suite, Console()
    console.print(to_console(read_cells(folder / "cells.csv")))
    console.print(f"All tables: {folder / 'TABLES.md'}", highlight=False)
    for figure in sorted((folder / "figures").glob("*.png")):
        console.print(f"Figure:     {figure}", highlight=False)


if __name__ == "__main__":
    run(main, "suite")
