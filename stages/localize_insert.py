"""Learn M, A and F_c for one position R (Algorithm 1's inner loop), once per seed."""

import argparse

from bench.work.cli import run
from bench.work.store import Bench, checkpoint, scratch
from bench.work.suite import seeds_of
from pnc.arch import fingerprint
from pnc.base.files import write_record
from pnc.cloning.search import converged_losses, search


def main(arguments: argparse.Namespace) -> None:
    """Train the packages of one position for a group of seeds."""
    bench, scale, regime = Bench.open(arguments.suite), arguments.scale, arguments.regime
    position = int(arguments.position)
    train, settings = bench.images("train"), bench.settings(regime)
    losses = {}
    with scratch("localize_insert", vars(arguments), settings, bench.suite.values["samples"]) as folder:
        for seed in seeds_of(arguments.seeds):
            task = bench.task(scale, seed, train)
            packages = search(
                task,
                bench.local_models(scale, seed),
                settings,
                task.samples.class_names,
                positions=[position],
                seed=seed,
                checkpoint=checkpoint(folder, seed, fingerprint(task.source)[:8], fingerprint(task.target)[:8]),
                progress=True,
            )
            packages[position].save(bench.suite.package(scale, regime, position, seed))
            losses[seed] = converged_losses(packages)[position]
        write_record(bench.suite.package(scale, regime, position, seed).parent / "losses.json", losses)


if __name__ == "__main__":
    run(main, "suite", "scale", "regime", "position", "seeds")
