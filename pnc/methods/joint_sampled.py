"""One network trained from scratch on the very samples that rehearsal sees."""

from pnc.base.evaluate import Classifier, joint
from pnc.methods._finetune import seen
from pnc.methods._registry import MethodTask, method
from pnc.methods._scratch import train_jointly


@method("joint_sampled", regimes=("rehearsal",))
def joint_sampled(task: MethodTask) -> Classifier:
    """joint (https://arxiv.org/abs/2303.10597) on D_t and the stated part of D_o alone."""
    return joint(train_jointly(task, seen(task)), task.old_classes)
