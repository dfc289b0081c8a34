"""The sliced model as a torch.export program with a batch of any size."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pnc.arch import BlockNet
from pnc.arch.twin import Twin
from pnc.base.errors import bad
from pnc.cloning.adapter import Adapter
from pnc.cloning.candidate import Candidate, traverse
from pnc.cloning.slicing import Fill, Sum, slice_clone

if TYPE_CHECKING:
    from pnc.cloned.model import ClonedModel


Module = TypeVar("Module", bound=nn.Module)


class Resize(nn.Module):
    """A's resizing of maps as two matrices: the same numbers, and every format can say it."""

    left: Tensor
    right: Tensor

    def __init__(self, adapter: Adapter, entering: Tensor) -> None:
        super().__init__()
        height, width = entering.shape[-2:]
        rows, columns = (torch.eye(size, dtype=entering.dtype, device=entering.device) for size in (height, width))
        # each channel is one row, or one column, of ones: PyTorch (2.14) resizes maps one pixel wide wrongly
        down = adapter.resize(rows[None, :, :, None].expand(1, height, height, width).contiguous())
        across = adapter.resize(columns[None, :, None, :].expand(1, width, height, width).contiguous())
        self.register_buffer("left", down[0, :, :, 0].T.contiguous())
        self.register_buffer("right", across[0, :, 0].contiguous())

    def forward(self, h: Tensor) -> Tensor:
        return self.left @ h @ self.right


class Gathered(nn.Module):
    """``base`` [1, C, …] plus operands that hold some of its channels, as ``Sum`` and ``Fill`` do it.

    It reads channels from places where they write to places, which ONNX's exporter does not get right.
    """

    base: Tensor

    def __init__(self, base: Tensor, positions: Sequence[Tensor]) -> None:
        super().__init__()
        self.register_buffer("base", base)
        self.padded = [len(held) < base.shape[1] for held in positions]
        for index, held in enumerate(positions):
            place = torch.full((base.shape[1],), len(held), device=held.device)  # a channel of zeros behind the last
            place[held] = torch.arange(len(held), device=held.device)
            self.register_buffer(f"place_{index}", place)

    def forward(self, *operands: Tensor) -> Tensor:
        total = self.base
        for index, operand in enumerate(operands):
            behind = [0, 0] * (operand.dim() - 2) + [0, 1]
            operand = F.pad(operand, behind) if self.padded[index] else operand
            total = total + operand.index_select(1, getattr(self, f"place_{index}"))
        return total


def gathering(sliced: Module) -> Module:
    """``sliced``, which is changed, with channels read from places instead of written to them."""
    for name, module in list(sliced.named_modules()):
        if isinstance(module, Sum | Fill):
            owner, _, last = name.rpartition(".")
            found = [buffer for own, buffer in module.named_buffers() if own.startswith("positions")]
            sliced.get_submodule(owner).add_module(last, Gathered(module.base, found))
    return sliced


class Joint(nn.Module):
    """The target with sliced clones, and no trace of a source: pictures [N, C, H, W] → joint logits."""

    def __init__(self, target: BlockNet, clones: Sequence[Candidate]) -> None:
        super().__init__()
        self.target = target
        self.clones = nn.ModuleList(clones)

    def forward(self, pictures: Tensor) -> Tensor:
        clones = cast(list[Candidate], list(self.clones))
        entering, embedding = traverse(self.target, pictures, {clone.position for clone in clones})
        new = [clone(entering[clone.position], embedding) for clone in clones]
        return torch.cat([self.target.head(embedding), *new], dim=1)


@torch.no_grad()
def joint_of(cloned: "ClonedModel", example: Tensor) -> Joint:
    """What is to be written of ``cloned``, for pictures of the shape of ``example`` [n, C, H, W]."""
    network, candidates = cloned._parts()
    entering, _ = traverse(network, example[:1], {clone.position for clone in candidates})
    clones = []
    for clone in candidates:
        h = entering[clone.position]
        clones.append(gathering(slice_clone(clone, h)))
        if h.shape[-2:] != clone.adapter.size:
            clones[-1].add_module("adapter", nn.Sequential(Resize(clone.adapter, h), clones[-1].adapter))
    return Joint(cast(BlockNet, Twin(network).module), clones)


def exported_program(what: str, model: nn.Module, example: Tensor) -> torch.export.ExportedProgram:
    """``model`` for batches like ``example`` [n, C, H, W] of any n ≥ 1.

    Raises PncError, naming ``what`` it is, if torch.export cannot follow it or fixes its batch size.
    """
    batch = torch.export.Dim("batch", min=1)
    pair = example[:1].repeat(2, 1, 1, 1)  # a batch of one would be taken for a constant
    try:
        exported = torch.export.export(model, (pair,), dynamic_shapes=({0: batch},), strict=False)
    except Exception as error:  # torch.export passes on whatever its many parts raise
        expected = "layers that torch.export can follow at any batch size"
        raise bad(what, expected=expected, found=reason(error)) from error
    exported.example_inputs = None
    return exported


def reason(error: Exception) -> str:
    """An error's first line, or what it is."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
