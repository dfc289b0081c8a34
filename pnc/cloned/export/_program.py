"""A network as data: a list of core operations and the tensors that they use, with neither pickle nor code."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export.graph_signature import InputKind, OutputKind

from pnc.base.errors import bad
from pnc.cloned.export._operations import KEPT, Device, Ref, decode, encode, name_of, operation, refs

Listing = dict[str, Any]


def list_program(exported: torch.export.ExportedProgram) -> tuple[Listing, dict[str, Tensor]]:
    """``exported``, of one input and one output, as a listing (for JSON) and its tensors by name.

    Values are numbered: the input is 0, then come the listing's ``tensors``, then the results of its ``steps``.
    Raises PncError for a program with an operation or an argument that a listing cannot hold.
    """
    table = torch.export.default_decompositions()
    for name in KEPT:
        table.pop(operation(name), None)
    core = exported.run_decompositions(table)
    signature = core.graph_signature
    if any(spec.kind != OutputKind.USER_OUTPUT for spec in signature.output_specs):
        raise bad("a network to list", expected="one that leaves its buffers alone", found="one that writes to them")
    needed = _needed(core.graph)
    nodes = {node.name: node for node in core.graph.nodes if node in needed}
    sources = {spec.arg.name: spec for spec in signature.input_specs if spec.arg.name in nodes}
    held = {name: _tensor(core, spec) for name, spec in sources.items() if spec.kind != InputKind.USER_INPUT}
    entry = next(node for node in core.graph.nodes if node.name in signature.user_inputs)
    numbers = {entry: 0} | {nodes[name]: index for index, name in enumerate(held, 1)}
    steps = []
    for node in core.graph.nodes:
        if node in needed and node.op == "call_function":
            arguments = encode(node.args, numbers), {key: encode(each, numbers) for key, each in node.kwargs.items()}
            steps.append([name_of(node.target), *arguments])
            numbers[node] = len(numbers)
    (result,) = core.graph.output_node().args[0]
    tensors = {str(sources[name].target): tensor for name, tensor in held.items()}
    listing = {
        "tensors": list(tensors),
        "channels_last": [name for name, tensor in tensors.items() if _channels_last(tensor)],
        "shape": list(entry.meta["val"].shape[1:]),
        "steps": steps,
        "output": numbers[result],
    }
    return listing, tensors


class Program(nn.Module):
    """Runs a listing: [N, *shape] → whatever it yields, for any N ≥ 1.

    It is frozen and has no modes. ``what`` is what errors call its input. Raises PncError for a listing that names
    an operation that is not PyTorch's own, or that does not hold together.
    """

    def __init__(self, listing: Listing, tensors: Mapping[str, Tensor], what: str) -> None:
        super().__init__()
        self.what = what
        self.shape = torch.Size(listing["shape"])
        self.names = tuple(listing["tensors"])
        for name in self.names:
            last = name in listing["channels_last"]
            _place(self, name, tensors[name].contiguous(memory_format=_LAYOUTS[last]))
        self.steps = [
            (operation(name), decode(args), {key: decode(value) for key, value in kwargs.items()})
            for name, args, kwargs in listing["steps"]
        ]
        self.output = int(listing["output"])
        self.dead = self._last_uses()
        self.train(False)

    def train(self, mode: bool = True) -> "Program":
        """Stay in eval mode whatever ``mode`` asks for: what it runs was listed in eval mode."""
        del mode
        return super().train(False)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1:] != self.shape:
            raise bad(self.what, expected=["N", *self.shape], found=list(x.shape))
        values: list[Any] = [x, *(_get(self, name) for name in self.names)]
        for (function, args, kwargs), dead in zip(self.steps, self.dead, strict=True):
            arguments = {key: _fill(value, values) for key, value in kwargs.items()}
            values.append(function(*_fill(args, values), **arguments))
            for number in dead:
                values[number] = None
        return values[self.output]

    def _last_uses(self) -> list[list[int]]:
        """For each step, the values that nothing after it needs. Raises PncError for one that is not there yet."""
        first, last = 1 + len(self.names), {}
        for index, (_, args, kwargs) in enumerate(self.steps):
            for number in refs([args, *kwargs.values()]):
                if not 0 <= number < first + index:
                    raise bad("a listing", expected=f"values 0…{first + index - 1} at step {index}", found=number)
                last[number] = index
        if not 0 <= self.output < first + len(self.steps):
            raise bad("a listing", expected="an output that is one of its values", found=self.output)
        dead: list[list[int]] = [[] for _ in self.steps]
        for number, index in last.items():
            if number != self.output:
                dead[index].append(number)
        return dead


_LAYOUTS = (torch.contiguous_format, torch.channels_last)


def _fill(value: Any, values: list[Any]) -> Any:
    if isinstance(value, Ref):
        return values[value.number]
    if isinstance(value, list):
        return [_fill(item, values) for item in value]
    return values[0].device if isinstance(value, Device) else value


def _needed(graph: fx.Graph) -> set[fx.Node]:
    """All that the output is computed from; what is left are assertions, since no operation works in place."""
    found, waiting = set(), [graph.output_node()]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += node.all_input_nodes
    return found


def _tensor(exported: torch.export.ExportedProgram, spec: Any) -> Tensor:
    held = exported.state_dict if spec.target in exported.state_dict else exported.constants
    return held[spec.target].detach()


def _channels_last(tensor: Tensor) -> bool:
    last = tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last)
    return last and not tensor.is_contiguous()


def _place(module: nn.Module, name: str, tensor: Tensor) -> None:
    """Hold ``tensor`` under its dotted ``name``, so that state_dict has the very names of the file."""
    *path, last = name.split(".")
    for part in path:
        if part not in module._modules:
            module.add_module(part, nn.Module())
        module = module.get_submodule(part)
    module.register_buffer(last, tensor)


def _get(module: nn.Module, name: str) -> Tensor:
    path, _, last = name.rpartition(".")
    return getattr(module.get_submodule(path), last)
