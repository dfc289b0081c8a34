"""What is shipped: {M, R, A, F_c} in one small safetensors file, with the fingerprints of both networks."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from pnc.base.errors import PncError, bad
from pnc.base.files import write_bytes
from pnc.base.tensors import checksum

FORMAT = 3
READABLE = (2, FORMAT)  # format 2 is the same without quantiles and checksums of single tensors
EACH = "each"  # where those stand in the notes


@dataclass(frozen=True)
class PackageInfo:
    """The package's facts that are not tensors.

    ``source`` and ``target`` are fingerprints; ``classes`` T_s as outputs of the source with their ``names``;
    ``position`` and ``source_position`` are R_t and R_s; ``size`` and ``relu`` belong to A; ``reading`` to M;
    ``provenance`` says how it was made (settings, seed, losses), for people.
    """

    source: str
    target: str
    classes: tuple[int, ...]
    names: tuple[str, ...]
    position: int
    source_position: int
    size: tuple[int, int]
    relu: bool
    reading: str
    provenance: dict[str, Any] = field(default_factory=dict)
    format: int = FORMAT


@dataclass(frozen=True, eq=False)
class Package(ABC):
    """A file of named groups of tensors with JSON beside them; equal packages give equal bytes."""

    info: PackageInfo

    @property
    def nbytes(self) -> int:
        """Size of the saved file in bytes."""
        return len(self._serialise())

    def save(self, path: str | Path) -> None:
        """Write the package, whole or not at all."""
        write_bytes(path, self._serialise())

    @abstractmethod
    def _groups(self) -> dict[str, Mapping[str, Tensor]]:
        """What is in the file, by the prefix of its names."""

    @abstractmethod
    def _notes(self) -> dict[str, Any]:
        """What stands beside it besides ``info``."""

    def _serialise(self) -> bytes:
        named = {f"{group}.{name}": t for group, part in self._groups().items() for name, t in part.items()}
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(named.items())}
        facts = {"info": asdict(self.info), **self._notes()}
        if self.info.format > 2:
            facts[EACH] = digests(tensors, facts)
        notes = json.dumps(facts, sort_keys=True)
        # One metadata entry, as pnc.base.tensors reads it: safetensors writes several in no fixed order.
        return save(tensors, {"pnc": json.dumps([checksum(tensors, notes), notes])})


@dataclass(frozen=True, eq=False)
class ClonePackage(Package):
    """{M, R, A, F_c}: ``masks`` M (boolean [filters] per layer of the source's tail), R in ``info``,
    ``adapter`` A (weight [C_s, C_t, 1, 1] and bias [C_s]) and ``rows`` of F_c (weight [|T_s|, d_t + d_s], bias).

    Where M's reading is "rescaled", ``constants`` are the gain and shift of what M keeps, [2, kept] per layer.
    ``quantiles`` has "gap", what the calibration across packages needs (``pnc.cloning.calibration.Offset.gaps``).
    """

    masks: Mapping[str, Tensor]
    adapter: Mapping[str, Tensor]
    rows: Mapping[str, Tensor]
    constants: Mapping[str, Tensor] = field(default_factory=dict)
    quantiles: Mapping[str, Tensor] = field(default_factory=dict)

    @staticmethod
    def load(path: str | Path) -> "ClonePackage":
        """Read a package. Raises PncError, one line, if the file is missing or a single bit of it is damaged."""
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise bad(str(path), expected="a clone package", found=error.strerror or "no file") from None
        try:
            package = _parse(content)
            intact = package._serialise() == content
        except _DAMAGE as error:
            raise bad(str(path), expected="a whole clone package", found=f"a damaged file ({error})") from None
        if not intact:
            raise bad(str(path), expected="a whole clone package", found="a file whose checksum does not fit")
        return package

    def _groups(self) -> dict[str, Mapping[str, Tensor]]:
        masks = {name: _pack(mask) for name, mask in self.masks.items()}
        return {"M": masks, "A": self.adapter, "F_c": self.rows, "s": self.constants, "q": self.quantiles}

    def _notes(self) -> dict[str, Any]:
        return {"filters": {name: len(mask) for name, mask in self.masks.items()}}


_DAMAGE = (SafetensorError, ValueError, KeyError, TypeError, IndexError, RuntimeError, OverflowError)


def _parse(content: bytes) -> ClonePackage:
    tensors = load(content)
    found, text = json.loads(_metadata(content)["pnc"])
    if found != checksum(tensors, text):
        raise PncError("checksum does not fit")
    notes = json.loads(text)
    fields: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in notes["info"].items()}
    info = PackageInfo(**fields)
    check_format(info)
    masks = {name: _unpack(tensors[f"M.{name}"], count) for name, count in notes["filters"].items()}
    return ClonePackage(info, masks, *(group(tensors, name) for name in ("A", "F_c", "s", "q")))


def digests(tensors: Mapping[str, Tensor], notes: Mapping[str, Any]) -> dict[str, str]:
    """A checksum for each tensor and, under "", one for the notes: from them a damaged file says what is damaged."""
    plain = json.dumps({key: value for key, value in notes.items() if key != EACH}, sort_keys=True)
    sums = {"": checksum({}, plain), **{name: checksum({name: tensor}, "") for name, tensor in tensors.items()}}
    return {name: whole[:16] for name, whole in sums.items()}


def check_format(info: PackageInfo) -> None:
    """Raise PncError for a package that this version of pnc cannot read."""
    if info.format not in READABLE:
        raise bad("package format", expected=" or ".join(map(str, READABLE)), found=info.format)


def group(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """The tensors of one group, without its prefix."""
    return {key.removeprefix(f"{name}."): tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}


def _metadata(content: bytes) -> dict[str, str]:
    """The text entries of a safetensors file: its header is JSON behind eight bytes of length."""
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length])["__metadata__"]


def _pack(mask: Tensor) -> Tensor:
    return torch.from_numpy(np.packbits(mask.cpu().numpy()))


def _unpack(bits: Tensor, count: int) -> Tensor:
    return torch.from_numpy(np.unpackbits(bits.numpy(), count=count).astype(bool))
