"""The three formats of a whole model: how each is written, and how it is read back to be checked."""

import io
import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from pnc.base.files import write_bytes
from pnc.cloned.export._extra import needed
from pnc.cloned.export.exported import load_exported, save_exported

Format = Literal["safetensors", "pt2", "onnx"]
Facts = Mapping[str, Any]
NOTES = "pnc.json"  # the facts inside a .pt2
KEY = "pnc"  # the facts among an .onnx file's metadata


@dataclass(frozen=True)
class Writer:
    """``write`` puts a program and its facts at a path; ``read`` gives a function from what lies there.

    ``libraries`` are modules that both need, beside pnc's own.
    """

    write: Callable[[Path, torch.export.ExportedProgram, Facts], None]
    read: Callable[[Path], Callable[[Tensor], Tensor]]
    libraries: tuple[str, ...] = ()


def _write_pt2(path: Path, program: torch.export.ExportedProgram, facts: Facts) -> None:
    content, notes = io.BytesIO(), {NOTES: json.dumps(facts, sort_keys=True)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of weights that lie channels last; they are read back right
        torch.export.save(program, content, extra_files=notes)
    write_bytes(path, content.getvalue())


def _read_pt2(path: Path) -> Callable[[Tensor], Tensor]:
    return torch.export.load(io.BytesIO(path.read_bytes())).module()


def _write_onnx(path: Path, program: torch.export.ExportedProgram, facts: Facts) -> None:
    names = {"input_names": ["pictures"], "output_names": ["logits"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's about itself
        made = torch.onnx.export(program, dynamo=True, verbose=False, **names)  # type: ignore[arg-type]
    assert made is not None
    proto = made.model_proto
    proto.metadata_props.add(key=KEY, value=json.dumps(facts, sort_keys=True))
    needed("onnx").checker.check_model(proto, full_check=True)
    write_bytes(path, proto.SerializeToString(deterministic=True))


def _read_onnx(path: Path) -> Callable[[Tensor], Tensor]:
    runtime = needed("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = runtime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    return lambda pictures: torch.from_numpy(session.run(None, {"pictures": pictures.numpy()})[0])


WRITERS: Mapping[str, Writer] = {
    "safetensors": Writer(save_exported, load_exported),
    "pt2": Writer(_write_pt2, _read_pt2),
    "onnx": Writer(_write_onnx, _read_onnx, ("onnx", "onnxscript", "onnxruntime")),
}
