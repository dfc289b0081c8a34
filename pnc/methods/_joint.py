"""Plain supervised training, for the pre-trained networks and joint training."""

import torch
import torch.nn.functional as F
from torch import Tensor

from pnc.arch import BlockNet, build
from pnc.base.augment import Augmentation
from pnc.base.images import Images, as_float
from pnc.base.train import Checkpoint, History, Schedule, fit
from pnc.methods._registry import MethodTask


def train_classifier(
    network: BlockNet,
    images: Images,
    schedule: Schedule,
    augmentation: Augmentation,
    *,
    seed: int,
    label: str,
    checkpoint: Checkpoint | None = None,
    progress: bool = False,
) -> History:
    """Cross-entropy on augmented pictures; leaves ``network`` in eval mode and returns the loss per epoch."""

    def loss(indices: Tensor, draws: torch.Generator) -> Tensor:
        pictures = augmentation(as_float(images.pixels[indices]), draws)
        return F.cross_entropy(network(pictures), images.labels[indices])

    network.train()
    history = fit(
        network,
        network.parameters(),
        loss,
        len(images),
        schedule,
        seed=seed,
        label=label,
        checkpoint=checkpoint,
        progress=progress,
    )
    network.eval()
    return history


def train_jointly(task: MethodTask, images: Images) -> BlockNet:
    """A new network over old and new classes, trained on ``images`` as the pre-trained ones were on theirs."""
    network = build(task.spec, task.seed).to(images.pixels.device)
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
    return network
