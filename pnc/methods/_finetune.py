"""Fine-tuning the target on new classes, with regularisation against forgetting: what the Continual rows share.

The paper names neither its regulariser nor its weights. Ours: the distance to the old weights (L2-SP, Li, Grandvalet
& Davoine 2018, https://arxiv.org/abs/1802.01483) and distillation of the old logits on the pictures at hand (LwF,
Li & Hoiem 2016, https://arxiv.org/abs/1606.09282).
"""

import copy
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pnc.arch import BlockNet
from pnc.base.classifier import balanced
from pnc.base.errors import bad
from pnc.base.images import Images, as_float
from pnc.base.precision import arithmetic
from pnc.base.seeds import derive
from pnc.base.train import Schedule, fit
from pnc.cloning.local.passes import embedded
from pnc.methods._registry import MethodTask


@dataclass(frozen=True)
class Terms:
    """Weights of what is added to the labels' cross-entropy, and the temperature of every distillation.

    ``l2_sp`` weighs the squared distance of the blocks' weights to the old ones, ``lwf`` the target's old logits,
    and ``kd`` the source's logits on D_t. With ``separate`` softmaxes a label competes with those of its own side
    alone, old or new; then ``head`` weighs the cross-entropy of one softmax that only the head learns from.
    """

    l2_sp: float
    lwf: float
    temperature: float
    kd: float = 0.0
    separate: bool = False
    head: float = 0.0

    def __post_init__(self) -> None:
        for name in ("l2_sp", "lwf", "kd", "head"):
            if not 0 <= getattr(self, name) < math.inf:
                raise bad(name, expected="a number from 0 up", found=getattr(self, name))
        if not 0 < self.temperature < math.inf:
            raise bad("temperature", expected="a positive number", found=self.temperature)


def fine_tuned(
    task: MethodTask, schedule: Schedule, terms: Terms, *, frozen_bn: bool = False, images: Images | None = None
) -> BlockNet:
    """The target with new outputs, trained on ``images``: by default on what the regime shows, D_t and in rehearsal
    D_o's samples too.

    Each class weighs the same in the loss, however many of its pictures there are. ``frozen_bn``: batch statistics
    stay those of the target. It computes in the arithmetic that the target was trained in.
    """
    network = extended(task.target, len(task.clone.classes), task.seed)
    images = seen(task) if images is None else images
    weights, anchors = balanced(images.labels), [weight.detach().clone() for weight in network.blocks.parameters()]

    def loss(indices: Tensor, draws: torch.Generator) -> Tensor:
        pictures, labels = task.recipe.augmentation(as_float(images.pixels[indices]), draws), images.labels[indices]
        with arithmetic(task.recipe.precision, pictures.device):
            embedding = network.embed(network.run(pictures))
        embedding = embedding.float()
        logits = network.head(embedding)
        each = _labelled(task, terms, logits, labels) + _taught(task, terms, pictures, logits, labels)
        if terms.head:
            each = each + terms.head * F.cross_entropy(network.head(embedding.detach()), labels, reduction="none")
        pairs = zip(network.blocks.parameters(), anchors, strict=True)
        moved = torch.stack([(weight - anchor).square().sum() for weight, anchor in pairs]).sum()
        return (weights[indices] * each).mean() + terms.l2_sp * moved

    network.train(not frozen_bn)
    fit(
        network,
        network.parameters(),
        loss,
        len(images),
        schedule,
        seed=task.seed,
        label="fine-tuning",
        checkpoint=task.checkpoint,
        progress=task.progress,
    )
    return network.eval()


def seen(task: MethodTask) -> Images:
    """The samples that the regime shows, labelled old classes first."""
    new, old = task.clone.samples, task.rehearsal
    pixels, labels = new.pixels, new.labels + task.old_classes
    if old is not None:
        pixels, labels = torch.cat([old.pixels, pixels]), torch.cat([old.labels, labels])
    return Images(pixels, labels, task.spec.class_names)


def _labelled(task: MethodTask, terms: Terms, logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of each picture's label, [N]."""
    if terms.separate:
        new = torch.arange(logits.shape[1], device=logits.device) >= task.old_classes
        logits = logits.masked_fill(new != (labels >= task.old_classes)[:, None], -math.inf)
    return F.cross_entropy(logits, labels, reduction="none")


def _taught(task: MethodTask, terms: Terms, pictures: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
    """What both networks' answers add to each picture's loss, [N]; the source teaches on pictures of T_s alone."""
    classes, old = list(task.clone.classes), task.old_classes
    added = torch.zeros(len(pictures), device=pictures.device)
    if terms.lwf:
        teacher = _answers(task.target, pictures, task)
        added = added + terms.lwf * distillation(logits[:, :old], teacher, terms.temperature)
    if terms.kd:
        teacher = _answers(task.clone.source, pictures, task)[:, classes]
        added = added + terms.kd * (labels >= old) * _copied(logits[:, old:], teacher, terms.temperature)
    return added


@torch.no_grad()
def _answers(teacher: BlockNet, pictures: Tensor, task: MethodTask) -> Tensor:
    logits: Tensor = teacher.head(embedded(teacher, pictures, task.recipe.precision))
    return logits


def distillation(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Hinton's KL between softened softmaxes of logits [N, classes], for each picture: [N]."""
    own, soft = ((logits / temperature).log_softmax(1) for logits in (student, teacher))
    return temperature**2 * F.kl_div(own, soft, reduction="none", log_target=True).sum(1)


def _copied(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Distillation, [N]; a single class leaves a softmax nothing to say, so that its logit itself is matched."""
    if teacher.shape[1] > 1:
        return distillation(student, teacher, temperature)
    return F.smooth_l1_loss(student, teacher, reduction="none").squeeze(1)


def extended(target: BlockNet, new_classes: int, seed: int) -> BlockNet:
    """A trainable copy of the target whose head has ``new_classes`` more outputs, freshly initialised."""
    network = copy.deepcopy(target).requires_grad_(True)
    old = network.head
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive(seed, "new outputs"))
        network.head = nn.Linear(old.in_features, old.out_features + new_classes)
    with torch.no_grad():
        network.head.weight[: old.out_features] = old.weight
        network.head.bias[: old.out_features] = old.bias
    return network.to(old.weight.device)
