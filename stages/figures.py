"""Draw one table of a suite from its cells."""

import argparse

from bench.report.cells import read_cells
from bench.report.figures import draw, save
from bench.report.query import table
from bench.work.cli import run
from bench.work.suite import load_suite


def main(arguments: argparse.Namespace) -> None:
    """Write the table's figure, as SVG and as PNG."""
    suite, key = load_suite(arguments.suite), arguments.table
    with suite.rebuilt_by("cells", key):
        cells = read_cells(suite.at / "cells" / f"{key}.csv")
    figure = draw(table(key, suite.read(f"tables.{key}")), cells)
    for kind in ("svg", "png"):
        save(figure, suite.results / "figures" / f"{key}.{kind}")


if __name__ == "__main__":
    run(main, "table")
