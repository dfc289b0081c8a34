"""The neighbourhood b · x of a picture, and the weights Π_b (main paper 3.2; supplement Eqs. 2 and 3)."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from pnc.base.errors import bad
from pnc.base.seeds import generator

Kernel = Literal["lime", "literal"]
Weighting = Literal["both", "answers"]


@dataclass(frozen=True)
class Neighbourhood:
    """``grid`` × ``grid`` patches (H), ``masks`` random masks (|B|), kernel width ``sigma``.

    ``kernel`` "lime" is √exp(−(1 − cos(b, 1))² / σ²), which falls with the distance from the picture;
    "literal" is the supplement's Eq. 3, exp(−√(cos(b, 1) / σ²)), which grows with it. ``weighting`` "both" puts Π
    on masks and answers, as least squares weighted by Π has it; "answers" on Y alone, the supplement's Eq. 4.
    """

    grid: int = 4
    masks: int = 40
    sigma: float = 0.25
    kernel: Kernel = "lime"
    weighting: Weighting = "both"

    def __post_init__(self) -> None:
        for name, choices in (("kernel", get_args(Kernel)), ("weighting", get_args(Weighting))):
            if getattr(self, name) not in choices:
                raise bad(name, expected=f"one of {', '.join(choices)}", found=repr(getattr(self, name)))
        for name, value in (("grid", self.grid), ("masks", self.masks), ("sigma", self.sigma)):
            if value <= 0:
                raise bad(name, expected="a positive number", found=value)

    def draw(self, seed: int) -> Tensor:
        """The shared mask set B, [masks, grid²] of 0 and 1."""
        shape = (self.masks, self.grid**2)
        return torch.randint(0, 2, shape, generator=generator(seed, "B")).float()

    def weights(self, masks: Tensor) -> Tensor:
        """Π [masks] of B [masks, grid²]. cos(b, 1) = √(share of patches kept)."""
        cosine = masks.mean(dim=1).sqrt()
        if self.kernel == "literal":
            return torch.exp(-(cosine / self.sigma**2).sqrt())
        return torch.exp(-((1 - cosine) ** 2) / self.sigma**2).sqrt()


def perturb(pictures: Tensor, masks: Tensor) -> Tensor:
    """b · x: patches with b = 0 take their own mean colour (supplement, Eq. 2).

    ``pictures`` [N, C, H, W] and ``masks`` [N, grid²], one mask per picture; returns [N, C, H, W].
    Raises PncError when the grid does not divide the picture.
    """
    grid = math.isqrt(masks.shape[1])
    size = pictures.shape[-2:]
    if size[0] % grid or size[1] % grid:
        raise bad("picture size", expected=f"a multiple of the {grid}×{grid} grid", found=f"{size[0]}×{size[1]}")
    means = enlarge(F.adaptive_avg_pool2d(pictures, grid), size)
    kept = enlarge(masks.view(-1, 1, grid, grid).to(pictures), size)
    return torch.lerp(means, pictures, kept)


def enlarge(patches: Tensor, size: torch.Size) -> Tensor:
    """One value per patch, [N, C, g, g], as pictures [N, C, *size] of patches in one colour."""
    *leading, rows, columns = patches.shape
    if size[0] % rows or size[1] % columns:
        return F.interpolate(patches, size=size, mode="nearest")
    # Four times as fast on a CPU as interpolation, which looks up every pixel.
    height, width = size[0] // rows, size[1] // columns
    repeated = patches[..., :, None, :, None].expand(*leading, rows, height, columns, width)
    return repeated.reshape(*leading, *size)
