"""A tiny task for methods: two classes of a tiny source for a tiny target, with samples of both sides."""

from typing import Any

import torch
from _tiny import SIZE, clone_task, images, pictures
from torch import Tensor

from pnc.arch import NetworkSpec
from pnc.base.augment import Augmentation
from pnc.base.classifier import Recipe
from pnc.base.evaluate import Classifier
from pnc.base.images import Images
from pnc.base.train import Schedule
from pnc.methods import METHODS, MethodTask, Rows

CLASSES, NAMES = (3, 1), ("owl", "kiwi")
X = pictures(7)
RECIPE = Recipe(Schedule(2, 16, 1e-2), Augmentation(crop=1, flip=False, rotation=5))
STILL = Recipe(Schedule(2, 16, 1e-2))
SCHEDULE = {"epochs": 2, "batch": 16, "lr": 0.01}


def method_task(regime: str = "", classes: tuple[int, ...] = CLASSES, **changes: Any) -> MethodTask:
    clone = clone_task(classes)
    names = (*(f"target {index}" for index in range(4)), *NAMES[: len(classes)])
    full = images(len(names), 6, seed=7)
    spec = NetworkSpec("plain_cnn", names, *full.mean_std(), SIZE, width=0.25)
    own = {"clone": clone, "full": Images(full.pixels, full.labels, names), "spec": spec, "recipe": RECIPE, "seed": 0}
    return MethodTask(**{**own, "regime": regime, **changes})


def needed(name: str) -> dict[str, Any]:
    """Plain values for the settings that a method does not have defaults for."""
    ready = {Schedule: SCHEDULE}
    settings = METHODS.get(name).settings
    return {key: ready[own.annotation] for key, own in settings.items() if own.default is own.empty}


QUICK = {"replay": {"pictures": 8, "steps": 2}}


def rows(name: str, task: MethodTask, **settings: Any) -> Rows:
    """All rows of a method, which learns no longer than the tests need."""
    return METHODS.get(name).run(task, {**needed(name), **QUICK.get(name, {}), **settings})


def run(name: str, task: MethodTask, row: str = "", **settings: Any) -> Classifier:
    return rows(name, task, **settings)[row]


@torch.no_grad()
def answers(classifier: Classifier) -> Tensor:
    return torch.cat([classifier.old.eval()(X), classifier.new.eval()(X)], dim=1)


def all_answers(found: Rows) -> Tensor:
    return torch.cat([answers(classifier) for classifier in found.values()], dim=1)
