"""index.json: what a zoo has, and the SHA-256 of every small file, so that HTTP, which has no listings, will do."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from pnc.base.errors import PncError, bad
from pnc.base.mapping import from_mapping

FORMAT = 1
PATH = "index.json"


@dataclass(frozen=True)
class PackageEntry:
    """A clone in the zoo: its file's ``sha256`` and size, the classes' ``names``, the SHA-256 of both networks, and
    the checksum of each tensor (``pnc.repairing.digests``)."""

    sha256: str
    bytes: int
    names: tuple[str, ...]
    source: str
    target: str
    digests: dict[str, str]


@dataclass(frozen=True)
class Index:
    """``models``: name → file → its SHA-256; ``packages``: name → entry."""

    models: dict[str, dict[str, str]] = field(default_factory=dict)
    packages: dict[str, PackageEntry] = field(default_factory=dict)

    def content(self) -> bytes:
        """As a file, with a checksum over all of it; equal indices give equal bytes."""
        plain = {"format": FORMAT, **json.loads(json.dumps(asdict(self)))}
        return f"{json.dumps({**plain, 'sha256': _checksum(plain)}, indent=1, sort_keys=True)}\n".encode()

    @staticmethod
    def read(content: bytes, what: str) -> "Index":
        """Raises PncError, naming ``what``, for a damaged or a strange file."""
        try:
            plain: dict[str, Any] = json.loads(content)
            if plain.pop("sha256") != _checksum(plain):
                raise ValueError("its checksum does not fit")
            if plain["format"] != FORMAT:
                raise ValueError(f"format {plain['format']}, not {FORMAT}")
            models = {name: dict(files) for name, files in plain["models"].items()}
            packages = {name: from_mapping(PackageEntry, entry, name) for name, entry in plain["packages"].items()}
            return Index(models, packages)
        except (PncError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise bad(what, expected="the index of a zoo", found=f"another file ({error})") from None


def _checksum(plain: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
