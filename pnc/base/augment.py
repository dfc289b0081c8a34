"""Random crop, flip and rotation of a whole batch in one resampling."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from pnc.base.errors import bad


@dataclass(frozen=True)
class Augmentation:
    """Random crop with a border of ``crop`` pixels, horizontal ``flip`` and ``rotation`` in degrees."""

    crop: int = 4
    flip: bool = True
    rotation: float = 15.0

    def __call__(self, pictures: Tensor, draws: torch.Generator) -> Tensor:
        return augment(pictures, draws, crop=self.crop, flip=self.flip, rotation=self.rotation)


def augment(
    pixels: Tensor, generator: torch.Generator, *, crop: int = 4, flip: bool = True, rotation: float = 15
) -> Tensor:
    """Pictures [N, C, H, W] (floats), each cropped, flipped and rotated by draws of its own.

    ``crop`` is the zero border in pixels from which an H × W window is cut, ``flip`` mirrors half of the
    pictures left to right, ``rotation`` is the largest angle in degrees either way. What comes in from outside
    is zero. All draws are from ``generator``; with everything off the pictures are returned as they are.
    Raises PncError for pictures of another type or shape, and for a negative crop or rotation.
    """
    if not pixels.is_floating_point() or pixels.dim() != 4:
        found = f"{pixels.dtype} {list(pixels.shape)}"
        raise bad("pictures to augment", expected="floats [N, C, H, W]", found=found)
    if crop < 0 or rotation < 0:
        raise bad("crop and rotation", expected="numbers from 0 up", found=f"{crop} and {rotation}")
    if not (crop or flip or rotation):
        return pixels
    draws = torch.rand(len(pixels), 4, generator=generator, device=generator.device).to(pixels.device)
    maps = _affine_maps(draws, crop, flip, rotation, height=pixels.shape[2], width=pixels.shape[3])
    grid = F.affine_grid(maps.to(pixels.dtype), list(pixels.shape), align_corners=False)
    mode = "bilinear" if rotation else "nearest"  # without rotation pixels move by whole steps
    return F.grid_sample(pixels, grid, mode=mode, padding_mode="zeros", align_corners=False)


def _affine_maps(draws: Tensor, crop: int, flip: bool, rotation: float, *, height: int, width: int) -> Tensor:
    """Maps [N, 2, 3] from output to input coordinates, both in [−1, 1], from ``draws`` [N, 4] in [0, 1).

    Each is p ↦ S⁻¹ Rot(angle) S Flip p + shift, where S scales to pixels, so that rectangles rotate unsheared.
    """
    angle = (2 * draws[:, 0] - 1) * math.radians(rotation)
    mirror = torch.where(draws[:, 1] < 0.5, -1.0, 1.0) if flip else torch.ones_like(angle)
    shift = torch.floor(draws[:, 2:] * (2 * crop + 1)) - crop
    cos, sin = angle.cos(), angle.sin()
    x_row = torch.stack([mirror * cos, -sin * height / width, 2 * shift[:, 0] / width], dim=1)
    y_row = torch.stack([mirror * sin * width / height, cos, 2 * shift[:, 1] / height], dim=1)
    return torch.stack([x_row, y_row], dim=1)
