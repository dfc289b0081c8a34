"""Which networks can be cloned from, or into: what cannot is named in one line, before any work."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.lazy import LazyModuleMixin

from pnc.arch import as_blocknet, unwrapped
from pnc.base.errors import bad

NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


def check_kind(network: object, role: str) -> None:
    """Raise PncError unless ``network`` is one that pnc knows, with float32 weights that have values, on one device.

    ``role`` is what the line calls it.
    """
    if not isinstance(network, nn.Module):
        raise bad(f"{role} network", expected="an nn.Module", found=type(network).__name__)
    for name, layer in network.named_modules():
        if (kind := _strange(layer)) is not None:
            place = f" ({type(layer).__name__} at '{name}')" if name else ""
            raise bad(f"{role} network", expected="float32 layers of plain PyTorch", found=f"{kind}{place}")
    for name, tensor in _named(network):
        if tensor.is_meta:
            raise bad(f"{role} network", expected="weights with values", found=f"'{name}' on the device meta")
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            expected = "torch.float32 (network.float() makes it so)"
            raise bad(f"type of the {role} network's weights", expected=expected, found=f"{tensor.dtype} in '{name}'")
    as_blocknet(network)
    devices = sorted({str(tensor.device) for _, tensor in _named(network)})
    if len(devices) != 1:
        raise bad(f"devices of the {role} network", expected="a single one", found=", ".join(devices) or "no weights")


def check_values(network: nn.Module, role: str) -> None:
    """Raise PncError for a weight or batch statistic that is NaN or infinite, naming it."""
    for name, tensor in _named(unwrapped(network)):
        counts = isinstance(tensor, nn.Parameter) or name.endswith(("running_mean", "running_var"))
        values = tensor.detach()
        if counts and not bool((finite := values.isfinite()).all()):
            value = float(values[~finite].flatten()[0])
            raise bad(f"weights of the {role} network", expected="finite numbers", found=f"{value} in '{name}'")


def device_of(network: nn.Module) -> torch.device:
    """Where the weights lie."""
    return next(_named(network))[1].device


def unreachable(blocks: nn.Module) -> list[str]:
    """Layers with filters that M cannot choose among: "ConvTranspose2d at '1.0'".

    M reaches every Conv2d and Linear, once. What it does not reach is neither thinned out nor cut away.
    """
    found, seen = [], set[int]()
    for name, layer in blocks.named_modules(remove_duplicate=False):
        place = f"{type(layer).__name__} at '{name}'"
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            if _has_filters(layer) and ".parametrizations" not in f".{name}":
                found.append(place)
        elif id(layer) in seen:
            found.append(f"{place}, a second time")
        seen.add(id(layer))
    return found


def _has_filters(layer: nn.Module) -> bool:
    """Whether a weight of its own is more than one number for each channel."""
    own = () if isinstance(layer, NORMS) else layer.parameters(recurse=False)
    return any(sum(side > 1 for side in weight.shape) > 1 for weight in own)


def _strange(layer: nn.Module) -> str | None:
    if isinstance(layer, torch.jit.ScriptModule):
        return "a TorchScript module"
    if ".quantized." in f"{type(layer).__module__}.":
        return "a quantised layer"
    if isinstance(layer, LazyModuleMixin) and layer.has_uninitialized_params():
        return "a lazy layer that has seen no picture yet"
    return None


def _named(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from network.named_parameters()
    yield from network.named_buffers()
