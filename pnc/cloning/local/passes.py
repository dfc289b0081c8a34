"""Pictures that pass a frozen network: how many at a time, so that large ones take no more memory; how exactly."""

import torch
from torch import Tensor

from pnc.arch import BlockNet
from pnc.base.images import as_float
from pnc.base.precision import Precision, arithmetic

VALUES = 2**26  # of a block's maps: 1000 pictures of 32×32 in a ResNet-18


@torch.no_grad()
def at_once(network: BlockNet, pictures: Tensor, most: int) -> int:
    """``most`` of ``pictures`` (uint8 [N, C, H, W]), or as many as have ``VALUES`` behind the first block."""
    each = network.run(as_float(pictures[:1]), 0, 1).numel()
    return min(most, max(1, VALUES // max(1, each)))


def passes(network: BlockNet, pictures: Tensor, most: int) -> tuple[Tensor, ...]:
    """``pictures`` in parts that pass ``network`` at a time."""
    return pictures.split(at_once(network, pictures, most))


@torch.no_grad()
def embedded(network: BlockNet, pictures: Tensor, precision: Precision) -> Tensor:
    """What enters the head, [N, d], of float ``pictures``: in float32, whatever the arithmetic before it."""
    with arithmetic(precision, pictures.device):
        inner = network.embed(network.run(pictures))
    return inner.float()
