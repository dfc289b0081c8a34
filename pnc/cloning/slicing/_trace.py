"""A masked tail as a graph, together with every value inside it."""

import operator
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from pnc.base.errors import bad
from pnc.cloning.masks import MaskedLayer


@dataclass(frozen=True)
class Trace:
    """``tail`` as a graph, and what its nodes yield for one input.

    A channel that M leaves dead yields the same for every input, so its constant can be read off ``values``.
    """

    tail: nn.Module
    graph: fx.Graph
    values: Mapping[fx.Node, Any]

    def channels(self, node: fx.Node) -> int | None:
        """How many channels ``node`` yields; None for what is not a batch [N, C, …]."""
        value = self.values[node]
        batch = isinstance(value, Tensor) and value.dim() > 1 and node.op != "get_attr"
        return value.shape[1] if batch else None

    def target(self, node: fx.Node) -> Any:
        """The module, tensor, function or method name that ``node`` calls or gets."""
        if node.op in ("call_module", "get_attr"):
            return operator.attrgetter(str(node.target))(self.tail)
        return node.target


def trace(tail: nn.Module, h: Tensor) -> Trace:
    """Follow ``tail`` on the features ``h`` [1, C, H, W].

    Raises PncError if torch.fx cannot follow its blocks, or if they cannot take ``h``.
    """
    try:
        graph = _Tracer(autowrap_functions=_channel_shuffles()).trace(tail)
    except (fx.proxy.TraceError, RuntimeError, TypeError) as error:
        raise bad("the tail", expected="blocks that torch.fx can trace", found=error) from None
    recorder = _Recorder(fx.GraphModule(tail, graph))
    try:
        with torch.no_grad():
            recorder.run(h)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise bad("example", expected="features that the tail takes", found=f"{list(h.shape)} ({reason})") from None
    return Trace(tail, graph, recorder.values)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        own = isinstance(module, MaskedLayer | nn.MaxPool2d)  # ours branch on what they are called with
        return own or super().is_leaf_module(module, name)


class _Recorder(fx.Interpreter):
    """Keeps a copy of every node's value: later nodes may work in place."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.values: dict[fx.Node, Any] = {}

    def run_node(self, node: fx.Node) -> Any:
        value = super().run_node(node)
        self.values[node] = value.clone() if isinstance(value, Tensor) else value
        return value


def _channel_shuffles() -> tuple[Callable[..., Any], ...]:
    """torchvision's channel shuffle as one node, if its network is in use at all."""
    module = sys.modules.get("torchvision.models.shufflenetv2")
    return () if module is None else (module.channel_shuffle,)
