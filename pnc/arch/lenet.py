"""LeNet-5 in three blocks (supplement, Table 1: three search steps), for 32×32 pictures.

C5 and F6 are written as convolutions, so that every layer before the head has filters that M can select.
"""

import torch
from torch import Tensor, nn

from pnc.arch._blocknet import BlockNet
from pnc.arch._registry import architecture, scaled


class MaxPool(nn.MaxPool2d):
    """2×2 max pooling, the same numbers as PyTorch's.

    Without gradients it compares strided views: on a CPU ten times as fast, which halves a LeNet's forward pass,
    and the frozen networks' forward passes are most of what a clone costs.
    """

    def __init__(self) -> None:
        super().__init__(2)

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled() or x.shape[-1] % 2 or x.shape[-2] % 2:
            return super().forward(x)
        top, bottom = x[..., ::2, :], x[..., 1::2, :]
        return torch.maximum(
            torch.maximum(top[..., ::2], top[..., 1::2]), torch.maximum(bottom[..., ::2], bottom[..., 1::2])
        )


@architecture("lenet5")
def lenet5(classes: int, channels: int, width: float) -> BlockNet:
    """LeCun et al. (1998) with ReLU and max pooling: 6, 16, 120 and 84 filters at width 1."""
    c1, c3, c5, f6 = (scaled(filters, width) for filters in (6, 16, 120, 84))
    blocks = [
        nn.Sequential(nn.Conv2d(channels, c1, 5), nn.ReLU(), MaxPool()),
        nn.Sequential(nn.Conv2d(c1, c3, 5), nn.ReLU(), MaxPool()),
        nn.Sequential(nn.Conv2d(c3, c5, 5), nn.ReLU(), nn.Conv2d(c5, f6, 1), nn.ReLU()),
    ]
    return BlockNet(blocks, nn.Linear(f6, classes))
