"""What a network does to a picture before its first layer: colours, size, mean and deviation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from pnc.base.errors import bad

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
INTERPOLATIONS = ("bilinear", "bicubic")
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow makes grey pictures

Normalisation = tuple[Sequence[float], Sequence[float]] | Mapping[str, Any] | str | None
Size = tuple[int, int]


@dataclass(frozen=True)
class PreprocessSpec:
    """``mean`` and ``std`` of pixels in [0, 1] per channel; pictures are resized to ``size`` (None: as they come)."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: Size | None = None
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        if len(self.std) != len(self.mean) or not all(value > 0 for value in self.std):
            raise bad("std", expected=f"{len(self.mean)} positive numbers, one per channel", found=self.std)
        if self.size is not None and (len(self.size) != 2 or min(self.size) < 1):
            raise bad("size", expected="a positive height and width", found=self.size)
        if self.interpolation not in INTERPOLATIONS:
            raise bad("interpolation", expected=f"one of {', '.join(INTERPOLATIONS)}", found=self.interpolation)


def preprocess_spec(normalise: Normalisation, size: Size | int | None, channels: int) -> PreprocessSpec:
    """The preprocessing that the arguments of ``pnc.wrap`` ask for, of a network for ``channels`` channels.

    Raises PncError for statistics of another number of channels, or anything that is none.
    """
    config = _config(normalise, channels)
    mean, std = (tuple(float(value) for value in config[name]) for name in ("mean", "std"))
    if len(mean) != channels:
        raise bad("normalise", expected=f"a mean for each of {channels} channels", found=f"{len(mean)}")
    if size is None and "input_size" in config:
        _, height, width = config["input_size"]
        size = (height, width)
    pair = (size, size) if isinstance(size, int) else size
    return PreprocessSpec(mean, std, pair, config.get("interpolation", "bilinear"))


def _config(normalise: Normalisation, channels: int) -> Mapping[str, Any]:
    known = "(mean, std), 'imagenet', a dict with mean and std, or None"
    match normalise:
        case None:
            return {"mean": (0.0,) * channels, "std": (1.0,) * channels}
        case "imagenet":
            return IMAGENET
        case Mapping() if "mean" in normalise and "std" in normalise:
            return normalise
        case Mapping():
            raise bad("normalise", expected=known, found=f"a dict with {sorted(normalise)}")
        case (mean, std) if not isinstance(normalise, str):
            return {"mean": mean, "std": std}
    raise bad("normalise", expected=known, found=repr(normalise))


class Preprocess(nn.Module):
    """Pictures [N, 1 or 3, H, W] in [0, 1] → what the network was trained on: [N, channels, *size], (x − mean) / std.

    It is part of block 0, so that pictures of one set reach every network each in its own scale, and its buffers
    are part of the fingerprint.
    """

    mean: Tensor
    std: Tensor
    facts: Tensor

    def __init__(self, spec: PreprocessSpec) -> None:
        super().__init__()
        self.spec = spec
        for name, values in (("mean", spec.mean), ("std", spec.std)):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32).view(-1, 1, 1))
        facts = [*(spec.size or (0, 0)), INTERPOLATIONS.index(spec.interpolation)]
        self.register_buffer("facts", torch.tensor(facts))  # for the fingerprint alone

    def forward(self, x: Tensor) -> Tensor:
        x = fit_pictures(x, len(self.spec.mean), self.spec.size, self.spec.interpolation)
        return (x - self.mean) / self.std

    def extra_repr(self) -> str:
        return f"mean={self.spec.mean}, std={self.spec.std}, size={self.spec.size}"


@fx.wrap
def fit_pictures(x: Tensor, channels: int, size: Size | None, interpolation: str) -> Tensor:
    """``x`` [N, C, H, W] with ``channels`` channels and of ``size``; for torch.fx one operation, as it branches.

    Grey becomes RGB by repetition, RGB grey by ITU-R BT.601; a picture of another size is stretched, antialiased.
    Raises PncError for another number of channels.
    """
    if x.shape[1] != channels:
        if {x.shape[1], channels} != {1, 3}:
            raise bad("channels of the pictures", expected=channels, found=x.shape[1])
        x = x.expand(-1, 3, -1, -1) if channels == 3 else (x * x.new_tensor(LUMA).view(3, 1, 1)).sum(1, keepdim=True)
    if size is not None and tuple(x.shape[-2:]) != tuple(size):
        x = F.interpolate(x, tuple(size), mode=interpolation, antialias=True).clamp(0, 1)
    return x
