"""The target fine-tuned on D_t by its labels and by the source's answers."""

import torch
import torch.nn.functional as F
from torch import Tensor

from pnc.arch import BlockNet
from pnc.base.evaluate import Classifier, joint
from pnc.methods._finetune import distillation, fine_tuned
from pnc.methods._registry import MethodTask, method


@method("continual_kd", row="Continual + KD")
def continual_kd(task: MethodTask) -> Classifier:
    """Continual with the source's softened answers for T_s as a second teacher."""
    return joint(distilled(task), task.old_classes)


def distilled(task: MethodTask) -> BlockNet:
    """The network of Continual + KD."""
    source, classes, old = task.clone.source, list(task.clone.classes), task.old_classes

    def loss(logits: Tensor, labels: Tensor, pictures: Tensor) -> Tensor:
        with torch.no_grad():
            teacher = source(pictures)
        if len(classes) > 1:
            return F.cross_entropy(logits, labels) + distillation(logits[:, old:], teacher[:, classes])
        # A single class leaves a softmax nothing to say: match the source's logit itself.
        return F.cross_entropy(logits, labels) + F.smooth_l1_loss(logits[:, old:], teacher[:, classes])

    return fine_tuned(task, loss)
