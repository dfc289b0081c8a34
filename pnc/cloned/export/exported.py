"""The target with its clones in one safetensors file, and the network that it is read back as."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pnc.base.errors import PncError, bad
from pnc.base.tensors import read_tensors, write_tensors
from pnc.cloned.export._program import Program, list_program

KIND = "exported model"


class ExportedModel(nn.Module):
    """A target with clones as a file has them: pictures [N, C, H, W] → logits [N, |T_t| + Σ |T_s|].

    Frozen, and in eval mode for good. ``facts`` are the file's: ``classes``, ``input`` (shape, type and range of
    the pictures), ``preprocessing`` (which the model does itself), ``target`` (SHA-256 of the network in it),
    ``packages`` (each with the hashes it was made for and its provenance) and ``versions``.
    """

    def __init__(self, program: Program, facts: Mapping[str, Any]) -> None:
        super().__init__()
        self.program = program
        self.facts = facts

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.facts["classes"])

    def train(self, mode: bool = True) -> "ExportedModel":
        """Stay in eval mode whatever ``mode`` asks for: the file was written in eval mode."""
        del mode
        return super().train(False)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.program(pictures)


def save_exported(path: str | Path, exported: torch.export.ExportedProgram, facts: Mapping[str, Any]) -> None:
    """Write a program as safetensors: tensors, and beside them its operations and ``facts`` as JSON."""
    listing, tensors = list_program(exported)
    write_tensors(path, tensors, {"kind": KIND, "facts": facts, "program": listing})


def load_exported(path: str | Path) -> ExportedModel:
    """Read what ``ClonedModel.export`` wrote as safetensors. Needs neither the source nor the target.

    Raises PncError, one line, if the file is missing, something else, or a single bit of it is damaged.
    """
    tensors, notes = read_tensors(path)
    check_kind(path, notes, KIND)
    try:
        program = Program(notes["program"], tensors, "pictures for the exported model")
    except UNREADABLE as error:
        raise bad(str(path), expected="a program that this version of pnc can run", found=error) from None
    return ExportedModel(program, notes["facts"]).eval()


UNREADABLE = (PncError, KeyError, TypeError, ValueError, IndexError, AttributeError)


def check_kind(path: str | Path, notes: Mapping[str, Any], kind: str) -> None:
    """Raise PncError unless a file's ``notes`` say that it is of this ``kind``."""
    if (found := notes.get("kind")) != kind:
        raise bad(str(path), expected=f"an export of the kind '{kind}'", found=f"'{found}'" if found else "no export")
