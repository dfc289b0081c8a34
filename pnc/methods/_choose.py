"""The choice of a baseline's settings from a small grid, on held-out pictures, as PNC's own were chosen.

Rehearsal: the accuracy on held-out D_t and D_o, each class weighing the same.

Strict: no old picture may be seen, so two things are asked that need none, and their product is maximised. The
accuracy on held-out D_t among old and new classes says what was learned. What was kept is the share of strangers,
pictures that D_t is widened into until neither network knows them (pnc.cloning.calibration), that get the answer of
both whole networks side by side: most of them an old class, which a network that forgot or calls everything new
misses. PNC's own held-out accuracy has the same teacher. Either factor alone is won by a network that does nothing
else. Both are asked of the calibrated row where there is one: without an offset, a network trained on new classes
alone calls everything new, and the first factor would be 1 whatever was learned.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from pnc.base.errors import bad
from pnc.base.evaluate import accuracy, predict
from pnc.cloning.calibration import strangers
from pnc.methods._calibrate import CALIBRATED
from pnc.methods._ensemble import calibrated_ensemble
from pnc.methods._registry import Method, MethodTask, Rows

GRID = "grid"
STRANGERS = 512


@dataclass(frozen=True)
class Choice:
    """``settings`` to run a method with, and what was ``chosen`` of the grid: values by dotted key."""

    settings: Mapping[str, Any]
    chosen: Mapping[str, Any]


def choose(method: Method, task: MethodTask, settings: Mapping[str, Any]) -> Choice:
    """The best of ``settings["grid"]``, which has a list of values for some of the settings; the first of equals.

    Without a grid ``settings`` are taken as they are. Raises PncError for a grid that is none.
    """
    fixed = {key: value for key, value in settings.items() if key != GRID}
    tried = _combinations(method.name, settings.get(GRID, {}))
    if len(tried) == 1:
        return Choice(_with(fixed, tried[0]), tried[0])
    values = []
    for number, each in enumerate(tried):
        saved = None if task.checkpoint is None else task.checkpoint.of(f"try{number}")
        values.append(criterion(method.run(replace(task, checkpoint=saved), _with(fixed, each)), task))
    best = tried[values.index(max(values))]
    return Choice(_with(fixed, best), best)


def criterion(rows: Rows, task: MethodTask) -> float:
    """What ``choose`` maximises, from 0 to 1: see above."""
    network: nn.Module = rows.get(CALIBRATED, rows[""]).old
    new, old = task.clone.held_out, task.clone.rehearsal_held_out
    learned = accuracy(predict(network, new.pixels), new.labels + task.old_classes) / 100
    if task.regime == "rehearsal" and old is not None:
        kept, classes = accuracy(predict(network, old.pixels), old.labels) / 100, len(task.clone.classes)
        return (learned * classes + kept * task.old_classes) / (classes + task.old_classes)
    strange = strangers(new.take(torch.arange(STRANGERS) % len(new)), task.seed).pixels
    teacher = calibrated_ensemble(task)
    return learned * accuracy(predict(network, strange), predict(teacher, strange).argmax(1)) / 100


def _combinations(name: str, grid: Any) -> list[dict[str, Any]]:
    """Every one of the grid's, by dotted key."""
    if not isinstance(grid, Mapping):
        raise bad(f"{name}.{GRID}", expected="lists of values by name", found=repr(grid))
    listed = dict(_lists(f"{name}.{GRID}", "", grid))
    return [dict(zip(listed, values, strict=True)) for values in itertools.product(*listed.values())]


def _lists(where: str, outer: str, grid: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    for key, values in grid.items():
        if isinstance(values, Mapping):
            yield from _lists(where, f"{outer}{key}.", values)
        elif isinstance(values, list) and values:
            yield f"{outer}{key}", values
        else:
            raise bad(f"{where}.{outer}{key}", expected="a list of values", found=repr(values))


def _with(settings: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """``settings`` with ``values`` at their dotted keys."""
    result = dict(settings)
    for key, value in values.items():
        name, _, rest = key.partition(".")
        result[name] = _with(result.get(name, {}), {rest: value}) if rest else value
    return result
