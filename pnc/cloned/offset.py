"""PNC's one offset on the new logits, for any network that has old and new classes: PNC-F, baselines."""

import torch
from torch import Tensor, nn

from pnc.base.errors import bad
from pnc.base.evaluate import predict
from pnc.base.images import Images
from pnc.cloning.calibration import best_offset, strangers, strict_offset
from pnc.cloning.task import CloneTask


class Shifted(nn.Module):
    """``network`` with ``delta`` δ on its logits from ``old_classes`` on."""

    def __init__(self, network: nn.Module, old_classes: int, delta: float) -> None:
        super().__init__()
        self.network, self.old_classes, self.delta = network, old_classes, delta

    def forward(self, x: Tensor) -> Tensor:
        logits = self.network(x)
        return torch.cat([logits[:, : self.old_classes], logits[:, self.old_classes :] + self.delta], dim=1)


def shifted(network: nn.Module, task: CloneTask, regime: str, seed: int, q: float, neutral: float) -> Shifted:
    """``network`` with the offset that ``offset`` chooses."""
    return Shifted(network, task.target.classes, offset(network, task, regime, seed, q, neutral))


def offset(network: nn.Module, task: CloneTask, regime: str, seed: int, q: float, neutral: float) -> float:
    """δ chosen on held-out pictures by PNC's rule for the regime (pnc.cloning.calibration).

    Strict: at most a share ``q`` of held-out D_t is called new, and ``neutral`` of what it is widened into.
    Rehearsal: where most of held-out D_t and D_o is right, each class weighing the same. ``network`` yields logits of
    the target's classes, then of the cloned ones.
    """
    if not 0 < q < 1:
        raise bad("q", expected="a fraction in (0, 1)", found=q)
    if not 0 < neutral <= 1:
        raise bad("neutral", expected="a fraction, at most 1", found=neutral)
    new, old, first = task.held_out, task.rehearsal_held_out, task.target.classes
    if regime == "rehearsal" and old is not None:
        return best_offset(*_parts(network, new, first), new.labels, *_parts(network, old, first), old.labels)
    known, strange = (_parts(network, images, first) for images in (new, strangers(new, seed)))
    return strict_offset(known, strange, q, neutral)


def _parts(network: nn.Module, images: Images, old_classes: int) -> tuple[Tensor, Tensor]:
    """(old logits, new logits)."""
    logits = predict(network, images.pixels)
    return logits[:, :old_classes], logits[:, old_classes:]
