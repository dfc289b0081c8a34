"""Scores: what a classifier gets right on the test pictures, as records."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from bench.work.experiment import Experiment
from bench.work.scored import Record
from bench.work.store import class_names, of_names
from pnc.base.evaluate import Classifier, joint, scores
from pnc.base.train import Schedule
from pnc.cloned.finetune import fine_tuned
from pnc.cloned.model import ClonedModel, attach
from pnc.cloned.offset import shifted
from pnc.cloning.package import ClonePackage
from pnc.cloning.search import accuracies as search_accuracies
from pnc.cloning.selection import most_accurate

BEST, LAST, ACCURATE = "best", "last", "accurate"  # R*, R = L − 1, and the R of the best held-out accuracy


def accuracies(experiment: Experiment, classifier: Classifier) -> dict[str, float]:
    """On the test pictures of T_t and of T_s."""
    test, target = experiment.store.test, experiment.clone_task.target
    old, _ = of_names(test, class_names(target))
    new, _ = of_names(test, experiment.cloned_names)
    return scores(classifier, old, new)


def records(
    experiment: Experiment, values: Mapping[str, float], method: str, at: str = "", variant: str = ""
) -> Iterator[Record]:
    """One for each metric of ``values``."""
    own = {"source": experiment.source, "target": experiment.target, "task": experiment.task}
    own |= {"variant": variant, "regime": experiment.regime, "method": method, "at": at}
    for metric, value in values.items():
        yield {**own, "metric": metric, "seed": experiment.seed, "value": value}


@dataclass(frozen=True)
class Clones:
    """One experiment's packages by position, with their converged losses and R*."""

    experiment: Experiment
    packages: Mapping[int, ClonePackage]
    losses: Mapping[int, float]
    chosen: int
    variant: str = ""

    def measure(self) -> Iterator[Record]:
        """Every position; those chosen by either rule once more, with the size of the package; and R = L − 1."""
        rules = {BEST: self.chosen, ACCURATE: most_accurate(search_accuracies(self.packages))}
        for position, package in self.packages.items():
            said = package.info.provenance
            values = accuracies(self.experiment, joint(self._attached(position), self._old_classes))
            values |= {"held_out": 100 * said["accuracy"], "expected_leak": 100 * said["leak"]}
            yield from self._records(values | {"loss": self.losses[position]}, str(position))
            size = {"position": position, "package_bytes": package.nbytes}
            for rule in (rule for rule, chosen in rules.items() if chosen == position):
                yield from self._records(values | size, rule)
            if position == self._last:
                yield from self._records(values, LAST)

    def measure_finetuned(self, schedule: Schedule, own: Mapping[str, Any], folder: Path) -> Iterator[Record]:
        """PNC-F at R*, and at R = L − 1 where that was searched; and both with PNC's offset on the new logits.

        ``own`` are the settings that the clones were made with.
        """
        places = {self.chosen: [BEST]}
        if self._last in self.packages:
            places.setdefault(self._last, []).append(LAST)
        for position, names in places.items():
            network = self._finetuned(position, schedule, folder)
            for method, each in (("pnc_f", network), ("pnc_f_calibrated", self._shifted(network, own))):
                values = accuracies(self.experiment, joint(each, self._old_classes))
                for at in names:
                    yield from self._records(values, at, method)

    def _finetuned(self, position: int, schedule: Schedule, folder: Path) -> Any:
        experiment, task = self.experiment, self.experiment.clone_task
        return fine_tuned(
            self._attached(position),
            task.samples,
            schedule,
            experiment.recipe.augmentation,
            seed=experiment.seed,
            rehearsal=task.rehearsal if experiment.regime == "rehearsal" else None,
            checkpoint=experiment.checkpoint(folder, "finetune", position),
            progress=True,
        )

    def _shifted(self, network: nn.Module, own: Mapping[str, Any]) -> nn.Module:
        experiment = self.experiment
        return shifted(network, experiment.clone_task, experiment.regime, experiment.seed, own["q"], own["neutral"])

    def _attached(self, position: int) -> ClonedModel:
        task = self.experiment.clone_task
        return attach(task.target, task.source, self.packages[position])

    def _records(self, values: Mapping[str, float], at: str, method: str = "pnc") -> Iterator[Record]:
        return records(self.experiment, values, method, at, self.variant)

    @property
    def _old_classes(self) -> int:
        return self.experiment.clone_task.target.classes

    @property
    def _last(self) -> int:
        return len(self.experiment.clone_task.target) - 1
