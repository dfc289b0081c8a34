"""The one offset on the new logits that PNC's own calibration allows, for baselines."""

import torch
from torch import Tensor, nn

from pnc.base.errors import bad
from pnc.base.evaluate import joint, predict
from pnc.base.images import Images
from pnc.cloning.calibration import best_offset, strangers, strict_offset
from pnc.methods._registry import MethodTask, Rows

CALIBRATED = "calibrated"


class Shifted(nn.Module):
    """``network`` with ``delta`` δ on its logits from ``old_classes`` on."""

    def __init__(self, network: nn.Module, old_classes: int, delta: float) -> None:
        super().__init__()
        self.network, self.old_classes, self.delta = network, old_classes, delta

    def forward(self, x: Tensor) -> Tensor:
        logits = self.network(x)
        return torch.cat([logits[:, : self.old_classes], logits[:, self.old_classes :] + self.delta], dim=1)


def with_calibrated(network: nn.Module, task: MethodTask, q: float = 0.96, neutral: float = 0.5) -> Rows:
    """Two rows of one training: ``network`` as it is, and with the offset δ of PNC's own calibration."""
    shifted = Shifted(network, task.old_classes, offset(network, task, q, neutral))
    return {"": joint(network, task.old_classes), CALIBRATED: joint(shifted, task.old_classes)}


def offset(network: nn.Module, task: MethodTask, q: float, neutral: float) -> float:
    """δ chosen on held-out pictures by PNC's rule for the regime (pnc.cloning.calibration).

    Strict: at most a share ``q`` of held-out D_t is called new, and ``neutral`` of what it is widened into.
    Rehearsal: where most of held-out D_t and D_o is right, each class weighing the same. ``network`` yields logits of
    the old classes, then of the new ones.
    """
    if not 0 < q < 1:
        raise bad("q", expected="a fraction in (0, 1)", found=q)
    if not 0 < neutral <= 1:
        raise bad("neutral", expected="a fraction, at most 1", found=neutral)
    new, old = task.clone.held_out, task.clone.rehearsal_held_out
    if task.regime == "rehearsal" and old is not None:
        return best_offset(*_parts(network, new, task), *_parts(network, old, task))
    known, strange = (_parts(network, images, task)[:2] for images in (new, strangers(new, task.seed)))
    return strict_offset(known, strange, q, neutral)


def _parts(network: nn.Module, images: Images, task: MethodTask) -> tuple[Tensor, Tensor, Tensor]:
    """(old logits, new logits, labels)."""
    logits = predict(network, images.pixels)
    return logits[:, : task.old_classes], logits[:, task.old_classes :], images.labels
