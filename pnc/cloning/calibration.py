"""Joint calibration: one offset δ on the new logits decides old against new; it is folded into F_c's bias.

Strict: D_t alone says what a new picture looks like, so δ is set such that a share q of held-out D_t is called
new. Rehearsal: δ is where most held-out pictures of D_t and D_o, each class weighing the same, are classified right.
"""

import math

import torch
from torch import Tensor

from pnc.base.augment import augment
from pnc.base.images import Images, as_float
from pnc.base.seeds import generator
from pnc.cloning.candidate import Candidate, traverse
from pnc.cloning.settings import CloneSettings
from pnc.cloning.task import CloneTask


@torch.no_grad()
def calibrate(candidate: Candidate, task: CloneTask, settings: CloneSettings, seed: int) -> float:
    """Choose δ by ``settings`` and add it to the candidate's new logits; returns δ."""
    if settings.calibration == "none":
        return 0.0
    new = _views(candidate, task, task.held_out, settings.views, generator(seed, "calibration", "D_t"))
    if settings.regime == "rehearsal" and task.rehearsal_held_out is not None:
        old = _views(candidate, task, task.rehearsal_held_out, settings.views, generator(seed, "calibration", "D_o"))
        delta = best_offset(*new, *old)
    else:
        delta = quantile_offset(new[0], new[1], settings.q)
    candidate.rows.bias.add_(delta)
    return delta


def quantile_offset(old: Tensor, new: Tensor, q: float) -> float:
    """The δ with which a share ``q`` of new-class pictures (logits [N, ·]) has its best new logit on top."""
    gap = new.amax(1) - old.amax(1)
    return float(-gap.quantile(1 - q))


def best_offset(
    old_n: Tensor, new_n: Tensor, labels_n: Tensor, old_o: Tensor, new_o: Tensor, labels_o: Tensor
) -> float:
    """The δ with the highest class-weighted accuracy on new-class pictures (n) and old-class pictures (o)."""
    gap_n, gap_o = new_n.amax(1) - old_n.amax(1), new_o.amax(1) - old_o.amax(1)
    right_n = (new_n.argmax(1) == labels_n).double() * new_n.shape[1] / len(new_n)
    right_o = (old_o.argmax(1) == labels_o).double() * old_o.shape[1] / len(old_o)
    # New pictures above the threshold −δ and old ones below it can be right. It lies between two different gaps,
    # or beyond all of them: gained[k] is what a threshold with k gaps below it wins over the lowest one.
    gaps, order = torch.cat([gap_n, gap_o]).double().sort()
    gained = torch.cat([gaps.new_zeros(1), torch.cat([-right_n, right_o])[order].cumsum(0)])
    edges = torch.cat([gaps[:1] - 1, gaps, gaps[-1:] + 1])
    below, above = edges[:-1], edges[1:]
    best = int(gained.masked_fill(below == above, -math.inf).argmax())
    return float(-(below[best] + above[best]) / 2)


def _views(
    candidate: Candidate, task: CloneTask, images: Images, views: int, draws: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """(old logits, new logits, labels) of slightly shifted and turned views of ``images``: a smoother quantile."""
    parts = []
    for _ in range(views):
        for chosen in torch.arange(len(images)).split(1000):
            inputs = augment(as_float(images.pixels[chosen]), draws, crop=1, flip=False, rotation=5)
            entering, embedding = traverse(task.target, inputs, {candidate.position})
            new = candidate(entering[candidate.position], embedding)
            parts.append((task.target.head(embedding), new, images.labels[chosen]))
    old, new, labels = (torch.cat(part) for part in zip(*parts, strict=True))
    return old, new, labels
