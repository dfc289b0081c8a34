"""End-to-end incremental learning: distillation head by head, then fine-tuning on as many pictures of each class."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pnc.arch import BlockNet
from pnc.base.train import Schedule
from pnc.incremental._course import Course
from pnc.incremental._memory import Memory
from pnc.incremental._registry import learner
from pnc.incremental._training import (
    Term,
    check_positive,
    check_weight,
    distillation,
    embed,
    together,
    train,
    widened,
)


@learner("eeil", sees="exemplars")
def eeil(
    course: Course,
    *,
    schedule: Schedule,
    balanced_epochs: int = 30,
    balanced_rate: float = 0.1,
    weight: float = 1.0,
    temperature: float = 2.0,
) -> Iterator[nn.Module]:
    """Cross-entropy over all classes and distillation of each earlier step's classes in a softmax of their own
    (Eq. 1 to 3); then ``balanced_epochs`` at ``balanced_rate`` times the rate on exemplars alone, of old and new
    classes, where the new classes' answers from before are distilled, too (Sec. 3.4).

    Castro et al. 2018, https://arxiv.org/abs/1807.09536.
    """
    check_weight(weight=weight)
    check_positive(balanced_epochs=balanced_epochs, balanced_rate=balanced_rate, temperature=temperature)
    balancing = replace(schedule, epochs=balanced_epochs, lr=schedule.lr * balanced_rate)
    network, heads = course.start(), [course.target.classes]
    memory = Memory.of_target(course, network)
    for step in course.steps:
        old, network = network, widened(network, len(step.class_names), course.seed)
        kept = Teaching(old, tuple(heads), weight, temperature)
        train(course, network, together(memory.images, step), _term(network, kept), schedule)

        memory = memory.and_of(step, partial(embed, network))
        heads.append(len(step.class_names) - sum(heads))
        before, network = network.requires_grad_(False), widened(network, len(step.class_names), course.seed)
        term = _term(network, kept, Teaching(before, (sum(heads[:-1]), heads[-1]), weight, temperature, first=1))
        train(course, network, memory.balanced, term, balancing, stage="balancing")
        yield network


@dataclass(frozen=True)
class Teaching:
    """Distillation from ``teacher`` of each of its ``heads``, numbers of classes, from the ``first`` one on."""

    teacher: BlockNet
    heads: tuple[int, ...]
    weight: float
    temperature: float
    first: int = 0

    def __call__(self, pictures: Tensor, logits: Tensor) -> Tensor:
        with torch.no_grad():
            answers = self.teacher(pictures)
        own = logits[:, : answers.shape[1]].split(self.heads, dim=1)[self.first :]
        theirs = answers.split(self.heads, dim=1)[self.first :]
        losses = [distillation(*pair, self.temperature) for pair in zip(own, theirs, strict=True)]
        return self.weight * torch.stack(losses).sum()


def _term(network: BlockNet, *teachings: Teaching) -> Term:
    def term(pictures: Tensor, labels: Tensor) -> Tensor:
        logits = network(pictures)
        return F.cross_entropy(logits, labels) + sum(teaching(pictures, logits) for teaching in teachings)

    return term
