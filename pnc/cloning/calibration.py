"""Joint calibration: one offset δ on the new logits decides old against new; it is folded into F_c's bias.

Rehearsal: δ is where most held-out pictures of D_t and D_o, each class weighing the same, are classified right.

Strict: D_t alone says what a new picture looks like, and nothing says what an old one does. A share q of held-out D_t
shall be called new. Where classes are confusable that takes an offset that calls most old pictures new as well, so
there is a second bound: of pictures that D_t is widened into until neither network knows them, only a share
``neutral`` may be called new.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pnc.base.evaluate import predict
from pnc.base.images import Images, as_float, as_uint8
from pnc.base.seeds import generator
from pnc.cloning.candidate import Candidate, traverse
from pnc.cloning.inputs import BATCH
from pnc.cloning.local.passes import passes
from pnc.cloning.objective import source_scores
from pnc.cloning.settings import CloneSettings
from pnc.cloning.task import CloneTask
from pnc.cloning.widen import widen

EXCHANGES = 20
GAPS = 33


@dataclass(frozen=True)
class Offset:
    """``delta`` δ, and what it is expected to do: the shares of new pictures that are ``called_new``, and of old ones
    that ``leak``, are called new by mistake.

    ``gaps`` are ``GAPS`` quantiles, the least first, of each held-out new picture's best new logit, δ in it, less its
    best old one: with them packages can be calibrated across each other (pnc.cloned.joint).
    """

    delta: float
    called_new: float
    leak: float
    gaps: tuple[float, ...]


@torch.no_grad()
def calibrate(candidate: Candidate, tail: nn.Module, task: CloneTask, settings: CloneSettings, seed: int) -> Offset:
    """Choose δ by ``settings`` and add it to the candidate's new logits. ``tail`` is its own, or that cut down."""
    old, new = _logits(candidate, tail, task, task.held_out)
    delta, leak = 0.0, None
    if settings.regime == "rehearsal" and task.rehearsal_held_out is not None:
        rehearsed = task.rehearsal_held_out
        of_old = _logits(candidate, tail, task, rehearsed)
        if settings.calibration == "held_out":
            delta = best_offset(old, new, task.held_out.labels, *of_old, rehearsed.labels)
        leak = _share(*of_old, delta)
    elif settings.calibration == "held_out":
        strange = _logits(candidate, tail, task, strangers(task.held_out, seed))
        delta = strict_offset((old, new), strange, settings.q, settings.neutral)
    if leak is None:
        answers = predict(task.source, task.held_out.pixels)
        leak = expected_leak(old, answers, task.classes, settings.rest_weight, delta, generator(seed, "exchange"))
    candidate.rows.bias.add_(delta)
    return Offset(delta, _share(old, new, delta), leak, _gaps(old, new, delta))


def expected_leak(
    target: Tensor, source: Tensor, classes: tuple[int, ...], rest_weight: float, delta: float, draws: torch.Generator
) -> float:
    """The share of old pictures that would be called new, guessed from D_t with the two networks' parts exchanged.

    An old picture is to the source what a new one is to the target: so the ``target``'s logits [N, |T_t|] for as many
    of its classes, drawn again and again, stand for the source's of T_s, and ``source`` [N, C] for the target's own.
    """
    own = source.amax(1)
    leaks = []
    for _ in range(EXCHANGES):
        drawn = torch.randperm(target.shape[1], generator=draws)[: len(classes)].tolist()
        stranger = source_scores(target, drawn, rest_weight).amax(1)
        leaks.append((stranger + delta > own).double().mean())
    return float(torch.stack(leaks).mean())


def strangers(images: Images, seed: int) -> Images:
    """What ``images`` are widened into, once each: pictures that neither network knows well."""
    pixels = widen(as_float(images.pixels), generator(seed, "calibration"))
    return Images(as_uint8(pixels), images.labels, images.class_names)


def strict_offset(known: tuple[Tensor, Tensor], strange: tuple[Tensor, Tensor], q: float, neutral: float) -> float:
    """The lower of two bounds on δ, from (old, new) logits of held-out D_t and of what it is widened into.

    ``neutral`` = 1 allows everything there.
    """
    bound = math.inf if neutral == 1 else quantile_offset(*strange, neutral)
    return min(quantile_offset(*known, q), bound)


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


def _share(old: Tensor, new: Tensor, delta: float) -> float:
    """How many have their best new logit on top."""
    return float((new.amax(1) + delta > old.amax(1)).double().mean())


def _gaps(old: Tensor, new: Tensor, delta: float) -> tuple[float, ...]:
    gap = new.amax(1) + delta - old.amax(1)
    return tuple(gap.quantile(torch.linspace(0, 1, GAPS).to(gap)).tolist())


def _logits(candidate: Candidate, tail: nn.Module, task: CloneTask, images: Images) -> tuple[Tensor, Tensor]:
    """(old, new) logits."""
    parts = []
    for part in passes(task.target, images.pixels, BATCH):
        entering, embedding = traverse(task.target, as_float(part), {candidate.position})
        new = candidate(entering[candidate.position], embedding, tail)
        parts.append((task.target.head(embedding), new))
    old, new = (torch.cat(part) for part in zip(*parts, strict=True))
    return old, new
