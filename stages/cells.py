"""One table of a suite: from the scores that it selects to its cells, and what is behind them."""

import argparse
from pathlib import Path

from bench.report import paper
from bench.report.aggregate import aggregate
from bench.report.cells import write_cells
from bench.report.query import table
from bench.report.scores import read_scores
from bench.work.cli import run
from bench.work.suite import load_suite
from pnc.base.files import write_json


def main(arguments: argparse.Namespace) -> None:
    """Write the cells of one table as CSV, and as JSON the settings, commits and devices behind them."""
    suite, key = load_suite(arguments.suite), arguments.table
    wanted = table(key, suite.read(f"tables.{key}"))
    scores = read_scores(suite.score_files(key))
    printed = paper.load(Path("paper"))
    found = aggregate(wanted, scores, dataset=suite.dataset, arch=suite.arch, paper=printed)
    write_json(suite.at / "cells" / f"{key}.json", found.behind)
    write_cells(suite.at / "cells" / f"{key}.csv", found.cells)


if __name__ == "__main__":
    run(main, "table")
