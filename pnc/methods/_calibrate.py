"""The one offset on the new logits that PNC's own calibration allows, for baselines."""

from torch import Tensor, nn

from pnc.base.errors import bad
from pnc.base.evaluate import predict
from pnc.base.images import Images
from pnc.cloning.calibration import best_offset, quantile_offset
from pnc.methods._registry import MethodTask


def offset(network: nn.Module, task: MethodTask, q: float) -> float:
    """δ chosen on held-out pictures by the rule of the regime (pnc.cloning.calibration), on the pictures as they are.

    Strict: a share ``q`` of held-out D_t is called new. Rehearsal: where most of held-out D_t and D_o is right, each
    class weighing the same. ``network`` yields logits of the old classes, then of the new ones.
    """
    if not 0 < q < 1:
        raise bad("q", expected="a fraction in (0, 1)", found=q)
    new, old = task.clone.held_out, task.clone.rehearsal_held_out
    if task.regime == "rehearsal" and old is not None:
        return best_offset(*_parts(network, new, task), *_parts(network, old, task))
    return quantile_offset(*_parts(network, new, task)[:2], q)


def _parts(network: nn.Module, images: Images, task: MethodTask) -> tuple[Tensor, Tensor, Tensor]:
    """(old logits, new logits, labels)."""
    logits = predict(network, images.pixels)
    return logits[:, : task.old_classes], logits[:, task.old_classes :], images.labels
