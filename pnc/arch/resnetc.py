"""ResNetC-20: the thin ResNet-20 that He et al. (2016) built for CIFAR, in five blocks.

Shortcuts between stages are 1×1 convolutions (the article's option B), as in our other ResNets, where the
article pads with zeros (option A): 272 474 parameters for 10 classes against 269 722.
"""

from torch import nn

from pnc.arch._blocknet import BlockNet
from pnc.arch._registry import architecture, scaled
from pnc.arch.resnet import he_init, residual_stage


@architecture("resnetc20")
def resnetc20(classes: int, channels: int, width: float) -> BlockNet:
    """Three stages of three basic units, 16, 32 and 64 filters at width 1.

    The last stage is cut behind its strided unit, so that the features that enter blocks 0 to 4 are of the same
    height and width as a ResNet-18's.
    """
    from torchvision.models.resnet import BasicBlock
    from torchvision.ops import Conv2dNormActivation

    c1, c2, c3 = (scaled(filters, width) for filters in (16, 32, 64))
    blocks = [
        Conv2dNormActivation(channels, c1, 3),
        residual_stage(BasicBlock, c1, c1, depth=3, stride=1),
        residual_stage(BasicBlock, c1, c2, depth=3, stride=2),
        residual_stage(BasicBlock, c2, c3, depth=1, stride=2),
        residual_stage(BasicBlock, c3, c3, depth=2, stride=1),
    ]
    return he_init(BlockNet(blocks, nn.Linear(c3, classes)))
