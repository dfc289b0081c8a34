"""Teach learners of the literature the classes of a sequence, step by step, and test after each."""

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import nn

from bench.work.cli import run
from bench.work.scored import Record, write_scores
from bench.work.scratch import checkpoint, scratch
from bench.work.store import Store, class_names, of_names
from bench.work.suite import seeds_of, spelled_out
from pnc.arch import BlockNet, fingerprint
from pnc.base.classifier import Recipe
from pnc.base.errors import bad
from pnc.base.evaluate import joint, scores
from pnc.base.images import Images
from pnc.base.mapping import from_mapping
from pnc.base.splits import fraction, holdout
from pnc.incremental import LEARNERS, Choice, Course, Learner, choose, continued


@dataclass(frozen=True)
class LearnerEntry:
    """A learner: its function in pnc.incremental (None: of the same name), its exemplars and its own settings.

    ``trial``: how many steps a setting of its grid is tried on (None: all).
    """

    function: str | None = None
    memory: int = 0
    trial: int | None = None
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
class Group:
    """The pictures of one group of classes: to learn from and held out, labelled as in a course, and for the test."""

    seen: Images
    held_out: Images
    test: Images


@dataclass(frozen=True)
class Plan:
    """What learners are taught; names are those of params.yaml."""

    store: Store
    target: str
    increment: str
    seeds: str

    @cached_property
    def entry(self) -> IncrementEntry:
        entry: IncrementEntry = self.store.suite.entry(IncrementEntry, f"increments.{self.increment}")
        return entry

    @cached_property
    def samples(self) -> dict[str, float]:
        """The share of the pictures that is D_t and D_o, and the part of it that is held out."""
        own = self.store.suite.read("samples.share") if self.entry.share is None else self.entry.share
        return {"share": float(own), "held_out": float(self.store.suite.read("samples.held_out"))}

    @cached_property
    def made_with(self) -> dict[str, Any]:
        """The settings behind the pictures and the target, as plain values."""
        return self.store.made_with({"target": self.target}, self.seeds)

    def network(self, seed: int) -> BlockNet:
        return self.store.network(self.target, self.seeds, seed)[0]

    def groups(self, seed: int) -> list[Group]:
        """The target's own classes (D_o), then those of each step (D_t): the pictures that PNC's clones see of them.

        The draws are those of ``Store.samples``, where a class's pictures depend on the class alone.
        Raises PncError for classes that the target has already.
        """
        store, own = self.store, class_names(self.network(seed))
        named = [own, *(tuple(store.train.class_names[label] for label in step) for step in self.entry.steps)]
        if doubled := sorted(set(own) & {name for names in named[1:] for name in names}):
            where = f"{store.suite.name}: increments.{self.increment}.classes"
            raise bad(where, expected="others than the target's own", found=", ".join(doubled))
        groups, before = list[Group](), tuple[str, ...]()
        for names in named:
            purpose = "D_t" if before else "D_o"
            part = fraction(of_names(store.train, names)[0], self.samples["share"], seed, purpose)
            both = holdout(part, self.samples["held_out"], seed, purpose)
            seen, held_out = (continued(before, images) for images in both)
            groups.append(Group(seen, held_out, of_names(store.test, names)[0]))
            before = (*before, *names)
        return groups

    def course(self, groups: list[Group], seed: int, memory: int, name: str, unfinished: Path) -> Course:
        """For the learner called ``name``."""
        target, recipe = self.network(seed), self.made_with["networks"]["target"]["recipe"]
        return Course(
            target=target,
            steps=tuple(group.seen for group in groups[1:]),
            seed=seed,
            augmentation=from_mapping(Recipe, recipe, f"recipe of {self.target}").augmentation,
            own=groups[0].seen,
            memory=memory,
            checkpoint=checkpoint(unfinished, name, seed, fingerprint(target)[:8]),
            progress=True,
        )


def main(arguments: argparse.Namespace) -> None:
    """Measure a group of learners on one target and increment for a group of seeds."""
    store = Store.open(arguments.suite)
    plan = Plan(store, arguments.target, arguments.increment, arguments.seeds)
    place = f"learners.{arguments.learner}"
    entries = {name: store.suite.entry(LearnerEntry, f"{place}.{name}") for name in store.suite.read(place)}
    found, learners = list[Record](), dict[str, Any]()
    with scratch("incremental", vars(arguments), plan.samples, plan.entry, *entries.values()) as unfinished:
        for name, entry in entries.items():
            learners[name] = asdict(entry)
            found += _taught(plan, name, entry, unfinished, learners[name])
    increment = asdict(plan.entry) | plan.samples
    settings = {**plan.made_with, "increment": increment, "learners": learners}
    item = ("incremental", arguments.learner, arguments.target, arguments.increment, arguments.seeds)
    write_scores(store.suite.scores("sequences", *item), found, settings)


def _taught(plan: Plan, name: str, entry: LearnerEntry, unfinished: Path, said: Record) -> Iterator[Record]:
    """One learner's records; what was chosen of its grid goes into what is ``said`` of it."""
    learner: Learner = LEARNERS.get(entry.function or name)
    choice: Choice | None = None  # made on the first seed, for all of the group
    own = {"source": plan.entry.source, "target": plan.target, "task": plan.increment, "variant": ""}
    own |= {"regime": learner.regime, "method": name}
    for seed in seeds_of(plan.seeds):
        groups = plan.groups(seed)
        course = plan.course(groups, seed, entry.memory, name, unfinished)
        kept = [group.held_out for group in groups]
        if choice is None:
            choice = choose(learner, course, entry.settings, kept[1:], kept[0], steps=entry.trial)
            course = choice.course
        for measured in _measured(learner.run(course, choice.settings), course.target, groups):
            yield {**own, "seed": seed, **measured}
    if choice is not None and choice.chosen:
        said["chosen"] = dict(choice.chosen)


def _measured(models: Iterator[nn.Module], target: BlockNet, groups: list[Group]) -> Iterator[Record]:
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
