"""What a module costs: values to store and multiplications to do."""

import torch
from torch import Tensor, nn

from pnc.arch.twin import Twin


def tail_cost(module: nn.Module, example: Tensor) -> dict[str, int]:
    """Size and work of ``module`` for one picture's features ``example`` [1, C, H, W].

    ``parameters`` counts its weights, ``constants`` the floating-point values in its buffers, and ``macs`` the
    multiply-accumulates of its convolutions and fully connected layers. It is a twin that runs: ``module`` keeps
    its batch statistics and never carries a hook, whether or not the run fails.
    """
    macs = 0

    def count(layer: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal macs
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        macs += output.numel() * layer.weight[0].numel()

    twin = Twin(module).module
    for layer in twin.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    with torch.no_grad():
        twin(example[:1])
    return {
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
        "constants": sum(buffer.numel() for buffer in module.buffers() if buffer.is_floating_point()),
        "macs": macs,
    }
