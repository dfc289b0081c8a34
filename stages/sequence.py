"""Attach clones to one target, one after another, and test it after each on all classes that it has by then."""

import argparse
from collections.abc import Iterator

from torch import nn

from bench.work.cli import run
from bench.work.measure import Record, write_scores
from bench.work.store import Store, class_names, of_names
from bench.work.suite import SequenceEntry, Suite, seeds_of
from pnc.base.errors import bad
from pnc.base.evaluate import joint, scores
from pnc.base.files import read_json
from pnc.cloned.model import attach
from pnc.cloning.package import ClonePackage

STEPS = "steps"  # the grid of ablate's that trains them


def main(arguments: argparse.Namespace) -> None:
    """Measure one sequence in one regime for a group of seeds; each clone is calibrated against the target alone."""
    store = Store.open(arguments.suite)
    entry: SequenceEntry = store.suite.entry(SequenceEntry, f"sequences.{arguments.sequence}")
    found = [
        {**_identity(arguments, entry), **measured, "seed": seed}
        for seed in seeds_of(arguments.seeds)
        for measured in _measured(store, entry, arguments, seed)
    ]
    settings = [read_json(path)["settings"] for path in _score_files(store.suite, entry, arguments)]
    path = store.suite.scores("sequences", arguments.sequence, arguments.regime, arguments.seeds)
    write_scores(path, found, {"steps": settings})


def _measured(store: Store, entry: SequenceEntry, arguments: argparse.Namespace, seed: int) -> Iterator[Record]:
    """A record for each step and metric; ``acc_mean`` is the mean of the averages after each step."""
    target, _ = store.network(entry.target, arguments.seeds, seed)
    names, averages = [class_names(target)], list[float]()
    cloned: nn.Module = target
    for number, step in enumerate(entry.steps, start=1):
        source_name, task = _parts(step)
        source, _ = store.network(source_name, arguments.seeds, seed)
        folder = store.suite.ablated(
            STEPS, "chosen", source_name, entry.target, task, arguments.regime, arguments.seeds
        )
        package = ClonePackage.load(folder / f"seed{seed}.pnc")
        cloned = attach(cloned, source, package)
        names.append(package.info.names)
        groups = [of_names(store.test, group)[0] for group in names]
        values = scores(joint(cloned, target.classes), *groups)
        averages.append(values["avg"])
        values |= {"acc_final": values["avg"], "acc_mean": sum(averages) / len(averages)}
        yield from ({"at": str(number), "metric": metric, "value": value} for metric, value in values.items())


def _identity(arguments: argparse.Namespace, entry: SequenceEntry) -> Record:
    sources = dict.fromkeys(_parts(step)[0] for step in entry.steps)
    own = {"source": "+".join(sources), "target": entry.target, "task": arguments.sequence}
    return {**own, "variant": "", "regime": arguments.regime, "method": "pnc"}


def _score_files(suite: Suite, entry: SequenceEntry, arguments: argparse.Namespace) -> list:
    return [
        suite.scores(STEPS, "chosen", source, entry.target, task, arguments.regime, arguments.seeds)
        for source, task in map(_parts, entry.steps)
    ]


def _parts(step: str) -> tuple[str, str]:
    source, slash, task = step.partition("/")
    if not slash:
        raise bad("step of a sequence", expected="SOURCE/TASK", found=repr(step))
    return source, task


if __name__ == "__main__":
    run(main, "sequence", "regime", "seeds")
