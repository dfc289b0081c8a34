"""What ``pnc.wrap`` returns."""

from collections.abc import Sequence

from torch import nn

from pnc.arch import BlockNet
from pnc.wrapping._preprocess import Preprocess, PreprocessSpec


class WrappedNet(BlockNet):
    """Another library's classifier as blocks, pool and head on its own storage; in eval mode for good.

    Pictures [N, 1 or 3, H, W] in [0, 1] → logits [N, classes]; ``preprocessing`` says what block 0 does to them.
    """

    def __init__(self, spec: PreprocessSpec, blocks: Sequence[nn.Module], head: nn.Linear, pool: nn.Module) -> None:
        first, *rest = blocks
        super().__init__([nn.Sequential(Preprocess(spec), first), *rest], head, pool=pool)
        self.preprocessing = spec
        self.requires_grad_(False)
        self.train(False)

    def train(self, mode: bool = True) -> "WrappedNet":
        """Stay in eval mode whatever ``mode`` asks for: training would overwrite the original's statistics."""
        del mode
        super().train(False)
        return self
