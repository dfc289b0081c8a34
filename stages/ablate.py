"""The ablation without localisation: the whole tail of the source, unmasked, searched over R and evaluated."""

import argparse
from pathlib import Path

from bench.work.cli import run
from bench.work.store import Bench, Record, Setting, checkpoint, scratch
from bench.work.suite import seeds_of
from pnc.cloning.search import converged_losses, search
from pnc.cloning.selection import best_position

METHODS = ("pnc_without_local", "pnc_f_without_local")


def main(arguments: argparse.Namespace) -> None:
    """Train and measure unmasked clones of one scale and regime for a group of seeds."""
    bench = Bench.open(arguments.suite)
    train, test = bench.images("train"), bench.images("test")
    records: list[Record] = []
    with scratch("ablate", vars(arguments), bench.suite.values) as folder:
        for seed in seeds_of(arguments.seeds):
            records += _records(Setting(bench, arguments.scale, arguments.regime, seed, train, test), folder)
    path = bench.suite.scores("ablate", arguments.scale, arguments.regime, arguments.seeds)
    bench.write_scores(path, records, arguments.scale, "local_models", "positions")


def _records(setting: Setting, folder: Path) -> list[Record]:
    bench, seed = setting.bench, setting.seed
    task = setting.task
    packages = search(
        task,
        bench.local_models(setting.scale, seed),
        bench.settings(setting.regime, {"keep": 1.0}),
        task.samples.class_names,
        positions=bench.suite.positions,
        seed=seed,
        checkpoint=checkpoint(folder, "search", seed),
        progress=True,
    )
    chosen = best_position(converged_losses(packages))
    trained = {"packages": {"unmasked": packages}, "chosen": {"unmasked": chosen}}
    records = [record for name in METHODS for record in setting.measure(name, folder, **trained)]
    size = {"position": chosen, "package_bytes": packages[chosen].nbytes}
    return records + setting.records("PNC (w/o Local)", size)


if __name__ == "__main__":
    run(main, "suite", "scale", "regime", "seeds")
