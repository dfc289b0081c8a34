"""The one offset on the new logits that PNC's own calibration allows, for baselines."""

from torch import Tensor, nn

from pnc.base.errors import bad
from pnc.base.evaluate import predict
from pnc.base.images import Images
from pnc.cloning.calibration import best_offset, strangers, strict_offset
from pnc.methods._registry import MethodTask


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
