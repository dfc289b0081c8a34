"""Small classifiers of other people's make."""

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

from pnc.base.seeds import generator

M = TypeVar("M", bound=nn.Module)
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class Residual(nn.Module):
    """A unit with everything at once: BN, a depthwise layer, SE, LayerScale, stochastic depth, in-place sums."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.act = nn.ReLU(inplace=True)
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.mix = nn.Conv2d(channels, channels, 1)
        self.squeeze, self.excite = nn.Conv2d(channels, 2, 1), nn.Conv2d(2, channels, 1)
        self.scale = nn.Parameter(torch.full((channels, 1, 1), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        y = self.mix(self.depthwise(self.act(self.norm(x))))
        y = y * torch.sigmoid(self.excite(self.squeeze(y.mean((2, 3), keepdim=True)).relu()))
        y = nn.functional.dropout(self.scale * y, 0.5, training=self.training)
        y += x
        return y


class LastNorm(nn.Module):
    """Four dimensions with channels last, as ConvNeXt has them, and fully connected layers on them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(channels), nn.Linear(channels, 7), nn.Linear(7, channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.down(nn.functional.gelu(self.up(self.norm(x.permute(0, 2, 3, 1)))))
        return x + y.permute(0, 3, 1, 2)


class Classifier(nn.Module):
    """Four stages, 3×16×16 pictures and more, and a head behind ``flatten`` in ``forward``."""

    def __init__(self, channels: int = 3, classes: int = 5, seed: int = 0) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(channels, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(True))
        self.pool = nn.MaxPool2d(2)
        self.first = nn.Sequential(Residual(6), Residual(6))
        self.reduce = nn.Conv2d(6, 8, 2, stride=2)
        self.second = nn.Sequential(Residual(8), LastNorm(8))
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(8, classes)
        randomise(self, seed)

    def forward(self, x: Tensor) -> Tensor:
        x = self.second(self.reduce(self.first(self.pool(self.stem(x)))))
        return self.head(self.dropout(x.mean((2, 3))))


class NormAct(nn.BatchNorm2d):
    """timm's batch normalisation that holds its activation."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(super().forward(x))


def flat(channels: int = 3, classes: int = 5, seed: int = 0) -> nn.Sequential:
    """A LeNet for 16×16 pictures whose hidden layers are fully connected."""
    network = nn.Sequential(
        nn.Conv2d(channels, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(8 * 16, 12), nn.ReLU(), nn.Linear(12, classes),
    )  # fmt: skip
    return randomise(network, seed)


def randomise(network: M, seed: int = 0) -> M:
    """Weights that matter, and BN statistics, signs and shifts that do, too."""
    draw = generator(seed, "wrapping")
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, 0.4, generator=draw)
        for name, buffer in network.named_buffers():
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 2, generator=draw)
            elif name.endswith("running_mean"):
                buffer.normal_(generator=draw)
    return network


def pictures(count: int = 3, channels: int = 3, size: int = 16, seed: int = 0) -> Tensor:
    return torch.rand(count, channels, size, size, generator=generator(seed, "pictures to wrap"))


def logits(model: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        return copy.deepcopy(model).eval()(x)


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))
