"""Named tensors in safetensors files, with a JSON note."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from pnc.base.errors import bad
from pnc.base.files import write_bytes


def write_tensors(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any] | None = None) -> None:
    """Write tensors as safetensors. ``metadata`` values are kept as JSON in one entry, so the bytes are stable."""
    content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    notes = json.dumps(metadata or {}, sort_keys=True)
    write_bytes(path, save(content, {"pnc": json.dumps([checksum(content, notes), notes])}))


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read (tensors, metadata) back. Raises PncError if the file is missing or a single bit of it is damaged."""
    if not Path(path).is_file():
        raise bad(str(path), expected="a safetensors file", found="no file")
    try:
        with safe_open(path, framework="pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a dict)
            found, notes = json.loads((opened.metadata() or {})["pnc"])
        if found != checksum(tensors, notes):
            raise ValueError("its checksum does not fit")
        return tensors, json.loads(notes)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise bad(str(path), expected="a whole safetensors file", found=f"a damaged one ({error})") from None


def checksum(tensors: Mapping[str, Tensor], notes: str) -> str:
    """Hex SHA-256 over names, types, shapes and bytes of tensors, and the text beside them."""
    digest = hashlib.sha256(notes.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
