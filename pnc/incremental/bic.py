"""BiC, bias correction: two numbers a step scale and shift the new classes' logits, found on pictures kept back."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pnc.arch import BlockNet
from pnc.base.errors import bad
from pnc.base.evaluate import predict
from pnc.base.images import Images
from pnc.base.seeds import generator
from pnc.base.train import Schedule, fit
from pnc.incremental._course import Course
from pnc.incremental._memory import Memory
from pnc.incremental._registry import learner
from pnc.incremental._training import check_positive, distillation, embed, train, widened


@learner("bic", sees="exemplars", each=2)
def bic(
    course: Course,
    *,
    schedule: Schedule,
    validation: float = 0.1,
    temperature: float = 2.0,
    correction_epochs: int = 100,
    correction_rate: float = 0.01,
) -> Iterator[nn.Module]:
    """Cross-entropy and distillation, weighing 1 − λ and λ = old classes / all classes (Eq. 1 to 3); then the new
    logits o become α·o + β (Eq. 4), with α and β learned by cross-entropy on the share ``validation`` of the
    exemplars and equally many new pictures, which the network is not trained on (Eq. 5).

    Wu et al. 2019, https://arxiv.org/abs/1905.13260.
    """
    if not 0 < validation < 1:
        raise bad("validation", expected="a share in (0, 1)", found=validation)
    check_positive(temperature=temperature, correction_epochs=correction_epochs, correction_rate=correction_rate)
    correcting = Schedule(correction_epochs, schedule.batch, correction_rate)
    network = course.start()
    memory, corrected = Memory.of_target(course, network), Corrected(network, (network.classes,))
    for step in course.steps:
        learned, kept = kept_back(memory, step, validation, course.seed)
        corrected = _taught(course, corrected, learned, schedule, temperature)
        correct(course, corrected, kept, correcting)
        network = corrected.network
        memory = memory.and_of(step, partial(embed, network))
        yield corrected


class Corrected(nn.Module):
    """The logits of ``network``, ``heads`` of them at a time: all but the first of these are scaled and shifted."""

    def __init__(self, network: BlockNet, heads: Sequence[int], corrections: Sequence[nn.Module] = ()) -> None:
        super().__init__()
        self.network, self.heads = network, tuple(heads)
        self.corrections = nn.ModuleList(corrections)

    def forward(self, x: Tensor) -> Tensor:
        return self.correct(self.network(x))

    def correct(self, logits: Tensor) -> Tensor:
        first, *others = logits.split(self.heads, dim=1)
        return torch.cat([first, *(each(own) for each, own in zip(self.corrections, others, strict=True))], dim=1)

    def wider(self, classes: int, seed: int) -> "Corrected":
        """A copy with one head more, whose logits are as they are; all earlier corrections are fixed."""
        old = copy.deepcopy(self.corrections).requires_grad_(False)
        heads = (*self.heads, classes - sum(self.heads))
        return Corrected(widened(self.network, classes, seed), heads, [*old, Correction().to(_device(self.network))])


class Correction(nn.Module):
    """α·o + β."""

    def __init__(self) -> None:
        super().__init__()
        self.alpha, self.beta = nn.Parameter(torch.ones(())), nn.Parameter(torch.zeros(()))

    def forward(self, logits: Tensor) -> Tensor:
        return self.alpha * logits + self.beta


def kept_back(memory: Memory, step: Images, share: float, seed: int) -> tuple[Images, Images]:
    """What the network learns from, and what the correction does: equally many pictures of each class, drawn."""
    groups = [*memory.classes, *(step.pixels[step.labels == label] for label in step.labels.unique().tolist())]
    least = min(map(len, groups))
    count = min(max(1, round(share * least)), least - 1)
    draws = generator(seed, "validation", len(groups))
    orders = [torch.randperm(len(pixels), generator=draws).to(pixels.device) for pixels in groups]
    pairs = list(zip(groups, orders, strict=True))
    learned = replace(memory, classes=tuple(pixels[order[count:]] for pixels, order in pairs), names=step.class_names)
    kept = replace(memory, classes=tuple(pixels[order[:count]] for pixels, order in pairs), names=step.class_names)
    return learned.images, kept.images


def _taught(course: Course, teacher: Corrected, images: Images, schedule: Schedule, temperature: float) -> Corrected:
    learning, known = teacher.wider(len(images.class_names), course.seed), sum(teacher.heads)
    old_share = known / len(images.class_names)

    def term(pictures: Tensor, labels: Tensor) -> Tensor:
        logits = learning(pictures)
        with torch.no_grad():
            old = teacher(pictures)
        kept = distillation(logits[:, :known], old, temperature)
        return old_share * kept + (1 - old_share) * F.cross_entropy(logits, labels)

    train(course, learning, images, term, schedule, parameters=learning.network.parameters())
    return learning


def correct(course: Course, corrected: Corrected, kept: Images, schedule: Schedule) -> None:
    """Learn the last step's α and β on ``kept``; nothing else changes."""
    logits = predict(corrected.network, kept.pixels)
    own = corrected.corrections[-1]
    classes = len(kept.class_names)
    fit(
        own,
        own.parameters(),
        lambda indices, _: F.cross_entropy(corrected.correct(logits[indices]), kept.labels[indices]),
        len(kept),
        schedule,
        seed=course.seed,
        label=f"correcting, {classes} classes",
        checkpoint=course.part(f"correcting{classes}"),
        progress=course.progress,
    )
    corrected.requires_grad_(False)


def _device(network: BlockNet) -> torch.device:
    return network.head.weight.device
