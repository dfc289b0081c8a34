"""Named tensors in safetensors files, with a JSON note."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from pnc.errors import bad
from pnc.files import write_bytes


def write_tensors(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any] | None = None) -> None:
    """Write tensors as safetensors. ``metadata`` values are kept as JSON in one entry, so the bytes are stable."""
    notes = {"pnc": json.dumps(metadata, sort_keys=True)} if metadata is not None else None
    content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_bytes(path, save(content, notes))


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read (tensors, metadata) back. Raises PncError if the file is missing, truncated or not safetensors."""
    if not Path(path).is_file():
        raise bad(str(path), expected="a safetensors file", found="no file")
    try:
        with safe_open(path, framework="pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a dict)
            notes = (opened.metadata() or {}).get("pnc", "{}")
        return tensors, json.loads(notes)
    except (SafetensorError, json.JSONDecodeError, UnicodeDecodeError, ValueError) as error:
        raise bad(str(path), expected="a whole safetensors file", found=f"a damaged one ({error})") from None
