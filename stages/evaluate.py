"""Evaluate the trained clones on the test pictures: at R*, at R = L − 1, at every R, and fine-tuned (PNC-F)."""

import argparse

from bench.work.cli import run
from bench.work.experiment import Experiment
from bench.work.measure import Clones
from bench.work.scored import Record, write_scores
from bench.work.scratch import scratch
from bench.work.store import SETTINGS, Store
from bench.work.suite import seeds_of
from pnc.base.files import read_json
from pnc.base.mapping import from_mapping
from pnc.base.train import Schedule
from pnc.cloning.package import ClonePackage


def main(arguments: argparse.Namespace) -> None:
    """Measure the clones of one pair, task and regime for a group of seeds."""
    store = Store.open(arguments.suite)
    suite = store.suite
    names = (arguments.source, arguments.target, arguments.task, arguments.regime, arguments.seeds)
    folder, found = suite.clones(*names), list[Record]()
    with suite.rebuilt_by("select", *names):
        chosen = read_json(folder / "chosen.json")
    finetune = from_mapping(Schedule, suite.read("finetune"), f"{suite.name}: finetune")
    position = str(chosen[str(seeds_of(arguments.seeds)[0])]["position"])
    with suite.rebuilt_by("localize_insert", *names[:-1], position, arguments.seeds):
        cloned = read_json(folder / "at" / f"R{position}" / SETTINGS)
    with scratch("evaluate", vars(arguments), chosen, finetune) as unfinished:
        for seed in seeds_of(arguments.seeds):
            experiment, own = Experiment(store, *names, seed), chosen[str(seed)]
            losses = {int(position): loss for position, loss in own["losses"].items()}
            packages = {position: _package(experiment, position) for position in losses}
            clones = Clones(experiment, packages, losses, own["position"])
            found += [*clones.measure(), *clones.measure_finetuned(finetune, cloned["clone"], unfinished)]
    settings = {**experiment.made_with, **cloned, "finetune": suite.read("finetune")}
    write_scores(suite.scores("main", "evaluate", *names), found, settings)


def _package(experiment: Experiment, position: int) -> ClonePackage:
    store, names = experiment.store, (experiment.source, experiment.target, experiment.task, experiment.regime)
    with store.suite.rebuilt_by("localize_insert", *names, str(position), experiment.seeds):
        folder = store.suite.clones(*names, experiment.seeds)
        return ClonePackage.load(folder / "at" / f"R{position}" / f"seed{experiment.seed}.pnc")


if __name__ == "__main__":
    run(main, "source", "target", "task", "regime", "seeds")
