"""PNC-F: the paper's contrast to PNC, in which every weight is trained afterwards, the target's too."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pnc.base.augment import Augmentation
from pnc.base.classifier import balanced
from pnc.base.errors import bad
from pnc.base.images import Images, as_float
from pnc.base.precision import arithmetic
from pnc.base.train import Checkpoint, Schedule, fit
from pnc.cloned.model import ClonedModel


def fine_tuned(
    cloned: ClonedModel,
    samples: Images,
    schedule: Schedule,
    augmentation: Augmentation,
    *,
    seed: int,
    rehearsal: Images | None = None,
    checkpoint: Checkpoint | None = None,
    progress: bool = False,
) -> nn.Module:
    """A copy of ``cloned`` whose every weight is trained by cross-entropy on D_t, and on D_o where it is given.

    ``samples`` is D_t, labelled from 0 as the package attached last counts its classes; ``rehearsal`` is the stated
    part of D_o with the target's labels. Every class weighs the same. Batch statistics stay, as D_t alone would
    distort them. It computes in the arithmetic that the package attached last was learned in. The copy is a network
    of its own: only ``cloned``, which is left as it was, can still be detached.
    Raises PncError if ``samples`` name more or fewer classes than that package.
    """
    last = cloned.packages[-1].info
    new, precision = len(last.names), last.provenance.get("precision", "fp32")
    if len(samples.class_names) != new:
        raise bad("classes of the samples (D_t)", expected=f"the {new} attached last", found=len(samples.class_names))
    pixels, labels = samples.pixels, samples.labels + len(cloned.classes) - new
    if rehearsal is not None:
        pixels, labels = torch.cat([pixels, rehearsal.pixels]), torch.cat([labels, rehearsal.labels])
    network, weights = copy.deepcopy(cloned).requires_grad_(True), balanced(labels)

    def loss(indices: Tensor, draws: torch.Generator) -> Tensor:
        with arithmetic(precision, pixels.device):
            logits = network(augmentation(as_float(pixels[indices]), draws))
        return (weights[indices] * F.cross_entropy(logits.float(), labels[indices], reduction="none")).mean()

    fit(
        network,
        network.parameters(),
        loss,
        len(labels),
        schedule,
        seed=seed,
        label="fine-tuning all",
        checkpoint=checkpoint,
        progress=progress,
    )
    return network
