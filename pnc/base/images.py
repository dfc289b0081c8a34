"""Labelled pictures in memory: decoded once, kept as uint8, on whichever device they are needed."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from pnc.base.errors import bad

RESIZE_CHUNK = 4096  # pictures that are in memory as floats at one time


@dataclass(frozen=True, eq=False)
class Images:
    """N pictures with their labels.

    ``pixels`` is uint8 [N, C, H, W] with C = 1 (grey) or 3 (RGB), ``labels`` int64 [N] on the same device;
    label k stands for ``class_names[k]``. Raises PncError if they do not fit together.
    """

    pixels: Tensor
    labels: Tensor
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_tensors(self.pixels, self.labels)
        _check_names(self.class_names)
        outside = ((self.labels < 0) | (self.labels >= len(self.class_names))).nonzero()
        if len(outside):
            row = int(outside[0])
            expected = f"0 to {len(self.class_names) - 1}, one for each class name"
            raise bad(f"label of row {row}", expected=expected, found=int(self.labels[row]))

    def __len__(self) -> int:
        """N, the number of pictures."""
        return len(self.labels)

    @property
    def channels(self) -> int:
        return self.pixels.shape[1]

    def take(self, indices: Tensor | Sequence[int]) -> "Images":
        """The pictures at ``indices``, in that order. Raises PncError for an index that is not there."""
        chosen = _as_indices(indices).to(self.labels.device)
        outside = chosen[(chosen < 0) | (chosen >= len(self))]
        if len(outside):
            raise bad("index of a picture", expected=f"0 to {len(self) - 1}", found=int(outside[0]))
        return Images(self.pixels[chosen], self.labels[chosen], self.class_names)

    def of_classes(self, classes: Sequence[int]) -> "Images":
        """The pictures of ``classes``, labels and names as they were. Raises PncError for a class not there."""
        self._check_classes(classes)
        wanted = torch.tensor(classes, dtype=torch.int64, device=self.labels.device)
        return self.take(torch.isin(self.labels, wanted).nonzero().flatten())

    def relabelled(self, classes: Sequence[int]) -> "Images":
        """The pictures of ``classes``, labelled and named by their position there. Raises as ``of_classes``."""
        kept = self.of_classes(classes)
        position = torch.full((len(self.class_names),), -1, dtype=torch.int64)
        position[list(classes)] = torch.arange(len(classes))
        names = tuple(self.class_names[c] for c in classes)
        return Images(kept.pixels, position.to(kept.labels.device)[kept.labels], names)

    def to(self, device: torch.device | str) -> "Images":
        return Images(self.pixels.to(device), self.labels.to(device), self.class_names)

    def resized(self, size: int) -> "Images":
        """Pictures of ``size`` × ``size`` pixels, see ``resize``."""
        return Images(resize(self.pixels, size), self.labels, self.class_names)

    def with_channels(self, channels: int) -> "Images":
        """Grey pictures as RGB for ``channels`` = 3. Raises PncError where colour would be lost."""
        if channels == self.channels:
            return self
        if (self.channels, channels) != (1, 3):
            raise bad("channels of the pictures", expected=channels, found=self.channels)
        return Images(self.pixels.repeat(1, 3, 1, 1), self.labels, self.class_names)

    def mean_std(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of pixels / 255 in each channel, from exact sums.

        Raises PncError for no pictures, or for a channel that is the same everywhere.
        """
        if not len(self):
            raise bad("pictures to take mean and deviation of", expected="at least one", found="none")
        moments = [_moments(self.pixels[:, channel]) for channel in range(self.channels)]
        means, stds = zip(*moments, strict=True)
        if min(stds) == 0:
            raise bad("standard deviation of a channel", expected="a positive number", found=0)
        return means, stds

    def sha256(self) -> str:
        """Hex SHA-256 over pixels, labels and names. It ignores the device."""
        digest = hashlib.sha256(repr((tuple(self.pixels.shape), self.class_names)).encode())
        for tensor in (self.pixels, self.labels):
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def _check_classes(self, classes: Sequence[int]) -> None:
        if not classes or len(set(classes)) < len(classes):
            raise bad("classes to choose", expected="different ones, at least one", found=list(classes))
        there = set(self.labels.unique().tolist())
        for chosen in classes:
            if chosen not in there:
                raise bad("class to choose", expected=f"one of {sorted(there)} that have pictures", found=chosen)


def as_float(pixels: Tensor) -> Tensor:
    """uint8 pixels as float32 in [0, 1]; any shape. Raises PncError for another type."""
    if pixels.dtype != torch.uint8:
        raise bad("type of the pixels", expected=torch.uint8, found=pixels.dtype)
    return pixels.float() / 255


def as_uint8(pictures: Tensor) -> Tensor:
    """Floats in [0, 1] as uint8 pixels, what ``as_float`` came from; what lies outside is cut off."""
    return (pictures * 255).round().clamp(0, 255).to(torch.uint8)


def resize(pixels: Tensor, size: int) -> Tensor:
    """uint8 pictures [N, C, H, W] as [N, C, size, size].

    Square pictures exactly 4 pixels short get a border of zeros, as is usual for LeNet-5 on 28×28 digits; all
    others are scaled bilinearly with antialiasing (a rectangle is stretched). Raises PncError for size < 1.
    """
    if size < 1:
        raise bad("size of the pictures", expected="a positive number of pixels", found=size)
    shape = tuple(pixels.shape[-2:])
    if shape == (size, size):
        return pixels
    if shape == (size - 4, size - 4):
        return F.pad(pixels, (2, 2, 2, 2))
    return torch.cat([_scale(part, size) for part in pixels.split(RESIZE_CHUNK)])


def _scale(pixels: Tensor, size: int) -> Tensor:
    scaled = F.interpolate(pixels.float(), (size, size), mode="bilinear", antialias=True)
    return scaled.round().clamp(0, 255).to(torch.uint8)


def _moments(pixels: Tensor) -> tuple[float, float]:
    """Mean and standard deviation of pixels / 255, from the counts of the 256 values."""
    counts = [int(count) for count in torch.bincount(pixels.flatten(), minlength=256)]
    total = sum(counts)
    first = sum(value * count for value, count in enumerate(counts))
    second = sum(value * value * count for value, count in enumerate(counts))
    return first / total / 255, math.sqrt(second * total - first * first) / total / 255


def _as_indices(indices: Tensor | Sequence[int]) -> Tensor:
    if not isinstance(indices, Tensor):
        return torch.tensor(indices, dtype=torch.int64)
    if indices.dtype != torch.int64 or indices.dim() != 1:
        raise bad("indices", expected="int64 [n]", found=f"{indices.dtype} {list(indices.shape)}")
    return indices


def _check_tensors(pixels: Tensor, labels: Tensor) -> None:
    found = f"{pixels.dtype} {list(pixels.shape)}"
    if pixels.dtype != torch.uint8 or pixels.dim() != 4 or pixels.shape[1] not in (1, 3):
        raise bad("pixels", expected="torch.uint8 [N, 1 or 3, H, W]", found=found)
    if 0 in pixels.shape[2:]:
        raise bad("pixels", expected="a height and width of at least 1", found=found)
    if labels.dtype != torch.int64 or labels.shape != pixels.shape[:1]:
        found = f"{labels.dtype} {list(labels.shape)}"
        raise bad("labels", expected=f"torch.int64 [{len(pixels)}], one for each picture", found=found)
    if labels.device != pixels.device:
        raise bad("device of the labels", expected=pixels.device, found=labels.device)


def _check_names(names: tuple[str, ...]) -> None:
    if not isinstance(names, tuple) or not all(isinstance(name, str) and name for name in names):
        raise bad("class names", expected="a tuple of names that are not empty", found=repr(names))
    if not names or len(set(names)) < len(names):
        raise bad("class names", expected="different ones, at least one", found=repr(names))
