"""Both networks side by side: the target's logits and the source's logits for T_s."""

from pnc.base.evaluate import Classifier, joint
from pnc.methods._ensemble import Ensemble
from pnc.methods._registry import MethodTask, method


@method("direct_ensemble")
def direct_ensemble(task: MethodTask) -> Classifier:
    """The paper's baseline (https://arxiv.org/abs/2303.10597): logits put together as they are."""
    return joint(Ensemble(task), task.old_classes)
