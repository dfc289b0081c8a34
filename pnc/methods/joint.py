"""One network trained from scratch on old and new classes together."""

from pnc.base.evaluate import Classifier
from pnc.base.evaluate import joint as joint_classifier
from pnc.methods._joint import train_jointly
from pnc.methods._registry import MethodTask, method


@method("joint", row="Joint + Full set")
def joint(task: MethodTask) -> Classifier:
    """Trained on all of the data of T_t ∪ T_s, as the pre-trained networks were on theirs."""
    return joint_classifier(train_jointly(task, task.full), task.old_classes)
