"""Draw a suite's figures from its cells."""

import argparse
from pathlib import Path

from bench.report.cells import POSITIONS, read_cells
from bench.report.figures import accuracy_by_row, positions, save
from bench.work.cli import run

RESULTS = Path("results")


def main(arguments: argparse.Namespace) -> None:
    """Write accuracy.png and, where every R was measured, positions.png to results/SUITE/figures."""
    folder = RESULTS / arguments.suite
    cells = read_cells(folder / "cells.csv")
    drawn = {"accuracy": accuracy_by_row(cells)}
    if (cells["table"] == POSITIONS).any():
        drawn["positions"] = positions(cells)
    for name, figure in drawn.items():
        path = folder / "figures" / f"{name}.png"
        save(figure, path)
        print(path)


if __name__ == "__main__":
    run(main, "suite")
