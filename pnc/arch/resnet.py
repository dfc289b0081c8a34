"""ResNet-18 and ResNet-50 for small pictures: a 3×3 stem without pooling in place of ImageNet's 7×7 one.

Five blocks (main paper, Sec. 4.1): the stem, then the four stages, which torchvision calls layer1 to layer4.
"""

from typing import TYPE_CHECKING

import torch
from torch import nn

from pnc.arch._blocknet import BlockNet
from pnc.arch._registry import architecture, scaled

if TYPE_CHECKING:
    from torchvision.models.resnet import BasicBlock, Bottleneck

    Unit = type[BasicBlock] | type[Bottleneck]


@architecture("resnet18")
def resnet18(classes: int, channels: int, width: float) -> BlockNet:
    """He et al. (2016): four stages of two basic units, 64 to 512 filters at width 1."""
    from torchvision.models.resnet import BasicBlock

    return _resnet(BasicBlock, (2, 2, 2, 2), classes, channels, width)


@architecture("resnet50")
def resnet50(classes: int, channels: int, width: float) -> BlockNet:
    """He et al. (2016): 3, 4, 6 and 3 bottlenecks, 64 to 512 filters at width 1 and four times as many leaving."""
    from torchvision.models.resnet import Bottleneck

    return _resnet(Bottleneck, (3, 4, 6, 3), classes, channels, width)


def residual_stage(unit: "Unit", entering: int, planes: int, depth: int, stride: int) -> nn.Sequential:
    """``depth`` residual units, [N, entering, H, W] to [N, planes·expansion, H/stride, W/stride].

    The first unit's shortcut is a 1×1 convolution with BN where shapes change; every other one is the identity.
    """
    leaving = planes * unit.expansion
    shortcut = None
    if stride != 1 or entering != leaving:
        shortcut = nn.Sequential(nn.Conv2d(entering, leaving, 1, stride, bias=False), nn.BatchNorm2d(leaving))
    return nn.Sequential(unit(entering, planes, stride, shortcut), *(unit(leaving, planes) for _ in range(depth - 1)))


def he_init(network: BlockNet) -> BlockNet:
    """Draw every convolution's weights as He et al. (2015) do, scaled by its fan-out; returns ``network``."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network


def _resnet(unit: "Unit", depths: tuple[int, ...], classes: int, channels: int, width: float) -> BlockNet:
    from torchvision.ops import Conv2dNormActivation

    entering = scaled(64, width)
    blocks: list[nn.Module] = [Conv2dNormActivation(channels, entering, 3)]
    for filters, depth, stride in zip((64, 128, 256, 512), depths, (1, 2, 2, 2), strict=True):
        planes = scaled(filters, width)
        blocks.append(residual_stage(unit, entering, planes, depth, stride))
        entering = planes * unit.expansion
    # Both weights and features lie channels last: up to 1.8 times as fast (benchmarks/README.md), same result.
    return he_init(BlockNet(blocks, nn.Linear(entering, classes))).to(memory_format=torch.channels_last)
