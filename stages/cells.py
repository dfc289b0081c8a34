"""One table of a suite: from the scores that it selects to its cells, and what is behind them."""

import argparse
from pathlib import Path

import pandas as pd

from bench.report import paper
from bench.report.aggregate import aggregate
from bench.report.part import write_part
from bench.report.query import table
from bench.report.scores import read_scores
from bench.work.cli import run
from bench.work.makers import makers
from bench.work.suite import Suite, load_suite
from pnc.base.errors import PncError


def main(arguments: argparse.Namespace) -> None:
    """Write the cells of one table, and the settings, commits and devices behind them."""
    suite, key = load_suite(arguments.suite), arguments.table
    values = suite.read(f"tables.{key}")
    wanted = table(key, values)
    scores = _scores(suite, suite.score_files(key))
    printed = paper.load(Path("paper"))
    found = aggregate(wanted, scores, dataset=suite.dataset, arch=suite.arch, paper=printed)
    write_part(suite, key, values, found)


def _scores(suite: Suite, files: list[Path]) -> pd.DataFrame:
    """Raises PncError for a damaged file, naming the command that makes it anew."""
    try:
        return read_scores(files)
    except PncError as error:
        named = [maker.stage for maker in makers(suite) if str(error).startswith(str(maker.path))]
        if not named:
            raise
        raise PncError(f"{error}; to make it anew: dvc repro --force --single-item {named[0]}") from None


if __name__ == "__main__":
    run(main, "table")
