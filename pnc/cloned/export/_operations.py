"""The operations that a listing may name, and its arguments as JSON.

A file may name PyTorch's core ATen operators, which are functional and documented to stay, some composites of them
that run faster or on any memory layout as they are, and arithmetic on sizes. Nothing else can be called by a file.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from pnc.base.errors import bad

KEPT = (
    "aten._upsample_bicubic2d_aa.default", "aten._upsample_bilinear2d_aa.default", "aten.adaptive_avg_pool2d.default",
    "aten.conv2d.default", "aten.conv2d.padding", "aten.linear.default", "aten.max_pool2d.default",
    "aten.reshape.default",
)  # fmt: skip
SIZES = {function.__name__: function for function in (operator.add, operator.floordiv, operator.mul, operator.sub)}
FUNCTIONS = {"getitem": operator.getitem, **SIZES}
CONSTANTS = {"dtype": torch.dtype, "layout": torch.layout, "memory_format": torch.memory_format}


@dataclass(frozen=True)
class Ref:
    """The value with this number."""

    number: int


class Device:
    """Stands for the device of the input."""


def operation(name: str) -> Callable[..., Any]:
    """The operation called ``name``. Raises PncError for one that a listing must not name."""
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    found: Any = torch.ops
    for part in name.split("."):
        found = getattr(found, part, None)
    known = isinstance(found, torch._ops.OpOverload) and str(found) == name
    if not known or not (name in KEPT or torch.Tag.core in found.tags):
        raise bad("an operation", expected="one of PyTorch's core operations", found=repr(name))
    return found


def name_of(target: Any) -> str:
    """What a listing calls the operation of a graph's node. Raises PncError for one that it must not name."""
    name = next((known for known, function in FUNCTIONS.items() if target is function), str(target))
    name = "aten.reshape.default" if name == "aten.view.default" else name  # whatever the layout of its input
    operation(name)
    return name


def encode(value: Any, numbers: dict[fx.Node, int]) -> Any:
    """An argument of a graph's node as JSON has it. Raises PncError for what JSON cannot say."""
    if isinstance(value, fx.Node):
        return {"value": numbers[value]}
    if isinstance(value, list | tuple):
        return [encode(item, numbers) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, torch.device):
        return {"device": "input"}
    for kind, known in CONSTANTS.items():
        if isinstance(value, known):
            return {kind: str(value).removeprefix("torch.")}
    raise bad("an operation's argument", expected="numbers, names and sizes", found=type(value).__name__)


def decode(value: Any) -> Any:
    """``encode``, back; values become a ``Ref``."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "value":
        return Ref(int(content))
    if kind == "device":
        return Device()
    constant = getattr(torch, str(content), None)
    if not isinstance(constant, CONSTANTS[kind]):
        raise bad(f"a {kind}", expected="one of PyTorch's", found=repr(content))
    return constant


def refs(value: Any) -> set[int]:
    """The numbers of all values in a decoded argument."""
    if isinstance(value, Ref):
        return {value.number}
    return set().union(*map(refs, value)) if isinstance(value, list) else set()
