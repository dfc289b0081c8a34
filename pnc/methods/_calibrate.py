"""The one offset on the new logits that PNC's own calibration allows, for baselines."""

from torch import nn

from pnc.base.evaluate import joint
from pnc.cloned.offset import shifted
from pnc.methods._registry import MethodTask, Rows

CALIBRATED = "calibrated"


def with_calibrated(network: nn.Module, task: MethodTask, q: float = 0.96, neutral: float = 0.5) -> Rows:
    """Two rows of one training: ``network`` as it is, and with the offset δ of PNC's own calibration."""
    moved = shifted(network, task.clone, task.regime, task.seed, q, neutral)
    return {"": joint(network, task.old_classes), CALIBRATED: joint(moved, task.old_classes)}
