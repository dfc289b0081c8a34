"""Rules for the layers that have weights: masked ones lose filters and inputs, normalisation folds into them."""

import torch
from torch import Tensor, fx, nn

from pnc.cloning.masks import Maskable, MaskedLayer
from pnc.cloning.slicing._build import NOTHING, Builder, Placed
from pnc.cloning.slicing._modules import Affine, Rescaled, resized
from pnc.cloning.slicing._rules import Rule, only_input
from pnc.cloning.slicing._trace import Trace

ScaleShift = tuple[Tensor, Tensor]


class Layer(Rule):
    """A masked convolution (dense or depthwise) or fully connected layer, with the BN that directly follows it."""

    def __init__(self, source: fx.Node, masked: MaskedLayer, norm: tuple[fx.Node, ScaleShift] | None) -> None:
        super().__init__(source)
        self.masked = masked
        self.layer: Maskable = masked.layer
        self.on = masked.on
        self.norm = norm
        self.own: Tensor | None = None
        if isinstance(self.layer, nn.Conv2d) and self.layer.groups > 1:
            self.own = torch.arange(len(self.on)) // (len(self.on) // self.layer.groups)

    @classmethod
    def match(cls, node: fx.Node, trace: Trace) -> Rule | None:
        masked, source = trace.target(node), only_input(node, trace)
        if source is None or not isinstance(masked, MaskedLayer):
            return None
        layer = masked.layer
        if isinstance(layer, nn.Linear):
            known = trace.values[source].dim() == 2
        else:
            known = layer.groups in (1, layer.in_channels)
        return cls(source, masked, _norm_of(node, trace)) if known else None

    def alive(self, *inputs: Tensor) -> Tensor:
        return self.on & (inputs[0].any() if self.own is None else inputs[0][self.own])

    def needs(self, wanted: Tensor) -> tuple[Tensor, ...]:
        if self.own is None:
            return (wanted.any().expand(self.layer.weight.shape[1]),)
        return (torch.isin(self.own.unique(), self.own[wanted]),)

    def build(self, node: fx.Node, builder: Builder) -> Placed:
        ids = builder.wanted[node]
        placed = self._place(builder, node, ids) if len(ids) else NOTHING
        if self.norm is not None:
            builder.placed[self.norm[0]] = placed
        return placed

    def _place(self, builder: Builder, node: fx.Node, ids: Tensor) -> Placed:
        (source,) = self.inputs
        inputs = builder.placed[source].channels if self.own is None else self.own[ids]
        constants = self.layer(builder.trace.values[source].index_fill(1, inputs, 0))[0, ids]
        weight = self.layer.weight[ids]
        if self.own is None:
            weight = weight[:, inputs]
        gain, shift = self.masked.gain[ids], self.masked.shift[ids]
        scale, offset = torch.ones_like(gain), torch.zeros_like(shift)
        if self.norm is not None:
            scale, offset = (each[ids] for each in self.norm[1])
        if builder.learns and self.masked.rescales:
            inner = resized(self.layer, _scaled(weight, scale), _scaled(constants, scale))
            name = str(node.target).removeprefix("blocks.module.")
            layer: nn.Module = Rescaled(name, inner, (gain, shift), (scale, offset), ids)
        else:
            constants = _scaled(constants, gain * scale) + _like(shift * scale + offset, constants)
            layer = resized(self.layer, _scaled(weight, gain * scale), constants)
        return Placed(builder.call(node, layer, builder.take(source, inputs)), ids)


def _scaled(values: Tensor, scale: Tensor) -> Tensor:
    """``values`` [filters, …], each filter's times its own ``scale``."""
    return values * _like(scale, values)


def _like(each: Tensor, values: Tensor) -> Tensor:
    return each.view(-1, *[1] * (values.dim() - 1))


class Norm(Rule):
    """Batch normalisation by fixed statistics that no layer could take in."""

    def __init__(self, source: fx.Node, scale: Tensor, shift: Tensor) -> None:
        super().__init__(source)
        self.scale, self.shift = scale, shift

    @classmethod
    def match(cls, node: fx.Node, trace: Trace) -> Rule | None:
        norm, source = scale_and_shift(trace.target(node)), only_input(node, trace)
        return cls(source, *norm) if source is not None and norm is not None else None

    def alive(self, *inputs: Tensor) -> Tensor:
        return inputs[0]

    def needs(self, wanted: Tensor) -> tuple[Tensor, ...]:
        return (wanted,)

    def build(self, node: fx.Node, builder: Builder) -> Placed:
        placed = builder.placed[self.inputs[0]]
        if placed.node is None:
            return NOTHING
        module = Affine(self.scale[placed.channels], self.shift[placed.channels])
        return Placed(builder.call(node, module, placed.node), placed.channels)


def scale_and_shift(norm: object) -> ScaleShift | None:
    """γ/σ and β − γμ/σ of a BN with statistics of its own, [C] each; None for anything else."""
    if not isinstance(norm, nn.BatchNorm2d):
        return None
    mean, variance = norm.running_mean, norm.running_var
    if not isinstance(mean, Tensor) or not isinstance(variance, Tensor):
        return None
    scale, bias = (variance + norm.eps).rsqrt(), torch.zeros_like(mean)
    if norm.affine:
        scale, bias = scale * norm.weight, norm.bias
    return scale, bias - scale * mean


def _norm_of(node: fx.Node, trace: Trace) -> tuple[fx.Node, ScaleShift] | None:
    """The BN that alone takes a layer's result."""
    users = list(node.users)
    norm = scale_and_shift(trace.target(users[0])) if len(users) == 1 else None
    return None if norm is None else (users[0], norm)
