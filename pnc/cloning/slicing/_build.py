"""The sliced graph while it is being built."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from pnc.cloning.slicing._modules import Constant, Fill, Take
from pnc.cloning.slicing._trace import Trace


@dataclass(frozen=True)
class Placed:
    """Where a value of the masked tail is found in the sliced one.

    ``node`` yields the channels ``ids``, in that order; None if it holds no channel at all. ``ids`` is None where
    ``node`` yields the value as it was.
    """

    node: fx.Node | None
    ids: Tensor | None

    @property
    def channels(self) -> Tensor:
        """``ids``, of a value that has channels."""
        assert self.ids is not None
        return self.ids


NOTHING = Placed(None, torch.zeros(0, dtype=torch.long))


class Builder:
    """Collects the nodes and modules of the sliced tail; ``placed`` knows what has become of each old node.

    ``wanted`` holds, for each old node with channels, those that are alive and that a later node needs. If it
    ``learns``, what rescaled layers multiply and add stays apart from their weights.
    """

    def __init__(self, trace: Trace, wanted: dict[fx.Node, Tensor], *, learns: bool = False) -> None:
        self.trace = trace
        self.learns = learns
        self.wanted = {node: channels.nonzero().flatten() for node, channels in wanted.items()}
        self._graph = fx.Graph()
        self._modules: dict[str, Any] = {}
        self._filled: dict[fx.Node, fx.Node] = {}
        self._input = self._graph.placeholder("h")
        entry = next(node for node in trace.graph.nodes if node.op == "placeholder")
        self.placed = {entry: Placed(self._input, torch.arange(trace.values[entry].shape[1]))}

    def finish(self) -> fx.GraphModule:
        self._graph.lint()
        return fx.GraphModule(self._modules, self._graph, "SlicedBlocks")

    def call(self, old: fx.Node, module: nn.Module, *inputs: fx.Node) -> fx.Node:
        """A node that calls ``module``, named after the ``old`` one."""
        name = str(old.target) if old.op == "call_module" else old.name
        return self._graph.call_module(self._register(name, module), inputs)

    def function(self, function: Any, *arguments: Any) -> fx.Node:
        return self._graph.call_function(function, arguments)

    def copy(self, old: fx.Node, inputs: dict[fx.Node, fx.Node]) -> fx.Node:
        """The same operation as ``old``, on other inputs."""
        node = self._graph.node_copy(old, inputs.__getitem__)
        if old.op in ("call_module", "get_attr"):
            node.target = self._register(str(old.target), self.trace.target(old))
        return node

    def take(self, old: fx.Node, ids: Tensor) -> fx.Node:
        """A node that yields the channels ``ids`` of ``old``, all of them alive and wanted."""
        placed = self.placed[old]
        assert placed.node is not None
        if torch.equal(placed.channels, ids):
            return placed.node
        position = torch.empty(self.trace.values[old].shape[1], dtype=torch.long)
        position[placed.channels] = torch.arange(len(placed.channels))
        return self.call(old, Take(position[ids]), placed.node)

    def full(self, old: fx.Node) -> fx.Node:
        """A node that yields all that ``old`` did, constants included."""
        placed = self.placed[old]
        if placed.ids is None and placed.node is not None:
            return placed.node
        if old not in self._filled:
            self._filled[old] = self._fill(old, placed)
        return self._filled[old]

    def _fill(self, old: fx.Node, placed: Placed) -> fx.Node:
        base, ids = self.trace.values[old], placed.ids
        if placed.node is None or ids is None:
            return self.call(old, Constant(base), self._input)
        if torch.equal(ids, torch.arange(base.shape[1])):
            return placed.node
        return self.call(old, Fill(base.index_fill(1, ids, 0), ids), placed.node)

    def _register(self, name: str, value: Any) -> str:
        while self._modules.get(name, value) is not value:
            name += "_"
        self._modules[name] = value
        return name
