"""Draw one table of a suite from its cells."""

import argparse
from dataclasses import replace

from bench.report.figures import draw, save
from bench.report.part import read_part
from bench.work.cli import run
from bench.work.suite import load_suite


def main(arguments: argparse.Namespace) -> None:
    """Write the table's figure, as SVG and as PNG."""
    suite, key = load_suite(arguments.suite), arguments.table
    with suite.rebuilt_by("cells", key):
        part = read_part(suite.at / "cells" / key)
    named = replace(part.table, title=suite.read(f"tables.{key}.title"))
    figure = draw(named, part.cells)
    for kind in ("svg", "png"):
        save(figure, suite.results / "figures" / f"{key}.{kind}")


if __name__ == "__main__":
    run(main, "table")
