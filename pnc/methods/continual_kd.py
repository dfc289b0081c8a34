"""The target fine-tuned on D_t by its labels and by the source's answers."""

from pnc.base.train import Schedule
from pnc.methods._calibrate import with_calibrated
from pnc.methods._finetune import Terms, fine_tuned
from pnc.methods._registry import MethodTask, Rows, method


@method("continual_kd")
def continual_kd(
    task: MethodTask,
    *,
    schedule: Schedule,
    l2_sp: float = 0.01,
    lwf: float = 1.0,
    kd: float = 1.0,
    temperature: float = 2.0,
    frozen_bn: bool = False,
    q: float = 0.96,
    neutral: float = 0.5,
) -> Rows:
    """Continual with the source as a second teacher on D_t: knowledge distillation for T_s, with weight ``kd``.

    Hinton, Vinyals & Dean 2015, https://arxiv.org/abs/1503.02531. A single class leaves a softmax nothing to say,
    so that its logit itself is matched (smooth L1).
    """
    network = fine_tuned(task, schedule, Terms(l2_sp, lwf, temperature, kd), frozen_bn=frozen_bn)
    return with_calibrated(network, task, q, neutral)
