"""G: one small linear model per picture, standing for the source around that picture (Eq. 4; supplement Eq. 4).

B and Π are the same for every picture, so θ_i = (BᵀΠB + λI)⁻¹ BᵀΠ Y_i needs one factorisation for all of them:
after the forward passes the whole fit is a matrix product.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from pnc.arch import BlockNet
from pnc.arch.twin import Twin
from pnc.base.errors import bad
from pnc.base.images import as_float
from pnc.base.precision import Precision
from pnc.base.progress import track
from pnc.base.tensors import read_tensors, write_tensors
from pnc.cloning.local.neighbourhood import Neighbourhood, perturb
from pnc.cloning.local.passes import at_once, embedded


@dataclass(frozen=True)
class LocalModels:
    """G = {g_i}: ``theta`` [N, grid² + 1, C] (the last row is the intercept) over ``masks`` B [|B|, grid²].

    ``of`` [N] says which pictures of D_t they stand for, in ascending order: not every picture needs one (p. 4).
    """

    theta: Tensor
    masks: Tensor
    of: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))

    def __post_init__(self) -> None:
        if not len(self.of):
            object.__setattr__(self, "of", torch.arange(len(self.theta), device=self.theta.device))
        if len(self.of) != len(self.theta):
            raise bad("pictures of the local models", expected=len(self.theta), found=len(self.of))

    def __len__(self) -> int:
        return len(self.theta)

    def slice(self, start: int, stop: int) -> "LocalModels":
        """Those of pictures start…stop−1, counted from ``start``. Raises PncError if there are none."""
        chosen = (self.of >= start) & (self.of < stop)
        if not chosen.any():
            raise bad("local models G", expected=f"some of pictures {start}…{stop - 1}", found="none")
        return LocalModels(self.theta[chosen], self.masks, self.of[chosen] - start)

    def among(self, pictures: Tensor) -> "LocalModels":
        """Those of ``pictures`` (values of ``of``), counted by their place there. Raises as ``slice``."""
        place = {picture: index for index, picture in enumerate(pictures.tolist())}
        found = sorted((place[of], row) for row, of in enumerate(self.of.tolist()) if of in place)
        if not found:
            raise bad("local models G", expected="some of the pictures", found="none")
        of, rows = (torch.tensor(part, device=self.theta.device) for part in zip(*found, strict=True))
        return LocalModels(self.theta[rows], self.masks, of)

    def predict(self, models: Tensor, masks: Tensor) -> Tensor:
        """g_i(b) [n, C] for indices i of models [n] and mask indices b [n]."""
        theta, design = self.theta[models], _design(self.masks[masks])
        return torch.einsum("nm,nmc->nc", design, theta)

    def to(self, device: torch.device | str) -> "LocalModels":
        return LocalModels(self.theta.to(device), self.masks.to(device), self.of.to(device))

    def save(self, path: str | Path) -> None:
        write_tensors(path, {"theta": self.theta, "masks": self.masks.to(torch.uint8), "of": self.of})

    @staticmethod
    def load(path: str | Path) -> "LocalModels":
        tensors, _ = read_tensors(path)
        if set(tensors) != {"theta", "masks", "of"}:
            raise bad(str(path), expected="local models (theta, masks, of)", found=sorted(tensors))
        return LocalModels(tensors["theta"], tensors["masks"].float(), tensors["of"])


@torch.no_grad()
def fit_local_models(
    network: BlockNet,
    pixels: Tensor,
    neighbourhood: Neighbourhood,
    *,
    seed: int,
    ridge: float = 1e-3,
    batch: int = 1000,
    of: Tensor | None = None,
    precision: Precision = "fp32",
    progress: bool = False,
) -> LocalModels:
    """Fit g_i for every picture of ``pixels`` (uint8 [N, C, H, W]) against the logits of ``network``.

    ``ridge`` is λ, the strength of Ω(g_i); the intercept is not penalised. ``batch`` counts perturbed pictures; fewer
    pass at a time where they are large. ``of`` names the pictures (default: 0…N−1). ``precision`` is the arithmetic
    of the network's passes.
    Raises PncError for no pictures, or a grid that does not divide them.
    """
    if len(pixels) == 0:
        raise bad("pictures for the local models", expected="at least one", found="none")
    masks, twin = neighbourhood.draw(seed).to(pixels.device), cast(BlockNet, Twin(network).module)
    projection = _projection(masks, neighbourhood, ridge)
    parts = pixels.split(max(1, at_once(twin, pixels, batch) // len(masks)))
    answers = (_answers(twin, as_float(part), masks, precision) for part in track(parts, "local models", progress))
    thetas = [torch.einsum("mb,nbc->nmc", projection, answer.float()) for answer in answers]
    named = torch.arange(len(pixels)) if of is None else of
    return LocalModels(torch.cat(thetas), masks, named.to(pixels.device))


def _answers(network: BlockNet, pictures: Tensor, masks: Tensor, precision: Precision) -> Tensor:
    """M_s(b · x) for every picture and mask: [n, |B|, C]."""
    repeated = pictures.repeat_interleave(len(masks), dim=0)
    answers = network.head(embedded(network, perturb(repeated, masks.repeat(len(pictures), 1)), precision))
    return answers.view(len(pictures), len(masks), -1)


def _projection(masks: Tensor, neighbourhood: Neighbourhood, ridge: float) -> Tensor:
    """(BᵀΠB + λI)⁻¹BᵀΠ [grid² + 1, |B|]: the one matrix that turns any picture's answers into its θ."""
    design, weights = _design(masks).double(), neighbourhood.weights(masks).double()
    penalty = torch.full((design.shape[1],), float(ridge), dtype=torch.float64, device=design.device)
    penalty[-1] = 0.0
    weighted = design.T * weights
    # The pseudo-inverse: with few masks, or λ = 0, the normal equations may be singular.
    normal = (weighted if neighbourhood.weighting == "both" else design.T) @ design + torch.diag(penalty)
    return (torch.linalg.pinv(normal, hermitian=True) @ weighted).float()


def _design(masks: Tensor) -> Tensor:
    """Masks with a column of ones for the intercept."""
    return torch.cat([masks, masks.new_ones(len(masks), 1)], dim=1)
