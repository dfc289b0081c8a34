"""The two networks as they are, each asked about its own classes."""

import torch
from torch import Tensor, nn

from pnc.arch import BlockNet
from pnc.base.evaluate import Classifier
from pnc.methods._registry import MethodTask, method


class _ClonedFirst(nn.Module):
    """The source with the outputs of T_s in front of its others."""

    def __init__(self, source: BlockNet, classes: tuple[int, ...]) -> None:
        super().__init__()
        self.source = source
        self.order = [*classes, *(index for index in range(source.classes) if index not in classes)]

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.source(x)
        return logits[:, torch.tensor(self.order, device=logits.device)]


@method("pretrained")
def pretrained(task: MethodTask) -> Classifier:
    """Ori is M_t's accuracy on T_t; Tar is M_s's on T_s among all of its classes (https://arxiv.org/abs/2303.10597)."""
    source = _ClonedFirst(task.clone.source, task.clone.classes)
    return Classifier(old=task.target, new=source, offset=0)
