"""Fine-tuning the target on D_t, with regularisation against forgetting: what the Continual rows share.

The paper names neither its regulariser nor its weights. Ours: the distance to the old weights (L2-SP, Li et al. 2018)
and, as in LwF (Li & Hoiem 2016), distillation of the old logits on the new pictures.
"""

import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pnc.arch import BlockNet
from pnc.base.images import as_float
from pnc.base.seeds import derive
from pnc.base.train import Loss, fit
from pnc.methods._registry import MethodTask

L2_SP = 0.01
LWF = 1.0
TEMPERATURE = 2.0

# (logits, labels, pictures) → the loss on the new classes
NewLoss = Callable[[Tensor, Tensor, Tensor], Tensor]


def distillation(student: Tensor, teacher: Tensor) -> Tensor:
    """Hinton's KL between softened softmaxes, [N, classes] each."""
    soft = (teacher / TEMPERATURE).log_softmax(1)
    own = (student / TEMPERATURE).log_softmax(1)
    return TEMPERATURE**2 * F.kl_div(own, soft, reduction="batchmean", log_target=True)


def fine_tuned(task: MethodTask, new_loss: NewLoss) -> BlockNet:
    """The target with new outputs, trained on D_t by ``new_loss``, LwF and L2-SP."""
    network, samples = extended(task.target, len(task.clone.classes), task.seed), task.clone.samples
    anchors = [parameter.detach().clone() for parameter in network.blocks.parameters()]

    def loss(indices: Tensor, draws: torch.Generator) -> Tensor:
        pictures = task.augmentation(as_float(samples.pixels[indices]), draws)
        logits, labels = network(pictures), samples.labels[indices] + task.old_classes
        with torch.no_grad():
            teacher = task.target(pictures)
        kept = distillation(logits[:, : task.old_classes], teacher)
        moved = sum(
            (parameter - anchor).square().sum()
            for parameter, anchor in zip(network.blocks.parameters(), anchors, strict=True)
        )
        return new_loss(logits, labels, pictures) + LWF * kept + L2_SP * moved

    network.train()
    fine_tune(network, loss, task, "fine-tuning")
    return network.eval()


def fine_tune(network: nn.Module, loss: Loss, task: MethodTask, label: str) -> None:
    """Minimise ``loss`` over D_t in all of the network's weights, by the suite's ``finetune`` schedule."""
    fit(
        network,
        network.parameters(),
        loss,
        len(task.clone.samples),
        task.finetune,
        seed=task.seed,
        label=label,
        checkpoint=task.checkpoint,
        progress=task.progress,
    )


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
