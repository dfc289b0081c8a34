"""Both networks side by side, with PNC's score for the new classes and its calibration."""

from pnc.base.evaluate import Classifier, joint, predict
from pnc.cloning.calibration import quantile_offset
from pnc.methods._registry import MethodTask, method
from pnc.methods.direct_ensemble import Ensemble


@method("direct_ensemble_calibrated", row="Direct Ensemble (calibrated)")
def direct_ensemble_calibrated(task: MethodTask) -> Classifier:
    """With PNC's own calibration: its scores, and one offset δ from held-out D_t."""
    ensemble = Ensemble(task, task.settings.rest_weight)
    logits = predict(ensemble, task.clone.held_out.pixels)
    old, new = logits[:, : task.old_classes], logits[:, task.old_classes :]
    ensemble.delta = quantile_offset(old, new, task.settings.q)
    return joint(ensemble, task.old_classes)
