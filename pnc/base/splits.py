"""Which classes and which pictures: every choice is stratified and repeatable."""

import torch
from torch import Tensor

from pnc.base.errors import bad
from pnc.base.images import Images
from pnc.base.seeds import generator


def fraction(images: Images, share: float, seed: int, *purpose: object) -> Images:
    """``share`` of every class's pictures, at least one, in their old order.

    For the same seed and purpose a smaller share is contained in a larger one, and a class's choice does not
    depend on which other classes there are. Raises PncError unless 0 < share <= 1.
    """
    return images.take(fraction_rows(images, share, seed, *purpose))


def fraction_rows(images: Images, share: float, seed: int, *purpose: object) -> Tensor:
    """The rows that ``fraction`` takes, in ascending order."""
    if not 0 < share <= 1:
        raise bad("share of the pictures", expected="a number in (0, 1]", found=share)
    shuffled = _shuffled_classes(images, seed, "fraction", *purpose)
    return _merged([rows[: max(1, round(share * len(rows)))] for rows in shuffled.values()])


def holdout(images: Images, share: float, seed: int, *purpose: object) -> tuple[Images, Images]:
    """(rest, held out): ``share`` of every class's pictures held out, both in their old order.

    Every class is in both parts. Raises PncError unless 0 < share < 1, or for a class of one picture.
    """
    rest, held = holdout_rows(images, share, seed, *purpose)
    return images.take(rest), images.take(held)


def holdout_rows(images: Images, share: float, seed: int, *purpose: object) -> tuple[Tensor, Tensor]:
    """The rows of both parts of ``holdout``, in ascending order."""
    if not 0 < share < 1:
        raise bad("share to hold out", expected="a number in (0, 1)", found=share)
    rest, held = [], []
    for name, rows in _shuffled_classes(images, seed, "holdout", *purpose).items():
        if len(rows) < 2:
            raise bad(f"pictures of class '{name}' to hold some out of", expected="at least two", found=len(rows))
        count = min(max(1, round(share * len(rows))), len(rows) - 1)
        held.append(rows[:count])
        rest.append(rows[count:])
    return _merged(rest), _merged(held)


def _shuffled_classes(images: Images, seed: int, *purpose: object) -> dict[str, Tensor]:
    """The rows of each class that has any, shuffled, by the class's name: one generator for each class."""
    shuffled = {}
    labels = images.labels.cpu()
    for label in labels.unique().tolist():
        name = images.class_names[label]
        rows = (labels == label).nonzero().flatten()
        shuffled[name] = rows[torch.randperm(len(rows), generator=generator(seed, *purpose, name))]
    return shuffled


def _merged(parts: list[Tensor]) -> Tensor:
    return torch.cat(parts).sort().values if parts else torch.empty(0, dtype=torch.int64)
