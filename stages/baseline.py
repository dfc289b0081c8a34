"""Run one method that needs no clone, once per seed, and evaluate it on the test pictures."""

import argparse

from bench.work.cli import run
from bench.work.store import Bench, Record, Setting, scratch
from bench.work.suite import seeds_of


def main(arguments: argparse.Namespace) -> None:
    """Measure one method at one scale for a group of seeds."""
    bench, name, scale = Bench.open(arguments.suite), arguments.method, arguments.scale
    train, test = bench.images("train"), bench.images("test")
    regime = bench.suite.methods[name]
    records: list[Record] = []
    with scratch("baseline", vars(arguments), bench.suite.values) as folder:
        for seed in seeds_of(arguments.seeds):
            records += Setting(bench, scale, regime, seed, train, test).measure(name, folder)
    bench.write_scores(bench.suite.scores("baseline", name, scale, arguments.seeds), records, scale)


if __name__ == "__main__":
    run(main, "suite", "method", "scale", "seeds")
