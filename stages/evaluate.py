"""Evaluate the trained clones on the test pictures: at R*, at R = L − 1, at every R, and fine-tuned (PNC-F)."""

import argparse
from pathlib import Path

from bench.work.cli import run
from bench.work.store import Bench, Record, Setting, scratch
from bench.work.suite import seeds_of
from pnc.base.files import read_json
from pnc.cloning.package import ClonePackage

METHODS = ("pnc", "pnc_without_insert", "pnc_f", "pnc_f_without_insert")


def main(arguments: argparse.Namespace) -> None:
    """Measure the clones of one scale and regime for a group of seeds."""
    bench = Bench.open(arguments.suite)
    train, test = bench.images("train"), bench.images("test")
    selection = read_json(bench.suite.selection(arguments.scale, arguments.regime, arguments.seeds))
    records: list[Record] = []
    with scratch("evaluate", vars(arguments), bench.suite.values, selection) as folder:
        for seed in seeds_of(arguments.seeds):
            setting = Setting(bench, arguments.scale, arguments.regime, seed, train, test)
            records += _records(setting, selection[str(seed)], folder)
    path = bench.suite.scores("evaluate", arguments.scale, arguments.regime, arguments.seeds)
    bench.write_scores(path, records, arguments.scale, "local_models", "positions")


def _records(setting: Setting, selected: dict, folder: Path) -> list[Record]:
    suite = setting.bench.suite
    packages = {
        position: ClonePackage.load(suite.package(setting.scale, setting.regime, position, setting.seed))
        for position in suite.positions
    }
    chosen = selected["position"]
    trained = {"packages": {"masked": packages}, "chosen": {"masked": chosen}}
    records = [record for name in METHODS for record in setting.measure(name, folder, **trained)]
    size = {"position": chosen, "package_bytes": packages[chosen].nbytes}
    records += setting.records("PNC (full)", size)
    for position in suite.positions:
        at = {"packages": {"masked": packages}, "chosen": {"masked": position}}
        accuracies = setting.accuracies("pnc", folder, **at)
        loss = {"loss": selected["losses"][str(position)]}
        records += setting.records(f"PNC R={position}", {**accuracies, **loss}, table="R")
    return records


if __name__ == "__main__":
    run(main, "suite", "scale", "regime", "seeds")
