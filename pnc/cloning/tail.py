"""M_f: the transferable module, the source's blocks [R_s:L] seen through M, on a read-only twin of the source."""

from collections.abc import Iterator, Mapping
from typing import cast

import torch
from torch import Tensor, nn

from pnc.arch import BlockNet
from pnc.arch.twin import Twin
from pnc.base.errors import bad
from pnc.cloning.masks import MaskedLayer, MaskReading, fill_value


class MaskedTail(nn.Module):
    """M · M_s^{[R:L]} with pooling: features [N, C, H, W] that enter block ``start`` → embedding [N, d_s].

    Layers keep their names in ``source.blocks``, for example ``2.0`` or ``4.1.conv2``; M is a mask per name.
    """

    def __init__(self, source: BlockNet, start: int, keep: float, reading: MaskReading = "zero") -> None:
        super().__init__()
        if not 0 <= start < len(source):
            raise bad("position R in the source", expected=f"a block in 0…{len(source) - 1}", found=start)
        self.start = start
        self.keep = keep
        self.reading = reading
        self.blocks = Twin(nn.ModuleDict({str(i): source.blocks[i] for i in range(start, len(source))}))
        self.pool = Twin(source.pool)
        _mask_layers(self.blocks.module, keep, reading)

    def masked_layers(self) -> Iterator[tuple[str, MaskedLayer]]:
        for name, module in self.blocks.module.named_modules():
            if isinstance(module, MaskedLayer):
                yield name, module

    def scores(self) -> list[nn.Parameter]:
        """The learnable parameters of M; empty once hardened."""
        return [layer.scores for _, layer in self.masked_layers() if layer.scores is not None]

    def bits(self) -> dict[str, Tensor]:
        """The binary M: a boolean mask [filters] per layer name."""
        return {name: layer.mask.detach() > 0.5 for name, layer in self.masked_layers()}

    def constants(self) -> dict[str, Tensor]:
        """Gain and shift of the filters that M keeps, [2, kept] per layer name; none unless M's reading rescales."""
        return {
            name: torch.stack([layer.gain, layer.shift])[:, layer.on].detach()
            for name, layer in self.masked_layers()
            if layer.rescales
        }

    def rescale(self, constants: Mapping[str, Tensor]) -> "MaskedTail":
        """Take over ``constants`` [2, kept] per layer. Raises PncError for other layers or numbers of filters."""
        layers = {name: layer for name, layer in self.masked_layers() if layer.rescales}
        if set(constants) != set(layers):
            raise bad("the layers that are rescaled", expected=sorted(layers), found=sorted(constants))
        for name, layer in layers.items():
            if constants[name].shape != (2, int(layer.on.sum())):
                expected = f"gain and shift of {int(layer.on.sum())} filters"
                raise bad(f"constants of {name}", expected=expected, found=list(constants[name].shape))
            gain, shift = constants[name].to(layer.gain)
            layer.rescale(layer.on, gain, shift)
        return self

    def harden(self, bits: Mapping[str, Tensor] | None = None) -> "MaskedTail":
        """Fix M to its top-c filters, or to ``bits``. Raises PncError if ``bits`` names other layers."""
        layers = dict(self.masked_layers())
        if bits is not None and set(bits) != set(layers):
            raise bad("the layers of M", expected=sorted(layers), found=sorted(bits))
        for name, layer in layers.items():
            layer.harden(None if bits is None else bits[name].to(layer.on.device))
        return self

    def forward(self, h: Tensor) -> Tensor:
        for block in cast(nn.ModuleDict, self.blocks.module).values():
            h = block(h)
        return self.pool.module(h).flatten(1)


def _mask_layers(blocks: nn.Module, keep: float, reading: MaskReading) -> None:
    """Replace every convolution and fully connected layer by its masked self."""
    modules = list(blocks.named_modules())
    for index, (name, layer) in enumerate(modules):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            fill = fill_value(layer, _norm_after(modules, index, len(layer.weight)), reading)
            owner, _, attribute = name.rpartition(".")
            masked = MaskedLayer(layer, keep, fill, rescales=reading == "rescaled")
            setattr(blocks.get_submodule(owner), attribute, masked)


def _norm_after(modules: list[tuple[str, nn.Module]], index: int, filters: int) -> nn.Module | None:
    """The BN for a layer's ``filters`` that follows it in definition order, if one comes before the next layer."""
    for _, module in modules[index + 1 :]:
        if isinstance(module, nn.BatchNorm2d):
            return module if module.num_features == filters else None
        if isinstance(module, nn.Conv2d | nn.Linear):
            return None
    return None


def kept_parameters(tail: MaskedTail) -> int:
    """Weights and biases of the filters that M keeps, over all masked layers."""
    total = 0
    for _, masked in tail.masked_layers():
        per_filter = masked.layer.weight[0].numel() + (masked.layer.bias is not None)
        total += per_filter * int((masked.mask.detach() > 0.5).sum())
    return total


def count_filters(tail: MaskedTail) -> tuple[int, int]:
    """(filters that M keeps, filters in the tail)."""
    masks = tail.bits().values()
    return sum(int(mask.sum()) for mask in masks), sum(mask.numel() for mask in masks)
