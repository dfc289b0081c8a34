"""Cuts a hardened masked tail down to the filters that it keeps."""

import copy

import torch
from torch import Tensor, fx, nn

from pnc.arch import Normalise
from pnc.arch.twin import Twin
from pnc.base.errors import bad
from pnc.base.seeds import generator
from pnc.cloning.candidate import Candidate
from pnc.cloning.slicing._build import Builder
from pnc.cloning.slicing._layers import Layer, Norm
from pnc.cloning.slicing._modules import Rescaled
from pnc.cloning.slicing._movement import Concatenation, Flattening, Selection, Split
from pnc.cloning.slicing._rules import Addition, FullWidth, PerChannel, Rule
from pnc.cloning.slicing._trace import Trace, trace
from pnc.cloning.tail import MaskedTail

RULES = (Layer, Norm, PerChannel, Addition, Split, Selection, Concatenation, Flattening)
TOLERANCE = 1e-6  # of the largest value; in float64 a right slice is at 1e-13


class SlicedTail(nn.Module):
    """What ``slice_tail`` makes: features [N, C, H, W] of ``shape`` (C, H, W) → embedding [N, d_s].

    It is in eval mode for good, and has no weights to train, but for the gains and shifts of one that ``learns``.
    """

    def __init__(self, body: nn.Module, shape: torch.Size) -> None:
        super().__init__()
        self.body = body.requires_grad_(False)
        self.shape = shape
        self.train(False)
        for parameter in self.learned():
            parameter.requires_grad_(True)

    def learned(self) -> list[nn.Parameter]:
        """Gains and shifts; empty unless the tail was sliced to learn them."""
        return [parameter for layer in self._rescaled() for parameter in (layer.gain, layer.shift)]

    def write_back(self, tail: MaskedTail) -> None:
        """Give ``tail``, the one that this is a slice of, the gains and shifts that were learned."""
        layers = dict(tail.masked_layers())
        for layer in self._rescaled():
            layers[layer.name].rescale(layer.filters, *layer.in_front_of_norm())

    def _rescaled(self) -> list[Rescaled]:
        return [module for module in self.body.modules() if isinstance(module, Rescaled)]

    def train(self, mode: bool = True) -> "SlicedTail":
        """Stay in eval mode whatever ``mode`` asks for: training would overwrite batch statistics."""
        del mode
        return super().train(False)

    def forward(self, h: Tensor) -> Tensor:
        if h.shape[1:] != self.shape:
            raise bad("features of a sliced tail", expected=["N", *self.shape], found=list(h.shape))
        return self.body(h)


def slice_tail(tail: MaskedTail, example: Tensor, *, learns: bool = False) -> SlicedTail:
    """The hardened ``tail`` without the filters that M drops; ``example`` [1, C, H, W] are features that enter it.

    Gives the same embedding [N, d_s], at full width and in the same order, from copies of what is kept. A dropped
    filter leaves a constant, which becomes part of the next layer's bias, or of a constant map where zero padding
    makes borders differ: hence features must always have the example's shape. If it ``learns``, the gains and shifts
    of a tail whose reading is "rescaled" are its parameters.

    Raises PncError if ``tail`` is not hardened, if ``example`` does not fit it, or if it cannot be traced.
    """
    _check(tail, example)
    wide = copy.deepcopy(tail).to("cpu", torch.float64).requires_grad_(False)
    for module in wide.modules():
        if hasattr(module, "inplace"):  # values that were separate may share a tensor now
            module.inplace = False  # type: ignore[assignment]
    with torch.no_grad():
        body = _slice(wide, example[:1].shape, learns)
        _verify(wide, body, example[:1].to("cpu", torch.float64))
    like = next(tail.parameters(), example)
    return SlicedTail(body.to(like.device, like.dtype), example.shape[1:])


@torch.no_grad()
def slice_clone(clone: Candidate, entering: Tensor) -> Candidate:
    """``clone`` with its tail sliced, for the target's features ``entering`` [1, C, H, W] at R_t.

    A and F_c's rows share their storage with ``clone``'s, as does a tail that is sliced already. Raises as
    ``slice_tail``.
    """
    masked = isinstance(clone.tail, MaskedTail)
    tail = slice_tail(clone.tail, clone.adapter(entering)) if masked else Twin(clone.tail).module
    return Candidate(clone.position, Twin(clone.adapter).module, tail, Twin(clone.rows).module)  # type: ignore[arg-type]


def _check(tail: MaskedTail, example: Tensor) -> None:
    if tail.scores():
        raise bad("the tail to slice", expected="a hardened one", found="one with learnable scores")
    if example.dim() != 4 or len(example) == 0:
        raise bad("example", expected="features [1, C, H, W]", found=list(example.shape))
    for module in tail.modules():
        if isinstance(module, Normalise) and len(module.mean) != example.shape[1]:
            raise bad("example", expected=f"{len(module.mean)} channels", found=example.shape[1])


def _slice(wide: MaskedTail, shape: torch.Size, learns: bool) -> fx.GraphModule:
    noise = torch.randn(shape, generator=generator(0, "slicing"), dtype=torch.float64)
    traced = trace(wide, noise)
    nodes = [node for node in traced.graph.nodes if node.op != "placeholder"]
    rules = {node: _rule(node, traced) for node in nodes}
    builder = Builder(traced, _wanted(traced, rules), learns=learns)
    for node in nodes:
        if node not in builder.placed:
            builder.placed[node] = rules[node].build(node, builder)
    return builder.finish()


def _rule(node: fx.Node, traced: Trace) -> Rule:
    matches = (rule.match(node, traced) for rule in RULES)
    return next((rule for rule in matches if rule is not None), None) or FullWidth(node, traced)


def _wanted(traced: Trace, rules: dict[fx.Node, Rule]) -> dict[fx.Node, Tensor]:
    """For every node with channels, boolean [C]: those that are alive, and that the embedding depends on."""
    alive = {node: torch.ones(traced.channels(node) or 0, dtype=torch.bool) for node in traced.graph.nodes}
    for node, rule in rules.items():
        alive[node] = rule.alive(*(alive[source] for source in rule.inputs))
    wanted = {node: torch.zeros_like(channels) for node, channels in alive.items()}
    for node, rule in reversed(rules.items()):
        for source, needed in zip(rule.inputs, rule.needs(wanted[node]), strict=True):
            wanted[source] |= needed & alive[source]
    return wanted


def _verify(wide: MaskedTail, body: nn.Module, h: Tensor) -> None:
    """Raise PncError for a slice that differs from the masked tail, as blocks that work in place could cause."""
    expected = wide(h)
    error = float((body(h) - expected).abs().max() / expected.abs().max().clamp_min(1e-9))
    if not error <= TOLERANCE:
        raise bad("the sliced tail", expected="the masked tail's embedding", found=f"a relative error of {error:.1e}")
