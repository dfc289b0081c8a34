"""Read-only twins: the way to run a network's layers without changing them."""

import copy

import torch
from torch import Tensor, nn

KNOWN = ("torch.nn.", "torchvision.", "pnc.")  # makes of layers whose forward passes write to no weight


class Twin(nn.Module):
    """A copy of ``module``'s structure on the same weights: always in eval mode, no gradients into its weights.

    Weights share the original's storage, so a twin costs next to no memory, and whoever holds one must not write to
    them. Buffers are copied: batch statistics are small, and a forward pass may write to them. The original's batch
    statistics, ``requires_grad`` and training flag stay as they are. With ``own`` the weights are copied, too.
    """

    @torch.inference_mode(False)
    def __init__(self, module: nn.Module, own: bool = False) -> None:
        super().__init__()
        memo: dict[int, object] = {id(buffer): buffer.detach().clone() for buffer in module.buffers()}
        for weight in module.parameters():
            copied = own or weight.is_inference()  # which autograd cannot use
            memo[id(weight)] = nn.Parameter(_copy(weight) if copied else weight.detach(), requires_grad=False)
        for layer in module.modules():  # weights that are computed, as torch.nn.utils.prune leaves them
            computed = (value for value in vars(layer).values() if isinstance(value, Tensor) and not value.is_leaf)
            memo.update({id(value): _copy(value) for value in computed})
        self.module = copy.deepcopy(module, memo)
        for layer in self.module.modules():
            if hasattr(layer, "inplace"):  # features at block borders are used more than once
                layer.inplace = False  # type: ignore[assignment]
        self.train(False)

    def train(self, mode: bool = True) -> "Twin":
        """Stay in eval mode whatever ``mode`` asks for: training would overwrite batch statistics."""
        del mode
        return super().train(False)


def may_write(module: nn.Module) -> bool:
    """Whether running ``module`` might change its own weights, as a layer does that clamps them in ``forward``.

    It may if it has hooks, or layers that are not PyTorch's, torchvision's or pnc's.
    """
    return any(_may_write(layer) for layer in module.modules())


def _may_write(layer: nn.Module) -> bool:
    known = f"{type(layer).__module__}.".startswith(KNOWN)
    changed = "forward" in vars(layer) or layer._forward_hooks or layer._forward_pre_hooks
    return not known or bool(changed) or getattr(layer, "max_norm", None) is not None  # an Embedding's


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().clone(memory_format=torch.preserve_format)
