"""The one evaluation: what a classifier over old and new classes gets right, and how well it knows it."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pnc.base.errors import bad
from pnc.base.images import Images, as_float


@dataclass(frozen=True)
class Classifier:
    """What answers for old-class pictures and for new-class pictures: one network, or the two pre-trained ones.

    ``offset`` is the output of ``new`` that stands for the first cloned class.
    """

    old: nn.Module
    new: nn.Module
    offset: int


def joint(network: nn.Module, old_classes: int) -> Classifier:
    """One network with the old classes first and the cloned ones behind them."""
    return Classifier(network, network, old_classes)


@torch.no_grad()
def predict(network: nn.Module, pixels: Tensor, batch: int = 500) -> Tensor:
    """Logits [N, classes] of uint8 ``pixels`` [N, C, H, W], in eval mode."""
    network.eval()
    return torch.cat([network(as_float(part)) for part in pixels.split(batch)])


def scores(classifier: Classifier, *groups: Images) -> dict[str, float]:
    """Per cent: ``ori`` on the first group of classes, ``tar`` on the others, ``avg`` of all, each class weighing the
    same as in the paper; ``ece`` and ``leak``; with more than two groups also ``acc1``, ``acc2``, … of each.

    The first of ``groups`` are pictures of T_t, every other one of classes that came later, labelled from 0. ``leak``
    is the share of T_t's pictures that are called a new class; for separate networks it and ``ece`` are left out.
    Raises PncError without two groups that have pictures.
    """
    if len(groups) < 2 or not all(map(len, groups)):
        counts = " and ".join(str(len(group)) for group in groups) or "none"
        raise bad("pictures to evaluate", expected="old and new classes", found=counts)
    logits, labels, offset = [], [], 0
    for index, group in enumerate(groups):
        logits.append(predict(classifier.new if index else classifier.old, group.pixels))
        labels.append(group.labels + offset)
        offset = offset + len(group.class_names) if index else classifier.offset
    sizes = [len(group.class_names) for group in groups]
    right = [accuracy(*answers) for answers in zip(logits, labels, strict=True)]
    found = {"ori": right[0], "tar": _mean(right[1:], sizes[1:]), "avg": _mean(right, sizes)}
    if len(groups) > 2:
        found |= {f"acc{index}": value for index, value in enumerate(right, start=1)}
    if classifier.old is classifier.new:
        found["ece"] = calibration_error(torch.cat(logits), torch.cat(labels))
        found["leak"] = 100 * float((logits[0].argmax(1) >= classifier.offset).double().mean())
    return found


def _mean(values: list[float], weights: list[int]) -> float:
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights)


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Per cent of pictures whose highest logit is their label's."""
    return 100 * float((logits.argmax(1) == labels).double().mean())


def calibration_error(logits: Tensor, labels: Tensor, bins: int = 15) -> float:
    """Expected calibration error in per cent: |confidence − accuracy| averaged over equal-width bins."""
    confidence, answer = logits.double().softmax(1).max(1)
    right = (answer == labels).double()
    which = (confidence * bins).long().clamp(max=bins - 1)
    gaps = torch.zeros(bins, dtype=torch.double, device=logits.device).index_add(0, which, confidence - right)
    return 100 * float(gaps.abs().sum() / len(labels))
