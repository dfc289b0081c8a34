"""PNC-F: all parameters of the cloned model fine-tuned on D_t afterwards (the paper's contrast; M_t does change)."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor

from pnc.base.evaluate import Classifier, joint
from pnc.base.images import as_float
from pnc.cloned.model import ClonedModel
from pnc.methods._finetune import fine_tune
from pnc.methods._registry import MethodTask, method
from pnc.methods.partial_cloning import attached, last_position


@method("pnc_f", row="PNC-F (full)")
def pnc_f(task: MethodTask) -> Classifier:
    return _fine_tuned(task, attached(task, "masked"))


@method("pnc_f_without_insert", row="PNC-F (w/o Insert)")
def pnc_f_without_insert(task: MethodTask) -> Classifier:
    return _fine_tuned(task, attached(task, "masked", last_position(task)))


@method("pnc_f_without_local", row="PNC-F (w/o Local)")
def pnc_f_without_local(task: MethodTask) -> Classifier:
    return _fine_tuned(task, attached(task, "unmasked"))


def _fine_tuned(task: MethodTask, cloned: ClonedModel) -> Classifier:
    """Cross-entropy on D_t over every weight; batch statistics stay, as D_t alone would distort them."""
    network, samples = copy.deepcopy(cloned).requires_grad_(True), task.clone.samples

    def loss(indices: Tensor, draws: torch.Generator) -> Tensor:
        pictures = task.augmentation(as_float(samples.pixels[indices]), draws)
        return F.cross_entropy(network(pictures), samples.labels[indices] + task.old_classes)

    fine_tune(network, loss, task, "fine-tuning all")
    return joint(network, task.old_classes)
