"""The target fine-tuned on D_t by its labels."""

import torch.nn.functional as F

from pnc.base.evaluate import Classifier, joint
from pnc.methods._finetune import fine_tuned
from pnc.methods._registry import MethodTask, method


@method("continual", row="Continual")
def continual(task: MethodTask) -> Classifier:
    """Cross-entropy on D_t, with L2-SP and LwF."""
    network = fine_tuned(task, lambda logits, labels, pictures: F.cross_entropy(logits, labels))
    return joint(network, task.old_classes)
