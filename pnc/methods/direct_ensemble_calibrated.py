"""Both networks side by side, with PNC's score for the new classes and one offset between old and new."""

import math

from pnc.base.errors import bad
from pnc.base.evaluate import Classifier, joint
from pnc.methods._ensemble import calibrated_ensemble
from pnc.methods._registry import MethodTask, method


@method("direct_ensemble_calibrated")
def direct_ensemble_calibrated(
    task: MethodTask, *, q: float = 0.96, neutral: float = 0.5, rest_weight: float = 0.25
) -> Classifier:
    """New logits as PNC's teacher scores T_s: the source's, less ``rest_weight`` × its evidence for other classes.

    To them one offset δ is added, chosen on held-out pictures by PNC's own rule (pnc.cloned.offset); ``q`` and
    ``neutral`` count in the strict regime alone. The baseline without either is the paper's
    (https://arxiv.org/abs/2303.10597).
    """
    if not 0 <= rest_weight < math.inf:
        raise bad("rest_weight", expected="a number from 0 up", found=rest_weight)
    return joint(calibrated_ensemble(task, q, neutral, rest_weight), task.old_classes)
