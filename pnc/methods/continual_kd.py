"""The target fine-tuned on D_t by its labels and by the source's answers."""

from pnc.base.evaluate import Classifier, joint
from pnc.base.train import Schedule
from pnc.methods._finetune import Terms, fine_tuned
from pnc.methods._registry import MethodTask, method


@method("continual_kd")
def continual_kd(
    task: MethodTask,
    *,
    schedule: Schedule,
    l2_sp: float = 0.01,
    lwf: float = 1.0,
    kd: float = 1.0,
    temperature: float = 2.0,
) -> Classifier:
    """Continual with the source as a second teacher on D_t: knowledge distillation for T_s, with weight ``kd``.

    Hinton, Vinyals & Dean 2015, https://arxiv.org/abs/1503.02531. A single class leaves a softmax nothing to say,
    so that its logit itself is matched (smooth L1).
    """
    return joint(fine_tuned(task, schedule, Terms(l2_sp, lwf, temperature, kd)), task.old_classes)
