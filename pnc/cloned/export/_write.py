"""Write a whole model, checked against the masked one before it takes its place."""

import copy
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from pnc.arch import BlockNet, fingerprint
from pnc.base.errors import bad
from pnc.base.files import replacing
from pnc.base.seeds import generator
from pnc.cloned.export._extra import needed
from pnc.cloned.export._formats import WRITERS, Format
from pnc.cloned.export._graph import exported_program, joint_of, reason
from pnc.cloned.export._verify import verify

if TYPE_CHECKING:
    from pnc.cloned.model import ClonedModel


def write_export(path: str | Path, cloned: "ClonedModel", example: Tensor, format: Format | None = None) -> None:
    """Write the target, the kept filters, A and F_c of ``cloned`` as one file that needs no source.

    ``format`` is "safetensors" (``load_exported`` reads it), "pt2" (torch.export) or "onnx", by default what ``path``
    ends in. The file takes pictures of the shape of ``example`` [n, C, H, W], any number of them at a time.

    Before it takes its place it is read back and asked about ``example`` and about three random pictures. Raises
    PncError, and leaves ``path`` as it was, if an answer differs from ``cloned``'s by more than 1e-5 of the largest
    |logit| (of 1, where all are smaller), if the format cannot say what the model does, or if its extra is missing.
    """
    chosen = _chosen(path, format)
    writer = WRITERS[chosen]
    masked, example = _on_cpu(cloned), example.detach().cpu()
    noise = torch.rand(3, *example.shape[1:], generator=generator(0, "export"), dtype=example.dtype)
    program = exported_program("the model to export", joint_of(masked, example), example)
    with replacing(path) as scratch:
        try:
            writer.write(scratch, program, _facts(masked, example))
            written = writer.read(scratch)
        except OSError:  # a full disk, say
            raise
        except Exception as error:  # exporters pass on whatever their many parts raise
            others = " and ".join(f"format='{other}'" for other in WRITERS if other != chosen)
            expected = f"a model that it can say ({others} are the others)"
            raise bad(f"format '{chosen}'", expected=expected, found=reason(error)) from error
        verify(f"the file in format '{chosen}'", written, masked, [example, noise])


def _chosen(path: str | Path, wanted: str | None) -> str:
    found = Path(path).suffix.removeprefix(".") if wanted is None else wanted
    if found not in WRITERS:
        raise bad("format to export in", expected=f"one of {', '.join(WRITERS)}", found=repr(found))
    for library in WRITERS[found].libraries:
        needed(library)
    return found


def _on_cpu(cloned: "ClonedModel") -> "ClonedModel":
    """``cloned`` where all formats are written and read; a GPU may round to fewer digits."""
    here = next(cloned._parts()[0].parameters()).device.type == "cpu"
    return cloned if here else copy.deepcopy(cloned).cpu()


def _facts(cloned: "ClonedModel", example: Tensor) -> dict[str, Any]:
    """What every format carries beside the model; ``ExportedModel`` says what is what."""
    network, _ = cloned._parts()
    dtype = str(example.dtype).removeprefix("torch.")
    return {
        "classes": list(cloned.classes),
        "input": {"shape": ["N", *example.shape[1:]], "dtype": dtype, "range": [0, 1]},
        "preprocessing": _preprocessing(network),
        "target": fingerprint(network),
        "packages": [asdict(package.info) for package in cloned.packages],
        "versions": {"export": 1, "torch": str(torch.__version__)},
    }


def _preprocessing(network: BlockNet) -> dict[str, list[float]] | None:
    """Mean and deviation per channel by which the target's first block itself normalises pictures, if it does."""
    for module in network.blocks[0].modules():
        buffers = dict(module.named_buffers(recurse=False))
        if {"mean", "std"} <= set(buffers):
            return {name: buffers[name].flatten().tolist() for name in ("mean", "std")}
    return None
