"""A transferable module in place: A and M_f behind the target's block R, and F_c's new rows over both features."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from pnc.arch import BlockNet
from pnc.cloning.adapter import Adapter
from pnc.cloning.tail import MaskedTail


def source_position(position: int, target_blocks: int, source_blocks: int) -> int:
    """R_s = ⌈R_t · L_s / L_t⌉ for networks of different depth (supplement 3.2), at most the last block."""
    return min(math.ceil(position * source_blocks / target_blocks), source_blocks - 1)


class Candidate(nn.Module):
    """What is learned for one insertion position R_t: A, M and the new rows of F_c.

    The old rows of F_c are the target's own FC, untouched, so that taking the module out recovers the target.
    """

    def __init__(self, position: int, adapter: Adapter, tail: MaskedTail, rows: nn.Linear) -> None:
        super().__init__()
        self.position = position
        self.adapter = adapter
        self.tail = tail
        self.rows = rows

    def forward(self, h: Tensor, old_embedding: Tensor, tail: nn.Module | None = None) -> Tensor:
        """New logits [N, |T_s|]: F_c's new rows over the target's own embedding [N, d_t] and M_f(A(h)) [N, d_s].

        ``h`` are the target's features that enter block R_t; ``tail`` stands in M_f's place where it is cut down.
        """
        return self.classify(old_embedding, self.embed(h, tail))

    def embed(self, h: Tensor, tail: nn.Module | None = None) -> Tensor:
        """M_f(A(h)) [N, d_s]."""
        inner: Tensor = (self.tail if tail is None else tail)(self.adapter(h))
        return inner

    def classify(self, old_embedding: Tensor, embedded: Tensor) -> Tensor:
        """New logits of both features side by side."""
        logits: Tensor = self.rows(torch.cat([old_embedding, embedded], dim=1))
        return logits


def traverse(network: BlockNet, pictures: Tensor, positions: Iterable[int]) -> tuple[dict[int, Tensor], Tensor]:
    """Run ``network`` once: the features that enter each of ``positions``, and the embedding before the head."""
    wanted, entering = set(positions), {}
    h = pictures
    for index, block in enumerate(network.blocks):
        if index in wanted:
            entering[index] = h
        h = block(h)
    return entering, network.embed(h)
