"""LeNet-5 in three blocks (supplement, Table 1: three search steps), for 32×32 pictures.

C5 and F6 are written as convolutions, so that every layer before the head has filters that M can select.
"""

from torch import nn

from pnc.arch._blocknet import BlockNet
from pnc.arch._registry import architecture, scaled


@architecture("lenet5")
def lenet5(classes: int, channels: int, width: float) -> BlockNet:
    """LeCun et al. (1998) with ReLU and max pooling: 6, 16, 120 and 84 filters at width 1."""
    c1, c3, c5, f6 = (scaled(filters, width) for filters in (6, 16, 120, 84))
    blocks = [
        nn.Sequential(nn.Conv2d(channels, c1, 5), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Sequential(nn.Conv2d(c1, c3, 5), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Sequential(nn.Conv2d(c3, c5, 5), nn.ReLU(), nn.Conv2d(c5, f6, 1), nn.ReLU()),
    ]
    return BlockNet(blocks, nn.Linear(f6, classes))
