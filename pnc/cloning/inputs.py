"""What a clone is taught on: pictures that are drawn once, and what the two frozen networks make of them.

Neither network learns, so every picture passes them once, whatever is learned about it and however often.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pnc.arch import BlockNet
from pnc.base.images import Images, as_float, as_uint8
from pnc.base.precision import Precision, arithmetic
from pnc.cloning.local.local_models import LocalModels
from pnc.cloning.local.neighbourhood import perturb
from pnc.cloning.local.passes import at_once, embedded, passes
from pnc.cloning.settings import CloneSettings
from pnc.cloning.task import CloneTask
from pnc.cloning.widen import widen

BATCH = 250
SHARE = 4  # inputs of L_ins for each one of L_loc, whose passes through the masked source are on top
CACHE = 2**30  # bytes of features that are kept rather than computed again


@dataclass(frozen=True)
class Inputs:
    """``pixels`` uint8 [n, C, H, W], made from pictures with ``labels`` [n]; all else is what they are answered with.

    ``embedding`` [n, d_t] and ``old`` [n, |T_t|] are the target's; ``answers`` [n, C] the source's logits, or its
    local models'. ``labels`` count T_s from 0, or T_t from −|T_t|.
    """

    pixels: Tensor
    labels: Tensor
    embedding: Tensor
    old: Tensor
    answers: Tensor

    def __len__(self) -> int:
        return len(self.pixels)


@dataclass(frozen=True)
class Near:
    """b · x: ``pixels`` uint8 [n, C, H, W] and g_i(b), their local models' ``answers`` [n, C]."""

    pixels: Tensor
    labels: Tensor
    answers: Tensor

    def __len__(self) -> int:
        return len(self.pixels)


def taught(
    task: CloneTask, images: Images, near: Near, count: int, settings: CloneSettings, draws: torch.Generator
) -> Inputs:
    """What L_ins is distilled on: ``near``, or ``count`` widened pictures of ``images``, answered by the source."""
    if settings.inputs == "neighbourhood":
        return _answered(task, near.pixels, near.labels, settings.precision, near.answers)
    chosen = rows(len(images), count, draws)
    pixels = _drawn(images.pixels, chosen, lambda pictures: widen(pictures, draws))
    return _answered(task, pixels, images.labels[chosen], settings.precision)


def near(images: Images, local: LocalModels, count: int, draws: torch.Generator) -> Near:
    """``count`` pictures around those of ``images`` that have a local model, and what it says."""
    models = rows(len(local), count, draws)
    masks = torch.randint(len(local.masks), (count,), generator=draws)
    chosen = local.of[models]
    parts = [
        as_uint8(perturb(as_float(images.pixels[chosen[part]]), local.masks[masks[part]]))
        for part in torch.arange(count).split(BATCH)
    ]
    return Near(torch.cat(parts), images.labels[chosen], local.predict(models, masks))


def rehearsed(
    task: CloneTask, new: Images, old: Images, count: int, settings: CloneSettings, draws: torch.Generator
) -> Inputs:
    """``count`` views of pictures of D_t ∪ D_o, each as often as any other."""
    both, labels = torch.cat([new.pixels, old.pixels]), torch.cat([new.labels, old.labels - task.target.classes])
    chosen = rows(len(both), count, draws)
    pixels = _drawn(both, chosen, lambda pictures: settings.rehearsal.augmentation(pictures, draws))
    return _answered(task, pixels, labels[chosen], settings.precision)


def rows(pictures: int, count: int, draws: torch.Generator) -> Tensor:
    """``count`` indices of ``pictures`` in random order, each as often as any other, give or take one."""
    return torch.randperm(pictures, generator=draws).repeat(-(-count // pictures))[:count]


def features(
    network: BlockNet, pixels: Tensor, position: int, precision: Precision = "fp32"
) -> Callable[[Tensor], Tensor]:
    """From indices of ``pixels`` to the features that enter block ``position`` of ``network``.

    They are computed once, and kept in half precision, where they fit ``CACHE`` and would cost more than a look.
    """

    @torch.no_grad()
    def compute(indices: Tensor) -> Tensor:
        with arithmetic(precision, pixels.device):
            return network.run(as_float(pixels[indices]), 0, position).float()

    one = compute(torch.zeros(1, dtype=torch.long))
    if position == 0 or len(pixels) * one.numel() * 2 > CACHE:
        return compute
    parts = torch.arange(len(pixels)).split(at_once(network, pixels, BATCH))
    kept = torch.cat([compute(part).half() for part in parts])
    if not kept.isfinite().all():  # beyond half precision's 65 504
        return compute
    return lambda indices: kept[indices].float()


def _drawn(pixels: Tensor, chosen: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    return torch.cat([as_uint8(change(as_float(pixels[part]))) for part in chosen.split(BATCH)])


@torch.no_grad()
def _answered(
    task: CloneTask, pixels: Tensor, labels: Tensor, precision: Precision, answers: Tensor | None = None
) -> Inputs:
    def through(network: BlockNet) -> Iterator[Tensor]:
        return (embedded(network, as_float(part), precision) for part in passes(network, pixels, BATCH))

    embedding = torch.cat(list(through(task.target)))
    if answers is None:
        answers = torch.cat([task.source.head(part) for part in through(task.source)])
    return Inputs(pixels, labels, embedding, task.target.head(embedding), answers)
