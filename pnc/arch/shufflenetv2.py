"""ShuffleNetV2 1× for small pictures, in five blocks (main paper, Sec. 4.1).

Block 0 is the stem, without stride or pooling; blocks 1 to 3 are stages 2 to 4, each of which halves the
picture; block 4 is the last 1×1 convolution.
"""

from torch import nn

from pnc.arch._blocknet import BlockNet
from pnc.arch._registry import architecture, scaled


@architecture("shufflenetv2")
def shufflenetv2(classes: int, channels: int, width: float) -> BlockNet:
    """Ma et al. (2018): 24 filters in the stem, 116, 232 and 464 in the stages, 1024 before the head at width 1.

    The weights are drawn as torch does by default, which is torchvision's choice for this network.
    """
    from torchvision.ops import Conv2dNormActivation

    entering, last = scaled(24, width), scaled(1024, width)
    blocks = [Conv2dNormActivation(channels, entering, 3)]
    for filters, repeats in ((116, 4), (232, 8), (464, 4)):
        leaving = scaled(filters, width, divisor=2)  # a unit works on two halves
        blocks.append(_stage(entering, leaving, repeats))
        entering = leaving
    blocks.append(Conv2dNormActivation(entering, last, 1))
    return BlockNet(blocks, nn.Linear(last, classes))


def _stage(entering: int, leaving: int, repeats: int) -> nn.Sequential:
    """``repeats`` shuffle units, the first with stride 2: [N, entering, H, W] to [N, leaving, H/2, W/2]."""
    from torchvision.models.shufflenetv2 import InvertedResidual

    rest = (InvertedResidual(leaving, leaving, 1) for _ in range(repeats - 1))
    return nn.Sequential(InvertedResidual(entering, leaving, 2), *rest)
