"""Rules for operations that only move channels: they cost nothing, or one copy of the channels that are alive."""

import operator

import torch
from torch import Tensor, fx, nn

from pnc.cloning.slicing._build import NOTHING, Builder, Placed
from pnc.cloning.slicing._rules import Rule, among, only_input
from pnc.cloning.slicing._trace import Trace

CONCATENATIONS = (torch.cat, torch.concat)
SPLITS = (torch.chunk, torch.split, "chunk", "split")


class Selection(Rule):
    """Channel c of the result is channel ``origin[c]`` of the input, all distinct: shuffles, and pieces of splits."""

    def __init__(self, source: fx.Node, origin: Tensor, channels: int) -> None:
        super().__init__(source)
        self.origin = origin
        self.channels = channels

    @classmethod
    def match(cls, node: fx.Node, trace: Trace) -> Rule | None:
        split = node.args[0] if node.target is operator.getitem else None
        if isinstance(split, fx.Node) and is_split(split, trace):
            return cls._piece(split, int(node.args[1]), trace)  # type: ignore[arg-type]
        return cls._shuffle(node, trace)

    @classmethod
    def _piece(cls, split: fx.Node, index: int, trace: Trace) -> Rule:
        source = split.all_input_nodes[0]
        channels = torch.arange(trace.values[source].shape[1])
        sizes = [piece.shape[1] for piece in trace.values[split]]
        return cls(source, channels.split(sizes)[index], len(channels))

    @classmethod
    def _shuffle(cls, node: fx.Node, trace: Trace) -> Rule | None:
        target, source = trace.target(node), only_input(node, trace)
        named = node.op == "call_function" and getattr(target, "__name__", "") == "channel_shuffle"
        if source is None or not (named or isinstance(target, nn.ChannelShuffle)):
            return None
        channels = trace.values[source].shape[1]
        moved = target(torch.arange(channels).view(1, -1, 1, 1), *node.args[1:], **node.kwargs)
        return cls(source, moved.flatten(), channels)

    def alive(self, *inputs: Tensor) -> Tensor:
        return inputs[0][self.origin]

    def needs(self, wanted: Tensor) -> tuple[Tensor, ...]:
        return (torch.zeros(self.channels, dtype=torch.bool).index_fill(0, self.origin[wanted], True),)

    def build(self, node: fx.Node, builder: Builder) -> Placed:
        (source,) = self.inputs
        ids = among(builder.placed[source].channels, self.origin[builder.wanted[node]])
        if not len(ids):
            return NOTHING
        destination = torch.empty(self.channels, dtype=torch.long)
        destination[self.origin] = torch.arange(len(self.origin))
        return Placed(builder.take(source, ids), destination[ids])


class Split(Rule):
    """The tuple that a split yields; its pieces are taken from the input right away."""

    @classmethod
    def match(cls, node: fx.Node, trace: Trace) -> Rule | None:
        return cls() if is_split(node, trace) else None

    def alive(self, *inputs: Tensor) -> Tensor:
        return torch.zeros(0, dtype=torch.bool)

    def needs(self, wanted: Tensor) -> tuple[Tensor, ...]:
        return ()

    def build(self, node: fx.Node, builder: Builder) -> Placed:
        return NOTHING


class Concatenation(Rule):
    """Channels of several inputs, one after another."""

    def __init__(self, sources: list[fx.Node], widths: list[int]) -> None:
        super().__init__(*sources)
        self.widths = widths

    @classmethod
    def match(cls, node: fx.Node, trace: Trace) -> Rule | None:
        if node.target not in CONCATENATIONS or _dimension(node, 1) != 1:
            return None
        sources = node.all_input_nodes
        widths = [width for width in map(trace.channels, sources) if width is not None]
        return cls(sources, widths) if sum(widths) == trace.channels(node) else None

    def alive(self, *inputs: Tensor) -> Tensor:
        return torch.cat(inputs)

    def needs(self, wanted: Tensor) -> tuple[Tensor, ...]:
        return wanted.split(self.widths)

    def build(self, node: fx.Node, builder: Builder) -> Placed:
        placed = [builder.placed[source] for source in self.inputs]
        nodes = [each.node for each in placed if each.node is not None]
        if not nodes:
            return NOTHING
        starts = torch.tensor([0, *self.widths]).cumsum(0)
        ids = torch.cat([each.channels + start for each, start in zip(placed, starts[:-1], strict=True)])
        return Placed(nodes[0] if len(nodes) == 1 else builder.function(torch.cat, nodes, 1), ids)


class Flattening(Rule):
    """[N, C, H, W] to [N, C·H·W]: each channel becomes H·W of them."""

    def __init__(self, source: fx.Node, area: int) -> None:
        super().__init__(source)
        self.area = area

    @classmethod
    def match(cls, node: fx.Node, trace: Trace) -> Rule | None:
        source, target = only_input(node, trace), trace.target(node)
        start = target.start_dim if isinstance(target, nn.Flatten) else _dimension(node, 1)
        known = isinstance(target, nn.Flatten) or node.target in (torch.flatten, "flatten")
        if source is None or not known or start != 1 or trace.values[node].dim() != 2:
            return None
        return cls(source, trace.values[source][0, 0].numel())

    def alive(self, *inputs: Tensor) -> Tensor:
        return inputs[0].repeat_interleave(self.area)

    def needs(self, wanted: Tensor) -> tuple[Tensor, ...]:
        return (wanted.view(-1, self.area).any(1),)

    def build(self, node: fx.Node, builder: Builder) -> Placed:
        (source,) = self.inputs
        placed = builder.placed[source]
        if placed.node is None:
            return NOTHING
        ids = placed.channels[:, None] * self.area + torch.arange(self.area)
        return Placed(builder.copy(node, {source: placed.node}), ids.flatten())


def is_split(node: fx.Node, trace: Trace) -> bool:
    """Whether ``node`` splits a batch into groups of channels that are then used one by one."""
    pieces = all(user.target is operator.getitem and isinstance(user.args[1], int) for user in node.users)
    return node.target in SPLITS and _dimension(node, 2) == 1 and only_input(node, trace) is not None and pieces


def _dimension(node: fx.Node, place: int) -> object:
    """The dimension that ``node`` works along: an argument by name or place, 0 if not given."""
    for name in ("dim", "start_dim"):
        if name in node.kwargs:
            return node.kwargs[name]
    return node.args[place] if len(node.args) > place else 0
