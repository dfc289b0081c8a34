"""The choice of a learner's settings from a small grid, on held-out pictures: never on test data.

What is maximised is the mean over a trial's steps of the accuracy on held-out pictures of all classes so far, each
class weighing the same. A strict learner may not be shown an old picture: of the target's own classes none are held
out for it, and the accuracy on those of the steps is multiplied with the share of them that the learner's logits of
the target's classes, taken alone, still answer as the target does. The first says what was learned, the second falls
when the network forgets.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import nn

from pnc.base.errors import bad
from pnc.base.evaluate import predict
from pnc.base.images import Images
from pnc.incremental._course import Course
from pnc.incremental._registry import Learner

GRID = "grid"


@dataclass(frozen=True)
class Choice:
    """``settings`` to run a learner with, and what was ``chosen`` of the grid: values by dotted key.

    ``course`` is that of the trial which was chosen: where it keeps checkpoints, nothing is trained again in it.
    """

    settings: Mapping[str, Any]
    chosen: Mapping[str, Any]
    course: Course = field(compare=False, repr=False)


def choose(
    learner: Learner,
    course: Course,
    settings: Mapping[str, Any],
    held_out: Sequence[Images],
    own: Images | None,
    *,
    steps: int | None = None,
) -> Choice:
    """The best of ``settings["grid"]``, which has a list of values for some of the settings; the first of equals.

    ``held_out`` are pictures of each step, ``own`` of the target's own classes, both labelled as in ``course``.
    ``steps``: a trial takes only so many (None: all), as whoever learns step by step knows no later ones yet.
    Without a grid ``settings`` are taken as they are. Raises PncError for a grid that is none.
    """
    fixed = {key: value for key, value in settings.items() if key != GRID}
    tried = list(_combinations(f"{learner.name}.{GRID}", settings.get(GRID, {})))
    if len(tried) == 1:
        return Choice(_with(fixed, tried[0]), tried[0], course)
    seen = own if learner.regime == "rehearsal" else None
    choices = [
        Choice(_with(fixed, each), each, replace(course, checkpoint=course.part(f"try{number}")))
        for number, each in enumerate(tried)
    ]
    trials = (itertools.islice(learner.run(each.course, each.settings), steps) for each in choices)
    values = [criterion(models, course, held_out, seen) for models in trials]
    return choices[values.index(max(values))]


def criterion(models: Iterator[nn.Module], course: Course, held_out: Sequence[Images], own: Images | None) -> float:
    """What ``choose`` maximises, from 0 to 1; without pictures of the target's ``own`` classes the strict one."""
    found = []
    for number, model in enumerate(models, start=1):
        parts = held_out[:number] if own is None else [own, *held_out[:number]]
        right = [share for images in parts for share in _right(model, images)]
        found.append(sum(right) / len(right) * (_kept(model, course, parts) if own is None else 1))
    return sum(found) / len(found)


def _right(model: nn.Module, images: Images) -> Iterator[float]:
    """The share of each class's pictures that are answered right."""
    answers = predict(model, images.pixels).argmax(1)
    for label in images.labels.unique().tolist():
        yield float((answers[images.labels == label] == label).double().mean())


def _kept(model: nn.Module, course: Course, parts: Sequence[Images]) -> float:
    """The share of pictures on which ``model``, asked about the target's classes alone, answers as the target."""
    target, old = course.start(), course.target.classes
    same = [
        (predict(model, images.pixels)[:, :old].argmax(1) == predict(target, images.pixels).argmax(1)).double()
        for images in parts
    ]
    return float(sum(each.sum() for each in same)) / sum(map(len, parts))


def _combinations(where: str, grid: Any) -> Iterator[dict[str, Any]]:
    """Every one of the grid's, by dotted key."""
    if not isinstance(grid, Mapping):
        raise bad(where, expected="lists of values by name", found=repr(grid))
    listed = dict(_lists(where, "", grid))
    return (dict(zip(listed, values, strict=True)) for values in itertools.product(*listed.values()))


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
