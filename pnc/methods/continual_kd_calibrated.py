"""Continual + KD with the one offset that PNC's own calibration allows: what was forgotten, bias aside."""

import torch

from pnc.base.evaluate import Classifier, joint
from pnc.base.train import Schedule
from pnc.methods._calibrate import offset
from pnc.methods._finetune import Terms, fine_tuned
from pnc.methods._registry import MethodTask, method


@method("continual_kd_calibrated")
def continual_kd_calibrated(
    task: MethodTask,
    *,
    schedule: Schedule,
    l2_sp: float = 0.01,
    lwf: float = 1.0,
    kd: float = 1.0,
    temperature: float = 2.0,
    q: float = 0.96,
    neutral: float = 0.5,
) -> Classifier:
    """continual_kd with an offset δ on its new logits, from held-out pictures (pnc.methods._calibrate).

    Distillation as in https://arxiv.org/abs/1503.02531; ``q`` and ``neutral`` count in the strict regime alone.
    """
    network = fine_tuned(task, schedule, Terms(l2_sp, lwf, temperature, kd))
    with torch.no_grad():
        network.head.bias[task.old_classes :] += offset(network, task, q, neutral)
    return joint(network, task.old_classes)
