"""One network trained from scratch on old and new classes together."""

from pnc.base.evaluate import Classifier
from pnc.base.evaluate import joint as joint_classifier
from pnc.methods._registry import MethodTask, method
from pnc.methods._scratch import train_jointly


@method("joint")
def joint(task: MethodTask) -> Classifier:
    """Trained on all of the data of T_t ∪ T_s, as the target was on its own: the paper's upper bound.

    https://arxiv.org/abs/2303.10597
    """
    return joint_classifier(train_jointly(task, task.full), task.old_classes)
