"""The shape every network has here: L blocks, global pooling, and a linear head."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pnc.base.errors import bad


class Normalise(nn.Module):
    """Maps pixels in [0, 1] to zero mean and unit variance per channel.

    It is part of block 0, so that at R = 0 source and target see the same pixels, each in its own scale.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(-1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std


class BlockNet(nn.Module):
    """A classifier as ``blocks`` (the paper's W^[0:L]), ``pool`` and ``head`` (the final FC layer).

    ``forward`` takes pictures [N, C, H, W] with values in [0, 1] and returns logits [N, classes].
    Composing ``run`` over any cuts of [0, L) and ``classify`` gives exactly ``forward``.
    """

    def __init__(self, blocks: Sequence[nn.Module], head: nn.Linear, *, pool: nn.Module | None = None) -> None:
        super().__init__()
        if not blocks:
            raise bad("a network's blocks", expected="at least one block", found="none")
        self.class_names: tuple[str, ...] | None = None
        self.blocks = nn.ModuleList(blocks)
        self.pool = nn.AdaptiveAvgPool2d(1) if pool is None else pool
        self.head = head

    def __len__(self) -> int:
        """L, the number of blocks."""
        return len(self.blocks)

    @property
    def classes(self) -> int:
        return self.head.out_features

    def run(self, h: Tensor, start: int = 0, stop: int | None = None) -> Tensor:
        """Blocks [start:stop] on the features ``h`` that enter block ``start`` (pictures for start = 0)."""
        for block in self.blocks[start:stop]:
            h = block(h)
        return h

    def embed(self, h: Tensor) -> Tensor:
        """The last block's output [N, C, H, W] pooled and flattened to the head's input [N, d]."""
        return self.pool(h).flatten(1)

    def classify(self, h: Tensor) -> Tensor:
        """Logits of the last block's output."""
        return self.head(self.embed(h))

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.run(x))
