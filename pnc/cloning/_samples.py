"""Samples as Images: from batches of any kind, with labels that mean what they say."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from pnc.base.errors import bad
from pnc.base.images import Images, as_uint8

Samples = Images | Iterable[tuple[Tensor, Tensor]]


def as_images(samples: Samples, classes: Mapping[int, str], what: str, device: torch.device) -> Images:
    """``samples`` on ``device`` as Images whose labels are positions in ``classes``."""
    pixels, labels = (samples.pixels, samples.labels) if isinstance(samples, Images) else _gather(samples, what)
    wanted = torch.tensor(list(classes), dtype=torch.int64)
    if strangers := sorted(set(labels.unique().tolist()) - set(classes)):
        raise bad(f"labels of {what}", expected=f"classes out of {list(classes)}", found=strangers)
    if missing := sorted(set(classes) - set(labels.unique().tolist())):
        raise bad(what, expected=f"pictures of each class out of {list(classes)}", found=f"none of {missing}")
    positions = (labels.cpu().unsqueeze(1) == wanted).int().argmax(dim=1)
    return Images(pixels.to(device), positions.to(device), tuple(classes.values()))


def _gather(batches: Iterable[tuple[Tensor, Tensor]], what: str) -> tuple[Tensor, Tensor]:
    if not isinstance(batches, Iterable):
        raise bad(what, expected="Images, or batches of (pictures, labels)", found=type(batches).__name__)
    parts = [_batch(item, what) for item in batches]
    if not parts:
        raise bad(what, expected="at least one batch of (pictures, labels)", found="none")
    pixels, labels = zip(*parts, strict=True)
    if len(shapes := sorted({tuple(part.shape[1:]) for part in pixels})) > 1:
        raise bad(f"pictures of {what}", expected="one size", found=shapes)
    return torch.cat(pixels), torch.cat(labels)


def _batch(item: object, what: str) -> tuple[Tensor, Tensor]:
    match item:
        case [Tensor() as pictures, Tensor() as labels] if pictures.dim() == 4 and labels.shape == pictures.shape[:1]:
            return _as_pixels(pictures, what), _as_numbers(labels, what)
    parts = item if isinstance(item, list | tuple) else [item]
    found = [list(part.shape) if isinstance(part, Tensor) else type(part).__name__ for part in parts]
    raise bad(what, expected="batches of pictures [n, C, H, W] and labels [n]", found=found)


def _as_numbers(labels: Tensor, what: str) -> Tensor:
    if labels.is_floating_point() and len(broken := labels[labels != labels.round()]):
        raise bad(f"labels of {what}", expected="whole numbers, one class each", found=f"{float(broken[0]):g}")
    return labels.long()


def _as_pixels(pictures: Tensor, what: str) -> Tensor:
    if pictures.dtype == torch.uint8:
        return pictures
    expected = "uint8, or floats in [0, 1]"
    if not pictures.is_floating_point():
        raise bad(f"pixels of {what}", expected=expected, found=pictures.dtype)
    if pictures.numel() and not (pictures.min() >= 0 and pictures.max() <= 1):
        found = f"floats in [{float(pictures.min()):g}, {float(pictures.max()):g}]"
        raise bad(f"pixels of {what}", expected=expected, found=found)
    return as_uint8(pictures)
