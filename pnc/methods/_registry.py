"""Methods by name: one file each, a registered function from a task to a classifier."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pnc.arch import BlockNet, NetworkSpec
from pnc.base.augment import Augmentation
from pnc.base.errors import bad
from pnc.base.evaluate import Classifier
from pnc.base.images import Images
from pnc.base.registry import Registry
from pnc.base.train import Checkpoint, Schedule
from pnc.cloning.package import ClonePackage
from pnc.cloning.settings import CloneSettings
from pnc.cloning.task import CloneTask

Variant = Literal["masked", "unmasked"]


@dataclass(frozen=True)
class MethodTask:
    """All that a method may use.

    ``clone`` holds the networks and samples; ``full`` is the whole training set of T_t ∪ T_s, labelled old classes
    first, for joint training alone. ``spec`` describes a network over those classes. ``packages`` are trained
    clones by variant and position, for the PNC rows; ``chosen`` is R* of each variant.
    """

    clone: CloneTask
    full: Images
    spec: NetworkSpec
    settings: CloneSettings
    pretrain: Schedule
    finetune: Schedule
    augmentation: Augmentation
    seed: int
    packages: Mapping[Variant, Mapping[int, ClonePackage]] = field(default_factory=dict)
    chosen: Mapping[Variant, int] = field(default_factory=dict)
    checkpoint: Checkpoint | None = None
    progress: bool = False

    @property
    def old_classes(self) -> int:
        return self.clone.target.classes

    @property
    def target(self) -> BlockNet:
        return self.clone.target

    def package(self, variant: Variant, position: int | None = None) -> ClonePackage:
        """The package of a variant at ``position`` (R* if None). Raises PncError if it has not been trained."""
        trained = self.packages.get(variant, {})
        wanted = self.chosen.get(variant) if position is None else position
        if wanted is None or wanted not in trained:
            raise bad(f"{variant} package", expected=f"R = {wanted}", found=f"trained ones {sorted(trained)}")
        return trained[wanted]


@dataclass(frozen=True)
class Method:
    """A row of the tables: its title there and the function that builds its classifier."""

    row: str
    build: Callable[[MethodTask], Classifier]


METHODS: Registry[Method] = Registry("method", "pnc.methods")


def method(name: str, row: str) -> Callable[[Callable[[MethodTask], Classifier]], Callable[[MethodTask], Classifier]]:
    """Decorator: file the function under ``name``; tables call it ``row``."""

    def add(build: Callable[[MethodTask], Classifier]) -> Callable[[MethodTask], Classifier]:
        METHODS.register(name)(Method(row, build))
        return build

    return add
