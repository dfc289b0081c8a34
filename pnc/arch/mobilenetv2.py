"""MobileNetV2 for small pictures, in eight blocks (main paper, Sec. 4.1).

Block 0 is the stem, blocks 1 to 7 are the seven groups of inverted residuals; the last 1×1 convolution belongs
to block 7. The stem and the second group do not stride, so that a 32×32 picture leaves block 7 at 4×4.
"""

from torch import nn

from pnc.arch._blocknet import BlockNet
from pnc.arch._registry import architecture, scaled
from pnc.arch.resnet import he_init

# expansion t, filters c, repeats n, stride s of the first repeat: Table 2 of Sandler et al. (2018), s = 1 for c = 24
GROUPS = (
    (1, 16, 1, 1),
    (6, 24, 2, 1),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


@architecture("mobilenetv2")
def mobilenetv2(classes: int, channels: int, width: float) -> BlockNet:
    """Sandler et al. (2018): 32 filters in the stem, 1280 before the head at width 1; ``width`` scales both."""
    from torchvision.ops import Conv2dNormActivation

    entering, last = scaled(32, width), scaled(1280, width)
    blocks = [Conv2dNormActivation(channels, entering, 3, activation_layer=nn.ReLU6)]
    for expansion, filters, repeats, stride in GROUPS:
        leaving = scaled(filters, width)
        blocks.append(_group(entering, leaving, expansion, repeats, stride))
        entering = leaving
    blocks[-1].append(Conv2dNormActivation(entering, last, 1, activation_layer=nn.ReLU6))
    return he_init(BlockNet(blocks, nn.Linear(last, classes)))


def _group(entering: int, leaving: int, expansion: int, repeats: int, stride: int) -> nn.Sequential:
    """``repeats`` inverted residuals, [N, entering, H, W] to [N, leaving, H/stride, W/stride]."""
    from torchvision.models.mobilenetv2 import InvertedResidual

    rest = (InvertedResidual(leaving, leaving, 1, expansion) for _ in range(repeats - 1))
    return nn.Sequential(InvertedResidual(entering, leaving, stride, expansion), *rest)
