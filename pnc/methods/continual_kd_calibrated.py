"""Continual + KD with the one offset that PNC's own calibration allows: what was forgotten, bias aside."""

import torch

from pnc.base.evaluate import Classifier, joint, predict
from pnc.cloning.calibration import quantile_offset
from pnc.methods._registry import MethodTask, method
from pnc.methods.continual_kd import distilled


@method("continual_kd_calibrated", row="Continual + KD (calibrated)")
def continual_kd_calibrated(task: MethodTask) -> Classifier:
    """δ on the new logits such that a share q of held-out D_t is called new."""
    network, old = distilled(task), task.old_classes
    logits = predict(network, task.clone.held_out.pixels)
    with torch.no_grad():
        network.head.bias[old:] += quantile_offset(logits[:, :old], logits[:, old:], task.settings.q)
    return joint(network, old)
