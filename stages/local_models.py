"""Fit G, the local models of the source around D_t, once per seed; every R and both regimes share them."""

import argparse

from bench.work.cli import run
from bench.work.store import Bench
from bench.work.suite import seeds_of
from pnc.cloning.local.local_models import fit_local_models


def main(arguments: argparse.Namespace) -> None:
    """Fit the local models of one scale for a group of seeds."""
    bench, scale = Bench.open(arguments.suite), arguments.scale
    train, settings = bench.images("train"), bench.settings("strict")
    for seed in seeds_of(arguments.seeds):
        task = bench.task(scale, seed, train)
        models = fit_local_models(
            task.source, task.pixels, settings.neighbourhood, seed=seed, ridge=settings.ridge, progress=True
        )
        models.save(bench.suite.local_models(scale, seed))


if __name__ == "__main__":
    run(main, "suite", "scale", "seeds")
