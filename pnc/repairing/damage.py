"""Finds the damaged tensors of a package's file, by a checksum for each.

The checksums stand in the file's notes under "each", or are given by whoever kept them (a zoo does). The notes have
one too, "". Damage to the notes, or to the header that says where the tensors lie, is beyond repair.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from pnc.base.errors import PncError, bad
from pnc.base.tensors import checksum
from pnc.cloning.package import EACH, ClonePackage, _parse
from pnc.cloning.package import digests as each_of

NOTES = ""  # the name under which the checksum of the notes stands
LOST = 2**30  # bytes that a file may lack at its end; a header that claims more is a damaged one
_UNREADABLE = (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True, eq=False)
class Damage:
    """``package`` as it was found, damaged numbers and all, and the names of the ``tensors`` that are damaged.

    Names are those in the file: "A.weight", "F_c.bias", "M.LAYER", "s.LAYER". None of them: the package is whole.
    """

    package: ClonePackage
    tensors: tuple[str, ...]


def digests(content: bytes) -> dict[str, str]:
    """The checksum of each tensor of a whole package's file, and of its notes: what ``find_damage`` compares."""
    return each_of(*_read(content))


def find_damage(content: bytes, known: Mapping[str, str] | None = None) -> Damage:
    """Which tensors of the file ``content`` differ from their checksums, ``known`` or the file's own.

    Raises PncError, one line, where nothing can be told or done: no checksums for single tensors, a damaged header or
    damaged notes.
    """
    tensors, notes = _read(content)
    if known is None:
        known = notes.get(EACH)
    if known is None:
        if (whole := _whole(content)) is not None:
            return Damage(whole, ())
        raise bad("damaged package", expected="a checksum for each tensor", found="one for the whole file")
    found = each_of(tensors, notes)
    if not isinstance(known, Mapping) or found.get(NOTES) != known.get(NOTES) or found.keys() != known.keys():
        raise bad("damaged package", expected="whole notes beside the tensors", found="notes that are damaged, too")
    damaged = tuple(sorted(name for name in found if found[name] != known[name]))
    return Damage(_sealed(tensors, notes), damaged)


def _read(content: bytes) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and notes, whatever the checksums say; what is cut off at the end reads as zeros."""
    try:
        start = 8 + int.from_bytes(content[:8], "little")
        header = json.loads(content[8:start])
        _, text = json.loads(header["__metadata__"]["pnc"])
        stop = start + max(entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__")
        if stop - len(content) > LOST:
            raise ValueError(f"{stop} bytes")
        notes = json.loads(text)
        if not isinstance(notes, dict):
            raise ValueError("no notes")
        return load(content[:stop].ljust(stop, b"\0")), notes
    except _UNREADABLE as error:
        raise bad("damaged package", expected="a whole header", found=f"a damaged one ({error})") from None


def _whole(content: bytes) -> ClonePackage | None:
    """The package, if its own checksum fits."""
    with TemporaryDirectory() as folder, suppress(PncError):
        path = Path(folder, "package")
        path.write_bytes(content)
        return ClonePackage.load(path)
    return None


def _sealed(tensors: Mapping[str, Tensor], notes: Mapping[str, Any]) -> ClonePackage:
    """The package with checksums made to fit, so that it is read like any other, of whichever format."""
    if EACH in notes:
        notes = {**notes, EACH: each_of(tensors, notes)}
    text = json.dumps(notes, sort_keys=True)
    # Not ClonePackage.load: bits that pad a mask to whole bytes may be flipped, too.
    return _parse(save(dict(tensors), {"pnc": json.dumps([checksum(tensors, text), text])}))
