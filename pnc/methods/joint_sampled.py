"""One network trained from scratch on the very samples that rehearsal sees."""

import torch

from pnc.base.errors import bad
from pnc.base.evaluate import Classifier, joint
from pnc.base.images import Images
from pnc.methods._joint import train_jointly
from pnc.methods._registry import MethodTask, method


@method("joint_sampled", row="Joint (same samples)")
def joint_sampled(task: MethodTask) -> Classifier:
    """Trained on D_t and the stated part of D_o. Raises PncError without samples of D_o."""
    if task.clone.rehearsal is None:
        raise bad("joint training on samples", expected="samples of D_o", found="none")
    old, new = task.clone.rehearsal, task.clone.samples
    pixels = torch.cat([old.pixels, new.pixels])
    labels = torch.cat([old.labels, new.labels + task.old_classes])
    return joint(train_jointly(task, Images(pixels, labels, task.spec.class_names)), task.old_classes)
