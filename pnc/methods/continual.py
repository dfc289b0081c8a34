"""The target fine-tuned on D_t by its labels."""

from pnc.base.evaluate import Classifier, joint
from pnc.base.train import Schedule
from pnc.methods._finetune import Terms, fine_tuned
from pnc.methods._registry import MethodTask, method


@method("continual")
def continual(
    task: MethodTask, *, schedule: Schedule, l2_sp: float = 0.01, lwf: float = 1.0, temperature: float = 2.0
) -> Classifier:
    """Cross-entropy on the labels, kept near the old weights and the old logits.

    L2-SP (https://arxiv.org/abs/1802.01483) with weight ``l2_sp`` and Learning without Forgetting
    (https://arxiv.org/abs/1606.09282) with weight ``lwf``.
    """
    return joint(fine_tuned(task, schedule, Terms(l2_sp, lwf, temperature)), task.old_classes)
