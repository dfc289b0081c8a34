"""What each operation of a tail does to channels: which stay alive, which it needs, and what it becomes.

A channel is *alive* where it depends on the tail's input; every other one is a constant. There are rules for what
convolutional networks are made of. An operation without one gets its operands at full width, and so is right at
no saving.
"""

import operator
from abc import ABC, abstractmethod

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from pnc.cloning.slicing._build import NOTHING, Builder, Placed
from pnc.cloning.slicing._modules import Sum
from pnc.cloning.slicing._trace import Trace

PER_CHANNEL_MODULES = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Hardsigmoid, nn.Sigmoid, nn.Tanh,
    nn.Identity, nn.Dropout, nn.Dropout2d, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d,
)  # fmt: skip
PER_CHANNEL_CALLS = (
    F.relu, F.relu6, F.leaky_relu, F.gelu, F.silu, F.hardswish, F.avg_pool2d, F.adaptive_avg_pool2d, torch.relu,
    torch.max_pool2d, torch.sigmoid, torch.tanh, "relu", "sigmoid", "tanh", "contiguous",
)  # fmt: skip
ADDITIONS = (operator.add, operator.iadd, torch.add, "add", "add_")


class Rule(ABC):
    """One node's effect on channels; ``inputs`` are those of its operands that have channels."""

    def __init__(self, *inputs: fx.Node) -> None:
        self.inputs = inputs

    @abstractmethod
    def alive(self, *inputs: Tensor) -> Tensor:
        """Boolean [C]: the channels that depend on the tail's input, given those of the ``inputs``."""

    @abstractmethod
    def needs(self, wanted: Tensor) -> tuple[Tensor, ...]:
        """Boolean [C_i] for each of the ``inputs``: the channels that the ``wanted`` ones are computed from."""

    @abstractmethod
    def build(self, node: fx.Node, builder: Builder) -> Placed:
        """Add ``node`` to the sliced tail."""


class FullWidth(Rule):
    """Any operation: its operands are filled up with their constants, its result is taken to be alive."""

    def __init__(self, node: fx.Node, trace: Trace) -> None:
        self.channels = trace.channels(node)
        self.widths = [(source, trace.channels(source)) for source in node.all_input_nodes]
        super().__init__(*(source for source, width in self.widths if width is not None))

    def alive(self, *inputs: Tensor) -> Tensor:
        return torch.ones(self.channels or 0, dtype=torch.bool)

    def needs(self, wanted: Tensor) -> tuple[Tensor, ...]:
        return tuple(torch.ones(width, dtype=torch.bool) for _, width in self.widths if width is not None)

    def build(self, node: fx.Node, builder: Builder) -> Placed:
        copy = builder.copy(node, {source: builder.full(source) for source in node.all_input_nodes})
        return Placed(copy, None if self.channels is None else torch.arange(self.channels))


class PerChannel(Rule):
    """Activations and pools: every channel by itself, and all of them alike."""

    @classmethod
    def match(cls, node: fx.Node, trace: Trace) -> Rule | None:
        known = isinstance(trace.target(node), PER_CHANNEL_MODULES) or node.target in PER_CHANNEL_CALLS
        source = only_input(node, trace)
        return cls(source) if known and source and trace.channels(node) == trace.channels(source) else None

    def alive(self, *inputs: Tensor) -> Tensor:
        return inputs[0]

    def needs(self, wanted: Tensor) -> tuple[Tensor, ...]:
        return (wanted,)

    def build(self, node: fx.Node, builder: Builder) -> Placed:
        (source,) = self.inputs
        placed = builder.placed[source]
        if placed.node is None:
            return NOTHING
        return Placed(builder.copy(node, {source: placed.node}), placed.ids)


class Addition(Rule):
    """a + b: alive where either is; where only one is, the other's constant stays."""

    @classmethod
    def match(cls, node: fx.Node, trace: Trace) -> Rule | None:
        sources = node.args
        if node.target not in ADDITIONS or len(sources) != 2 or node.kwargs:
            return None
        batches = [source for source in sources if isinstance(source, fx.Node) and trace.channels(source)]
        same = len(batches) == 2 and trace.values[batches[0]].shape == trace.values[batches[1]].shape
        return cls(*batches) if same else None

    def alive(self, *inputs: Tensor) -> Tensor:
        return inputs[0] | inputs[1]

    def needs(self, wanted: Tensor) -> tuple[Tensor, ...]:
        return wanted, wanted

    def build(self, node: fx.Node, builder: Builder) -> Placed:
        ids = builder.wanted[node]
        held = [among(builder.placed[source].channels, ids) for source in self.inputs]
        operands = [builder.take(source, own) for source, own in zip(self.inputs, held, strict=True) if len(own)]
        if not operands:
            return NOTHING
        if all(torch.equal(own, ids) for own in held):
            return Placed(builder.function(operator.add, *operands), ids)
        values = [builder.trace.values[source] for source in self.inputs]
        first, second = (value.index_fill(1, own, 0)[:, ids] for value, own in zip(values, held, strict=True))
        positions = [torch.searchsorted(ids, own) for own in held if len(own)]
        return Placed(builder.call(node, Sum(first + second, positions), *operands), ids)


def only_input(node: fx.Node, trace: Trace) -> fx.Node | None:
    """The node's operand, if it is the only one, comes first and has channels."""
    sources = node.all_input_nodes
    single = len(sources) == 1 and bool(node.args) and node.args[0] is sources[0]
    return sources[0] if single and trace.channels(sources[0]) is not None else None


def among(ids: Tensor, wanted: Tensor) -> Tensor:
    """Those of ``ids`` that are ``wanted``, in their order."""
    return ids[torch.isin(ids, wanted)]
