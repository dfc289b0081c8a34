"""One network trained from scratch on the very samples that rehearsal sees."""

from pnc.methods._calibrate import with_calibrated
from pnc.methods._finetune import seen
from pnc.methods._registry import MethodTask, Rows, method
from pnc.methods._scratch import train_jointly


@method("joint_sampled", regimes=("rehearsal",))
def joint_sampled(task: MethodTask) -> Rows:
    """joint (https://arxiv.org/abs/2303.10597) on D_t and the stated part of D_o alone; and calibrated."""
    return with_calibrated(train_jointly(task, seen(task)), task)
