"""Read-only twins: the way to run a network's layers without any chance of changing them."""

import copy

from torch import nn


class Twin(nn.Module):
    """A copy of ``module``'s structure on the same storage: always in eval mode, no gradients into its weights.

    Batch statistics, ``requires_grad`` and the training flag of the original stay as they are, whatever is
    called on the twin; nothing is copied, so the twin costs no memory.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        memo: dict[int, object] = {id(p): nn.Parameter(p.detach(), requires_grad=False) for p in module.parameters()}
        memo.update({id(buffer): buffer for buffer in module.buffers()})
        self.module = copy.deepcopy(module, memo)
        for layer in self.module.modules():
            if hasattr(layer, "inplace"):  # features at block borders are used more than once
                layer.inplace = False  # type: ignore[assignment]
        self.train(False)

    def train(self, mode: bool = True) -> "Twin":
        """Stay in eval mode whatever ``mode`` asks for: training would overwrite batch statistics."""
        del mode
        return super().train(False)
