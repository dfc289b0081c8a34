"""Run methods that need no clone, once per seed, and evaluate them on the test pictures."""

import argparse
from dataclasses import asdict, replace
from typing import Any

from bench.work.cli import run
from bench.work.experiment import Experiment
from bench.work.measure import accuracies, records
from bench.work.scored import Record, write_scores
from bench.work.scratch import scratch
from bench.work.store import Store, class_names, of_names
from bench.work.suite import MethodEntry, seeds_of
from pnc.base.train import Checkpoint
from pnc.methods import METHODS, Choice, Method, MethodTask, choose, row_name


def main(arguments: argparse.Namespace) -> None:
    """Measure a group of methods on one pair and task for a group of seeds; ``--grid`` is the scores' folder."""
    store = Store.open(arguments.suite)
    entries = {
        name: store.suite.entry(MethodEntry, f"methods.{arguments.method}.{name}")
        for name in store.suite.read(f"methods.{arguments.method}")
    }
    names = (arguments.source, arguments.target, arguments.task)
    found, behind, methods = list[Record](), dict[str, Any](), dict[str, Any]()
    samples = [store.suite.read(key) for key in ("samples", f"tasks.{arguments.task}")]
    with scratch("baseline", vars(arguments), samples, *entries.values()) as unfinished:
        for name, entry in entries.items():
            method: Method = METHODS.get(entry.function or name)
            choice: Choice | None = None  # made on the first seed, for all of the group
            for seed in seeds_of(arguments.seeds):
                experiment = Experiment(store, *names, entry.regime, arguments.seeds, seed)
                task = _task(experiment, experiment.checkpoint(unfinished, name))
                choice = choice or choose(method, task, entry.settings)
                for row, classifier in method.run(task, choice.settings).items():
                    found += records(experiment, accuracies(experiment, classifier), row_name(name, row))
            behind = {**experiment.made_with, **experiment.samples}
            methods[name] = asdict(entry)
            if choice is not None and choice.chosen:
                methods[name]["chosen"] = dict(choice.chosen)
    settings = {**behind, "methods": methods}
    write_scores(
        store.suite.scores(arguments.grid, "baseline", arguments.method, *names, arguments.seeds), found, settings
    )


def _task(experiment: Experiment, unfinished: Checkpoint) -> MethodTask:
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
        checkpoint=unfinished,
        progress=True,
    )


if __name__ == "__main__":
    run(main, "grid", "method", "source", "target", "task", "seeds")
