"""Pictures made from the target alone: inputs that it is sure about, in place of the old pictures nobody may see.

DeepInversion (Yin et al. 2020, https://arxiv.org/abs/1912.08795): noise is changed until the network calls it the
class that was drawn for it, neighbouring pixels differ little, and every batch normalisation sees the statistics that
it keeps. A network without batch normalisation says less about its pictures, and what comes out looks like it.
"""

import copy
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pnc.base.errors import bad
from pnc.base.images import Images
from pnc.base.seeds import generator
from pnc.base.train import Schedule, fit
from pnc.methods._registry import MethodTask


@dataclass(frozen=True)
class Inversion:
    """``pictures`` of them, ``steps`` of Adam at ``rate`` on their logits before a sigmoid; ``smooth`` weighs the
    mean squared difference of neighbouring pixels, ``bn`` the distance to the batch statistics."""

    pictures: int
    steps: int
    rate: float
    smooth: float
    bn: float

    def __post_init__(self) -> None:
        for name in ("pictures", "steps", "rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise bad(name, expected="a positive number", found=getattr(self, name))
        for name in ("smooth", "bn"):
            if not 0 <= getattr(self, name) < math.inf:
                raise bad(name, expected="a number from 0 up", found=getattr(self, name))


class _Canvas(nn.Module):
    """Pictures in [0, 1] that can be learned."""

    def __init__(self, start: Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(start)

    def forward(self) -> Tensor:
        return self.logits.sigmoid()


def inverted(task: MethodTask, settings: Inversion) -> Images:
    """Pictures for each class of T_t in turn, with the target's labels."""
    network = copy.deepcopy(task.target).eval().requires_grad_(False)
    like, count = task.clone.samples.pixels, settings.pictures
    labels = (torch.arange(count) % task.old_classes).to(like.device)
    noise = torch.randn(count, *like.shape[1:], generator=generator(task.seed, "inversion"))
    canvas, misfits = _Canvas(noise.to(like.device)), list[Tensor]()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_pre_hook(lambda norm, entering: misfits.append(_misfit(norm, entering[0])))

    def loss(_: Tensor, __: torch.Generator) -> Tensor:
        misfits.clear()
        pictures = canvas()
        called = F.cross_entropy(network(pictures), labels)
        return called + settings.smooth * _roughness(pictures) + settings.bn * sum(misfits, torch.zeros_like(called))

    fit(
        canvas,
        canvas.parameters(),
        loss,
        count,
        Schedule(settings.steps, count, settings.rate),
        seed=task.seed,
        label="inversion",
        checkpoint=None if task.checkpoint is None else task.checkpoint.of("pictures"),
        progress=task.progress,
    )
    pixels = (canvas().detach() * 255).round().to(torch.uint8)
    return Images(pixels, labels, task.spec.class_names)


def _misfit(norm: nn.Module, entering: Tensor) -> Tensor:
    """Mean squared distance of a batch's means and deviations to those that ``norm`` keeps, in its deviations."""
    mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var") + 1e-5
    own_variance, own_mean = torch.var_mean(entering, (0, 2, 3), correction=0)
    moved = (own_mean - mean).square() / variance
    return (moved + ((own_variance + 1e-5).sqrt() / variance.sqrt() - 1).square()).mean()


def _roughness(pictures: Tensor) -> Tensor:
    across, down = pictures.diff(dim=3), pictures.diff(dim=2)
    return across.square().mean() + down.square().mean()
