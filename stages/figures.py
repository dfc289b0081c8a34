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
    part = read_part(suite, key)
    # Whoever asks for a table looks it up in tables.yaml. A title is the least of it that DVC can watch there: of the
    # whole its lock would have a second copy.
    figure = draw(replace(part.table, title=suite.read(f"tables.{key}.title")), part.cells)
    for kind in ("svg", "png"):
        save(figure, suite.results / "figures" / f"{key}.{kind}")


if __name__ == "__main__":
    run(main, "table")
