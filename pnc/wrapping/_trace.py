"""A classifier as a graph of plain layers, from pictures to logits."""

import operator
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from pnc.base.errors import bad
from pnc.wrapping._plain import SamePad

NOTHING_IN_EVAL = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)
OUT_OF_PLACE = {operator.iadd: operator.add, operator.imul: operator.mul}


@dataclass(frozen=True, eq=False)
class Traced:
    """``graph`` over the layers of ``model``; ``results`` says which node a module's call yielded, by its name."""

    model: nn.Module
    graph: fx.Graph
    results: dict[str, fx.Node]

    def module(self, node: fx.Node) -> nn.Module | None:
        """The layer that ``node`` calls."""
        return self.model.get_submodule(str(node.target)) if node.op == "call_module" else None


def trace(model: nn.Module) -> Traced:
    """Follow ``model``, in eval mode, down to its layers.

    A module that torch.fx cannot follow, because it looks at sizes or values, stays whole. Dropout and its like are
    left out, and nothing works in place: features at block borders are used more than once. Raises PncError if the
    network's own ``forward`` cannot be followed.
    """
    tracer = _Tracer()
    try:
        graph = tracer.trace(Logits(model))
    except Exception as error:  # whatever a strange forward does when it is given no tensors
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise bad("network", expected="a forward pass that torch.fx can follow", found=reason) from None
    for node in graph.nodes:
        if node.op in ("call_module", "get_attr"):
            node.target = node.target.removeprefix("model.")
    results = {name.removeprefix("model."): node for name, node in tracer.results.items()}
    traced = Traced(model, graph, results)
    for node in list(graph.nodes):
        _simplify(node, traced)
    for node in reversed(graph.nodes):
        if not node.users and node.op not in ("placeholder", "output"):
            graph.erase_node(node)
    return traced


class Logits(nn.Module):
    """``model``'s logits, as a tensor: Hugging Face's classifiers return them as one of several fields."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        found: Any = self.model(x)
        logits: Tensor = found if isinstance(found, Tensor | fx.Proxy) else found.logits  # type: ignore[assignment]
        return logits


class _Tracer(fx.Tracer):
    def __init__(self) -> None:
        super().__init__(autowrap_functions=_channel_shuffles())
        self.results: dict[str, fx.Node] = {}
        self._whole: set[str] = set()

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        layer = isinstance(module, nn.Conv2d | nn.Linear | nn.MaxPool2d | SamePad)
        return layer or name in self._whole or super().is_leaf_module(module, name)

    def call_module(self, module: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        name, held, stack = self.path_of_module(module), len(self.graph.nodes), dict(self.module_stack)
        try:
            found = super().call_module(module, forward, args, kwargs)
        except Exception:
            if name == "model":
                raise
            for node in list(reversed(self.graph.nodes))[: len(self.graph.nodes) - held]:
                self.graph.erase_node(node)
            self.module_stack.clear()
            self.module_stack.update(stack)
            self._whole.add(name)
            found = super().call_module(module, forward, args, kwargs)
        if isinstance(found, fx.Proxy):
            self.results[name] = found.node
        return found


def _channel_shuffles() -> tuple[Callable[..., Any], ...]:
    """torchvision's channel shuffle as one node, as the slices know it, if its network is in use at all."""
    module = sys.modules.get("torchvision.models.shufflenetv2")
    return () if module is None else (module.channel_shuffle,)


def _simplify(node: fx.Node, traced: Traced) -> None:
    node.meta = {}
    if node.target is torch._assert:
        traced.graph.erase_node(node)
        return
    if node.kwargs.get("inplace"):
        node.kwargs = {**node.kwargs, "inplace": False}
    if node.op == "call_function":
        node.target = OUT_OF_PLACE.get(node.target, node.target)  # type: ignore[arg-type]
    if _does_nothing(node, traced):
        source = node.all_input_nodes[0]
        node.replace_all_uses_with(source)
        traced.graph.erase_node(node)
        for name, result in traced.results.items():
            if result is node:
                traced.results[name] = source


def _does_nothing(node: fx.Node, traced: Traced) -> bool:
    if node.op == "call_module":
        return isinstance(traced.module(node), NOTHING_IN_EVAL)
    training = node.kwargs.get("training", node.args[-1] if node.args else None)
    name = getattr(node.target, "__name__", "")
    return name in ("dropout", "dropout2d", "stochastic_depth") and training is False
