"""Run one method that needs no clone, once per seed, and evaluate it on the test pictures."""

import argparse
from dataclasses import replace
from pathlib import Path

from bench.work.cli import run
from bench.work.experiment import Experiment
from bench.work.measure import Record, accuracies, records, write_scores
from bench.work.scratch import checkpoint, scratch
from bench.work.store import Store, class_names, of_names
from bench.work.suite import MethodEntry, seeds_of
from pnc.methods import METHODS, MethodTask


def main(arguments: argparse.Namespace) -> None:
    """Measure one method on one pair and task for a group of seeds; ``--grid`` is the folder for its scores."""
    store, name = Store.open(arguments.suite), arguments.method
    entry: MethodEntry = store.suite.entry(MethodEntry, f"methods.{name}")
    method = METHODS.get(entry.function or name)
    names = (arguments.source, arguments.target, arguments.task, entry.regime, arguments.seeds)
    experiments = [Experiment(store, *names, seed) for seed in seeds_of(arguments.seeds)]
    own = {"method": entry.function or name, "settings": entry.settings}
    settings = {**experiments[0].made_with, **experiments[0].samples, **own}
    found: list[Record] = []
    with scratch("baseline", vars(arguments), settings) as unfinished:
        for experiment in experiments:
            classifier = method.run(_task(experiment, unfinished), entry.settings)
            found += records(experiment, accuracies(experiment, classifier), name)
    path = store.suite.scores(arguments.grid, "baseline", name, *names[:3], arguments.seeds)
    write_scores(path, found, settings)


def _task(experiment: Experiment, unfinished: Path) -> MethodTask:
    store, clone = experiment.store, experiment.clone_task
    own = store.network(experiment.target, experiment.seeds, experiment.seed)[1]
    names = class_names(clone.target) + experiment.cloned_names
    full, _ = of_names(store.train, names)
    mean, std = full.mean_std()
    return MethodTask(
        clone=clone,
        full=full,
        spec=replace(own, class_names=names, mean=mean, std=std),
        recipe=experiment.recipe,
        seed=experiment.seed,
        regime=experiment.regime,
        checkpoint=checkpoint(unfinished, experiment.seed),
        progress=True,
    )


if __name__ == "__main__":
    run(main, "grid", "method", "source", "target", "task", "seeds")
