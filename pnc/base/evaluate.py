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


def scores(classifier: Classifier, old: Images, new: Images) -> dict[str, float]:
    """Per cent: ``ori`` and ``tar`` accuracy, ``avg`` weighted by class as in the paper; ``ece`` and ``leak``.

    ``old`` are pictures of T_t, ``new`` of T_s labelled from 0. ``leak`` is the share of old-class pictures that
    are called a new class; for separate networks it and ``ece`` are left out. Raises PncError without pictures.
    """
    if not len(old) or not len(new):
        raise bad("pictures to evaluate", expected="old and new classes", found=f"{len(old)} and {len(new)}")
    old_logits, new_logits = predict(classifier.old, old.pixels), predict(classifier.new, new.pixels)
    new_labels = new.labels + classifier.offset
    ori, tar = accuracy(old_logits, old.labels), accuracy(new_logits, new_labels)
    old_classes, new_classes = len(old.class_names), len(new.class_names)
    found = {"ori": ori, "tar": tar, "avg": (old_classes * ori + new_classes * tar) / (old_classes + new_classes)}
    if classifier.old is classifier.new:
        logits, labels = torch.cat([old_logits, new_logits]), torch.cat([old.labels, new_labels])
        found["ece"] = calibration_error(logits, labels)
        found["leak"] = 100 * float((old_logits.argmax(1) >= classifier.offset).double().mean())
    return found


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
