"""Plain supervised training, for the pre-trained networks and joint training."""

import torch
import torch.nn.functional as F
from torch import Tensor

from pnc.arch import BlockNet
from pnc.data import Images, as_float, augment
from pnc.methods._registry import Augmentation
from pnc.train import Checkpoint, History, Schedule, fit


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
        pictures = augment_as(augmentation, as_float(images.pixels[indices]), draws)
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


def augment_as(augmentation: Augmentation, pictures: Tensor, draws: torch.Generator) -> Tensor:
    return augment(pictures, draws, crop=augmentation.crop, flip=augmentation.flip, rotation=augmentation.rotation)
