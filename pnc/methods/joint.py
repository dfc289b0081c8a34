"""One network trained from scratch on old and new classes together."""

import torch

from pnc.arch import build
from pnc.data import Images
from pnc.errors import bad
from pnc.evaluate import Classifier
from pnc.evaluate import joint as joint_classifier
from pnc.methods._pretrain import train_classifier
from pnc.methods._registry import MethodTask, method


@method("joint", row="Joint + Full set")
def joint(task: MethodTask) -> Classifier:
    """Trained on all of the data of T_t ∪ T_s, as the pre-trained networks were on theirs."""
    return _trained_on(task, task.full)


@method("joint_sampled", row="Joint (same samples)")
def joint_sampled(task: MethodTask) -> Classifier:
    """Trained on the very samples that rehearsal sees: D_t and the stated part of D_o."""
    if task.clone.rehearsal is None:
        raise bad("joint training on samples", expected="samples of D_o", found="none")
    old, new = task.clone.rehearsal, task.clone.samples
    pixels = torch.cat([old.pixels, new.pixels])
    labels = torch.cat([old.labels, new.labels + task.old_classes])
    return _trained_on(task, Images(pixels, labels, task.spec.class_names))


def _trained_on(task: MethodTask, images: Images) -> Classifier:
    network = build(task.spec, task.seed)
    train_classifier(
        network,
        images,
        task.pretrain,
        task.augmentation,
        seed=task.seed,
        label="joint training",
        checkpoint=task.checkpoint,
        progress=task.progress,
    )
    return joint_classifier(network, task.old_classes)
