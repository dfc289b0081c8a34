"""Learn M, A and F_c for one position R (Algorithm 1's inner loop), once per seed."""

import argparse

from bench.work.cli import run
from bench.work.experiment import Experiment
from bench.work.scratch import scratch
from bench.work.store import SETTINGS, Store
from bench.work.suite import seeds_of
from pnc.base.errors import bad
from pnc.base.files import write_json, write_record
from pnc.cloning.search import converged_losses


def main(arguments: argparse.Namespace) -> None:
    """Train the packages of one position for a group of seeds."""
    store, position = Store.open(arguments.suite), _position(arguments.position)
    names = (arguments.source, arguments.target, arguments.task, arguments.regime, arguments.seeds)
    folder = store.suite.clones(*names) / "at" / f"R{position}"
    experiments = [Experiment(store, *names, seed) for seed in seeds_of(arguments.seeds)]
    losses = {}
    with scratch("localize_insert", vars(arguments), experiments[0].plain()) as unfinished:
        for experiment in experiments:
            packages = experiment.packages(unfinished, [position])
            packages[position].save(folder / f"seed{experiment.seed}.pnc")
            losses[experiment.seed] = converged_losses(packages)[position]
        write_record(folder / "losses.json", losses)
        write_json(folder / SETTINGS, experiments[0].plain())


def _position(text: str) -> int:
    if not text.isdecimal():
        raise bad("--position", expected="a position R, a whole number", found=repr(text))
    return int(text)


if __name__ == "__main__":
    run(main, "source", "target", "task", "regime", "position", "seeds")
