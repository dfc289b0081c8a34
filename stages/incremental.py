"""Teach learners of the literature the classes of a sequence, step by step, and test after each."""

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import nn

from bench.work.cli import run
from bench.work.provenance import made
from bench.work.scratch import checkpoint, scratch
from bench.work.store import Store, class_names, of_names
from bench.work.suite import seeds_of, spelled_out
from pnc.arch import BlockNet, fingerprint
from pnc.base.classifier import Recipe
from pnc.base.errors import bad
from pnc.base.evaluate import joint, scores
from pnc.base.files import write_record
from pnc.base.images import Images
from pnc.base.mapping import from_mapping
from pnc.base.splits import fraction, holdout
from pnc.incremental import LEARNERS, Choice, Course, Learner, choose, continued


@dataclass(frozen=True)
class LearnerEntry:
    """A learner: its function in pnc.incremental (None: of the same name), its exemplars and its own settings."""

    function: str | None = None
    memory: int = 0
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class IncrementEntry:
    """``classes`` are labels of the data set, ``step`` of them at a time; ``share`` of their pictures is D_t (None:
    ``samples.share``). ``source`` is what tables call the network that PNC clones the same classes from.
    """

    source: str
    classes: str | tuple[int, ...]
    step: int
    share: float | None = None

    @property
    def steps(self) -> list[tuple[int, ...]]:
        """Labels of each step; the last may have fewer."""
        labels = spelled_out(self.classes)
        if self.step < 1 or not labels:
            raise bad("increment", expected="classes, and a step of at least one", found=f"{self.step} of {labels}")
        return [labels[first : first + self.step] for first in range(0, len(labels), self.step)]


@dataclass(frozen=True)
class Samples:
    """The pictures of one group of classes, labelled as in a course: to learn from, held out, and for the test."""

    seen: Images
    held_out: Images
    test: Images


def main(arguments: argparse.Namespace) -> None:
    """Measure a group of learners on one target and increment for a group of seeds."""
    store, name = Store.open(arguments.suite), arguments.increment
    own = store.suite.read(f"learners.{arguments.learner}")
    entries = {learner: store.suite.entry(LearnerEntry, f"learners.{arguments.learner}.{learner}") for learner in own}
    increment: IncrementEntry = store.suite.entry(IncrementEntry, f"increments.{name}")
    share = float(store.suite.read("samples.share") if increment.share is None else increment.share)
    held_out = float(store.suite.read("samples.held_out"))
    behind = store.made_with({"target": arguments.target}, arguments.seeds)
    recipe = from_mapping(Recipe, behind["networks"]["target"]["recipe"], f"recipe of {arguments.target}")
    said = {"source": increment.source, "target": arguments.target, "task": name, "variant": ""}
    found, learners = [], dict[str, Any]()
    with scratch("incremental", vars(arguments), share, held_out, asdict(increment), *entries.values()) as unfinished:
        for learner_name, entry in entries.items():
            learner: Learner = LEARNERS.get(entry.function or learner_name)
            choice: Choice | None = None  # made on the first seed, for all of the group
            for seed in seeds_of(arguments.seeds):
                target = store.network(arguments.target, arguments.seeds, seed)[0]
                groups = list(_samples(store, target, increment, share, held_out, seed))
                course = Course(
                    target=target,
                    steps=tuple(group.seen for group in groups[1:]),
                    seed=seed,
                    augmentation=recipe.augmentation,
                    own=groups[0].seen,
                    memory=entry.memory,
                    checkpoint=checkpoint(unfinished, learner_name, seed, fingerprint(target)[:8]),
                    progress=True,
                )
                kept = [group.held_out for group in groups]
                choice = choice or choose(learner, course, entry.settings, kept[1:], kept[0])
                own = {**said, "regime": learner.regime, "method": learner_name, "seed": seed}
                models = learner.run(course, choice.settings)
                found += [{**own, **measured} for measured in _measured(models, target, groups)]
            learners[learner_name] = asdict(entry)
            if choice is not None and choice.chosen:
                learners[learner_name]["chosen"] = dict(choice.chosen)
    settings = {**behind, "increment": {**asdict(increment), "share": share, "held_out": held_out}}
    path = store.suite.scores("sequences", "incremental", arguments.learner, arguments.target, name, arguments.seeds)
    write_record(path, {"scores": found, "settings": {**settings, "learners": learners}, "made": made()})


def _samples(
    store: Store, target: BlockNet, increment: IncrementEntry, share: float, held_out: float, seed: int
) -> Iterator[Samples]:
    """Of the target's own classes (D_o), then of each step (D_t): the pictures that PNC's clones see of them.

    The draws are those of ``Store.samples``, which a class's pictures depend on by the class's name alone.
    """
    names = class_names(target)
    groups = [names, *(tuple(store.train.class_names[label] for label in step) for step in increment.steps)]
    if doubled := sorted(set(names) & {name for group in groups[1:] for name in group}):
        where = f"{store.suite.name}: classes of an increment"
        raise bad(where, expected="others than the target's own", found=", ".join(doubled))
    before: tuple[str, ...] = ()
    for own, purpose in zip(groups, ("D_o", *("D_t" for _ in groups[1:])), strict=True):
        part = fraction(of_names(store.train, own)[0], share, seed, purpose)
        seen, kept = (continued(before, images) for images in holdout(part, held_out, seed, purpose))
        yield Samples(seen, kept, of_names(store.test, own)[0])
        before = (*before, *own)


def _measured(models: Iterator[nn.Module], target: BlockNet, groups: list[Samples]) -> Iterator[dict[str, Any]]:
    """A record for each step and metric, as those of stages.sequence; ``extra_params`` is relative to the target."""
    averages, own = list[float](), _parameters(target)
    for number, model in enumerate(models, start=1):
        values = scores(joint(model, target.classes), *(group.test for group in groups[: number + 1]))
        averages.append(values["avg"])
        values |= {"acc_final": values["avg"], "acc_mean": sum(averages) / len(averages)}
        values |= {"params_m": _parameters(model) / 1e6, "extra_params": (_parameters(model) - own) / own}
        yield from ({"at": str(number), "metric": metric, "value": value} for metric, value in values.items())


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


if __name__ == "__main__":
    run(main, "learner", "target", "increment", "seeds")
