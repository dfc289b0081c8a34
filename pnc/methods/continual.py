"""The target fine-tuned on D_t by its labels."""

from pnc.base.train import Schedule
from pnc.methods._calibrate import with_calibrated
from pnc.methods._finetune import Terms, fine_tuned
from pnc.methods._registry import MethodTask, Rows, method


@method("continual")
def continual(
    task: MethodTask,
    *,
    schedule: Schedule,
    l2_sp: float = 0.01,
    lwf: float = 1.0,
    temperature: float = 2.0,
    frozen_bn: bool = False,
    q: float = 0.96,
    neutral: float = 0.5,
) -> Rows:
    """Cross-entropy on the labels, kept near the old weights and the old logits; and the same calibrated.

    L2-SP (https://arxiv.org/abs/1802.01483) with weight ``l2_sp`` and Learning without Forgetting
    (https://arxiv.org/abs/1606.09282) with weight ``lwf``. ``q`` and ``neutral`` (pnc.cloned.offset) count in
    the strict regime alone.
    """
    network = fine_tuned(task, schedule, Terms(l2_sp, lwf, temperature), frozen_bn=frozen_bn)
    return with_calibrated(network, task, q, neutral)
