"""Files that are either whole or absent: written beside their place, flushed, then renamed."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pnc.base.errors import bad


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it takes ``path``'s place, on failure it is removed."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    scratch = Path(name)
    try:
        yield scratch
        with open(scratch, "rb") as written:
            os.fsync(written.fileno())
        scratch.chmod(0o666 & ~_umask())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def write_bytes(path: str | Path, content: bytes) -> None:
    with replacing(path) as scratch:
        scratch.write_bytes(content)


def write_text(path: str | Path, text: str) -> None:
    write_bytes(path, text.encode())


def write_json(path: str | Path, value: Any) -> None:
    """Write ``value`` as JSON, keys sorted, so that equal values give equal bytes."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True) + "\n")


def write_record(path: str | Path, value: dict[Any, Any], rows: str | None = None) -> None:
    """Write ``value`` as JSON with its checksum in it, which ``read_json`` looks at.

    The list at the key ``rows`` gets a line for each of its items.
    """
    plain = json.loads(json.dumps(value))
    whole = plain | {"sha256": _checksum(plain)}
    if rows is None:
        write_json(path, whole)
        return
    lines = ",".join(f"\n  {json.dumps(item, sort_keys=True)}" for item in plain[rows])
    text = json.dumps(whole | {rows: None}, indent=1, sort_keys=True)
    write_text(path, text.replace(f'\n "{rows}": null', f'\n "{rows}": [{lines}\n ]', 1) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file. Raises PncError naming the file if it is missing, damaged, or not what its checksum says."""
    try:
        value = json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise bad(str(path), expected="a JSON file", found="no file") from None
    except OSError as error:
        raise bad(str(path), expected="a JSON file", found=error.strerror) from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise bad(str(path), expected="a JSON file", found=f"damaged text ({error})") from None
    if isinstance(value, dict) and "sha256" in value and value.pop("sha256") != _checksum(value):
        raise bad(str(path), expected="a whole JSON file", found="one whose checksum does not fit")
    return value


def _checksum(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
