"""A plain VGG-like CNN in three blocks (supplement, Table 1: the "Plain CNN" source)."""

from itertools import pairwise

from torch import nn

from pnc.arch._blocknet import BlockNet
from pnc.arch._registry import architecture, scaled
from pnc.arch.resnet import he_init


@architecture("plain_cnn")
def plain_cnn(classes: int, channels: int, width: float) -> BlockNet:
    """Six 3×3 convolutions, each with BN and ReLU: 32, 64 and 128 filters at width 1, halving the picture thrice."""
    sizes = [channels, *(scaled(filters, width) for filters in (32, 64, 128))]
    blocks = [_block(entering, leaving) for entering, leaving in pairwise(sizes)]
    return he_init(BlockNet(blocks, nn.Linear(sizes[-1], classes)))


def _block(entering: int, leaving: int) -> nn.Sequential:
    """[N, entering, H, W] to [N, leaving, H/2, W/2]."""
    return nn.Sequential(*_layer(entering, leaving), *_layer(leaving, leaving), nn.MaxPool2d(2))


def _layer(entering: int, leaving: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(entering, leaving, 3, padding=1, bias=False), nn.BatchNorm2d(leaving), nn.ReLU()
