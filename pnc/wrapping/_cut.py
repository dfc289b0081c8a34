"""The cut of a graph into blocks, pooling and head, at seams: results on which alone everything later depends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from pnc.base.errors import bad
from pnc.wrapping._trace import Traced

POOLS: tuple[Any, ...] = (
    nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.AvgPool2d, nn.MaxPool2d, nn.Flatten,
)  # fmt: skip
POOLING = (
    F.adaptive_avg_pool2d, F.adaptive_max_pool2d, F.avg_pool2d, F.max_pool2d, torch.flatten, torch.mean, getattr,
    "mean", "amax", "flatten", "view", "reshape", "squeeze", "size",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Cut:
    """A network's parts; every one but the head is a torch.fx graph over the layers of the network itself."""

    blocks: list[nn.Module]
    pool: nn.Module
    head: nn.Linear


class Chain:
    """The operations of a network in order, pictures first and the head's input last."""

    def __init__(self, traced: Traced, head: str | None, pictures: Tensor) -> None:
        self.traced = traced
        last, self.head = _head(traced, head)
        order = [node for node in traced.graph.nodes if node.op != "get_attr"]
        self.nodes: list[fx.Node] = order[: order.index(last) + 1]
        self.shapes = _shapes(traced, pictures)
        self.place = {node: index for index, node in enumerate(self.nodes)}
        self.seams = self._seams()
        self.layers = [index for index, node in enumerate(self.nodes) if has_layers(traced.module(node))]
        if not self.layers:
            raise bad("network", expected="convolutions before its head", found="none")

    def _seams(self) -> list[int]:
        """Places of the tensors that no later operation looks past."""
        found, reach = [], 0
        for index, node in enumerate(self.nodes):
            if reach <= index and self.shapes.get(node) is not None:
                found.append(index)
            uses = [self.place.get(user, len(self.nodes)) for user in node.users]
            if index < len(self.nodes) - 1:
                reach = max(reach, *uses, 0)
        return found

    def shape(self, index: int) -> torch.Size:
        shape = self.shapes[self.nodes[index]]
        assert shape is not None
        return shape

    def has_layers(self, start: int, stop: int) -> bool:
        """Whether a convolution or fully connected layer lies behind ``start``, up to ``stop``."""
        return any(start < index <= stop for index in self.layers)

    def end(self) -> int:
        """Where the last block ends: behind the last layer, before what only pools."""
        later = [index for index in self.seams if index >= self.layers[-1]]
        for index in later[:-1]:
            node = self.nodes[index + 1]
            if node.target in POOLING or isinstance(self.traced.module(node), POOLS):
                return index
            before, after = self.shape(index), self.shapes.get(node)
            if after is not None and (len(after) != len(before) or _area(after) < _area(before)):
                return index
        return later[-1]

    def stages(self) -> list[int]:
        """Places where the picture shrinks: before a layer with a stride, behind a pool."""
        borders, held = [], 0
        for index in self.seams:
            if len(self.shape(index)) != 4 or _area(self.shape(index)) > _area(self.shape(held)):
                continue  # flattened, or only padded for the next layer
            if _area(self.shape(index)) < _area(self.shape(held)):
                borders.append(held if self.has_layers(held, index) else index)
            held = index
        return borders

    def named(self, names: Sequence[str]) -> list[int]:
        """Places of the named modules' results. Raises PncError for one that is no seam."""
        places = []
        for name in names:
            place = self.place.get(self.traced.results.get(name))  # type: ignore[arg-type]
            if place is None or place not in self.seams:
                found = "one that is not called by itself" if place is None else "one with a way around it"
                raise bad(f"block {name!r}", expected="a module whose result is all that later ones see", found=found)
            places.append(place)
        return places

    def split(self, borders: Sequence[int]) -> Cut:
        """Blocks that end at ``borders``, so far as each has a layer; the last one ends where pooling begins."""
        end, starts = self.end(), [0]
        for border in borders:
            if self.has_layers(starts[-1], border) and self.has_layers(border, end):
                starts.append(border)
        blocks = [self.part(*ends) for ends in pairwise([*starts, end])]
        return Cut(blocks, self.part(end, len(self.nodes) - 1), self.head)

    def part(self, start: int, stop: int) -> nn.Module:
        """What happens behind ``start`` up to ``stop``, as a module on the network's own layers."""
        if start == stop:
            return nn.Identity()
        graph = fx.Graph()
        held: dict[fx.Node, fx.Node] = {self.nodes[start]: graph.placeholder("h")}
        for node in self.nodes[start + 1 : stop + 1]:
            for source in node.all_input_nodes:
                if source.op == "get_attr" and source not in held:
                    held[source] = graph.node_copy(source)
            held[node] = graph.node_copy(node, held.__getitem__)
        graph.output(held[self.nodes[stop]])
        return fx.GraphModule(self.traced.model, graph, "Part")


def has_layers(module: nn.Module | None) -> bool:
    """Whether ``module`` is or holds a convolution or fully connected layer."""
    return module is not None and any(isinstance(each, nn.Conv2d | nn.Linear) for each in module.modules())


def _area(shape: torch.Size) -> int:
    return shape[2:].numel()


def _head(traced: Traced, name: str | None) -> tuple[fx.Node, nn.Linear]:
    """The head and the node that enters it."""
    result = next(node for node in traced.graph.nodes if node.op == "output").args[0]
    module = traced.module(result) if isinstance(result, fx.Node) else None
    if not isinstance(result, fx.Node) or not isinstance(module, nn.Linear):
        target = getattr(result, "target", result)
        found = getattr(target, "__name__", target) if module is None else type(module).__name__
        raise bad("the network's head", expected="a last layer nn.Linear whose result are the logits", found=found)
    if name is not None and traced.results.get(name) is not result:
        raise bad("head", expected=f"the layer that yields the logits, {result.target!r}", found=repr(name))
    return result.all_input_nodes[0], module


def _shapes(traced: Traced, pictures: Tensor) -> Mapping[fx.Node, torch.Size | None]:
    recorder = _Recorder(fx.GraphModule(traced.model, traced.graph))
    with torch.no_grad():
        recorder.run(pictures)
    return recorder.shapes


class _Recorder(fx.Interpreter):
    """The shape of every tensor; None for what is none."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.shapes: dict[fx.Node, torch.Size | None] = {}

    def run_node(self, node: fx.Node) -> Any:
        value = super().run_node(node)
        self.shapes[node] = value.shape if isinstance(value, Tensor) else None
        return value
