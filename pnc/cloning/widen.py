"""A widened neighbourhood: varied pictures made from D_t alone, for which the source is asked for the answer.

The local models know the source only at b · x. Away from D_t the clone must go on answering as the source
would, old classes' pictures included, so it is also distilled on what D_t can be turned into: turned, scaled and
sheared pictures, patches of several pictures put together, patches averaged at varied rates.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from pnc.cloning.local.neighbourhood import enlarge

GRIDS = (2, 4, 8)


def widen(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """One new picture for each of ``pictures`` [N, C, H, W], values in [0, 1]. Every draw is the generator's."""
    warped = _warp(pictures, generator)
    mixed = _mix(warped, warped[_permutation(len(pictures), generator)], generator)
    return _average_patches(mixed, generator)


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return torch.rand(count, generator=generator) * (high - low) + low


def _permutation(count: int, generator: torch.Generator) -> Tensor:
    return torch.randperm(count, generator=generator)


def _warp(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Per picture: a small or a free rotation, scale, shear, shift, and a mirror image for a quarter of them."""
    count = len(pictures)
    small = _uniform(count, -math.pi / 12, math.pi / 12, generator)
    free = _uniform(count, -math.pi, math.pi, generator)
    angle = torch.where(_uniform(count, 0, 1, generator) < 0.5, small, free)
    mirror = torch.where(_uniform(count, 0, 1, generator) < 0.25, -1.0, 1.0)
    scale = torch.exp(_uniform(count, -0.35, 0.35, generator))
    shear = _uniform(count, -0.3, 0.3, generator)
    shift = [_uniform(count, -0.25, 0.25, generator) for _ in range(2)]
    cos, sin = angle.cos() * scale, angle.sin() * scale
    rows = [mirror * cos, -sin + shear * cos, shift[0], mirror * sin, cos + shear * sin, shift[1]]
    theta = torch.stack(rows, dim=1).view(-1, 2, 3).to(pictures)
    grid = F.affine_grid(theta, list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid, align_corners=False)


def _patch_choice(pictures: Tensor, generator: torch.Generator, rates: Tensor) -> Tensor:
    """A 0/1 map [N, 1, H, W] of patches, 1 with each picture's own rate, on one grid drawn for the batch."""
    grid = GRIDS[int(torch.randint(len(GRIDS), (1,), generator=generator))]
    draws = torch.rand(len(pictures), 1, grid, grid, generator=generator)
    chosen = (draws < rates.view(-1, 1, 1, 1)).to(pictures)
    return enlarge(chosen, pictures.shape[-2:])


def _mix(pictures: Tensor, others: Tensor, generator: torch.Generator) -> Tensor:
    """Half of the pictures take some of their patches from another one."""
    rates = _uniform(len(pictures), -0.5, 0.5, generator).clamp_min(0)
    return torch.lerp(pictures, others, _patch_choice(pictures, generator, rates))


def _average_patches(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Half of the pictures have some of their patches replaced by the patch's mean colour."""
    rates = _uniform(len(pictures), -0.6, 0.6, generator).clamp_min(0)
    chosen = _patch_choice(pictures, generator, rates)
    small = F.adaptive_avg_pool2d(pictures, GRIDS[-1])
    return torch.lerp(pictures, enlarge(small, pictures.shape[-2:]), chosen)
