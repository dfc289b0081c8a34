"""Where a zoo lies: files by their path below it, read and written through fsspec.

Content that is named by its SHA-256 is kept in a cache, unless the zoo is a folder of this machine; its hash is
checked on every read. All else is read anew each time, so that what was deleted there is gone here.
"""

import hashlib
import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
from filelock import FileLock
from fsspec.implementations.local import LocalFileSystem

from pnc.base.errors import PncError, bad
from pnc.base.files import write_bytes

CACHE = "PNC_CACHE"
READ_ONLY = ("http", "https")
CONNECT, SILENCE = 10, 30  # seconds until a server that does not answer counts as gone


class MissingError(PncError):
    """A file that is not there, where the zoo itself is."""


class LostError(PncError):
    """A place that does not answer, or not to the end."""


class Place:
    """Files below ``location``; ``cache`` is a folder, by default that of PNC_CACHE or ~/.cache/pnc."""

    def __init__(self, location: str | Path, cache: str | Path | None = None) -> None:
        self.name = str(location).rstrip("/")
        self._cache = Path(cache or os.environ.get(CACHE) or Path("~/.cache/pnc").expanduser())
        try:
            self._fs, root = fsspec.core.url_to_fs(self.name, **_options(self.name))
        except (ImportError, ValueError) as error:
            expected = "a folder, or an address that fsspec knows"
            raise bad(f"location of a zoo '{self.name}'", expected=expected, found=error) from None
        self._root = root.rstrip("/")
        self.local = isinstance(self._fs, LocalFileSystem)

    def read(self, path: str) -> bytes:
        """The content of a file. Raises MissingError if it is not there, and LostError if nothing answers."""
        try:
            return bytes(self._fs.cat_file(f"{self._root}/{path}"))
        except (FileNotFoundError, NotADirectoryError):
            raise MissingError(str(bad(f"{self.name}/{path}", expected="a file of a zoo", found="no file"))) from None
        except Exception as error:  # a file system may raise whatever it likes
            raise self._lost(path, error) from None

    def content(self, folder: str, sha256: str) -> Path:
        """A file of this machine with the content that is called ``sha256``, which was checked.

        Raises PncError where it is missing, or its hash is another.
        """
        path = f"{folder}/sha256-{sha256}"
        if self.local:
            _check(self.read(path), sha256, f"{self.name}/{path}")
            return Path(self._root, path)
        kept = self._cache / f"sha256-{sha256}"
        if kept.is_file() and hashlib.sha256(kept.read_bytes()).hexdigest() == sha256:
            return kept
        found = self.read(path)
        _check(found, sha256, f"{self.name}/{path}")
        return self._keep(sha256, found)

    def file(self, path: str, content: bytes) -> Path:
        """A file of this machine with the ``content`` that ``path`` had: its own, or a copy in the cache."""
        if self.local:
            return Path(self._root, path)
        return self._keep(hashlib.sha256(content).hexdigest(), content)

    def write(self, path: str, content: bytes) -> None:
        """Write a file, whole or not at all. Raises PncError where that cannot be done."""
        self._check_writable()
        if self.local:
            try:
                return write_bytes(Path(self._root, path), content)
            except OSError as error:
                raise self._lost(path, error) from None
        whole = f"{self._root}/{path}"
        try:
            self._fs.makedirs(whole.rsplit("/", 1)[0], exist_ok=True)
            self._fs.pipe_file(f"{whole}.part", content)
            self._fs.mv(f"{whole}.part", whole)
        except Exception as error:  # as in ``read``
            raise self._lost(path, error) from None

    def write_content(self, folder: str, sha256: str, content: bytes) -> None:
        """Write ``content`` under its ``sha256``; nothing if it is there already."""
        path = f"{folder}/sha256-{sha256}"
        try:
            if self.read(path) == content:
                return
        except MissingError:
            pass
        self.write(path, content)

    def listed(self, folder: str) -> list[str]:
        """Names of the files in ``folder``; none where the file system has no listings, as HTTP has not."""
        if self._read_only:
            return []
        try:
            return sorted(each.rsplit("/", 1)[-1] for each in self._fs.ls(f"{self._root}/{folder}", detail=False))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except Exception as error:  # as in ``read``
            raise self._lost(folder, error) from None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No other process of this machine adds to a zoo that is a folder. Elsewhere nobody is kept out."""
        self._check_writable()
        if not self.local:
            yield
            return
        try:
            Path(self._root).mkdir(parents=True, exist_ok=True)
            lock = FileLock(Path(self._root, ".lock"))
            lock.acquire()
        except OSError as error:
            raise self._lost("", error) from None
        try:
            yield
        finally:
            lock.release()

    @property
    def _read_only(self) -> bool:
        own = self._fs.protocol
        return any(protocol in READ_ONLY for protocol in ([own] if isinstance(own, str) else own))

    def _keep(self, sha256: str, content: bytes) -> Path:
        kept = self._cache / f"sha256-{sha256}"
        try:
            write_bytes(kept, content)
        except OSError as error:
            raise bad(f"cache {self._cache}", expected="a folder to write to", found=error.strerror) from None
        return kept

    def _check_writable(self) -> None:
        if self._read_only:
            raise bad(f"zoo {self.name}", expected="a place to write to", found="one that is read over HTTP")

    def _lost(self, path: str, error: Exception) -> PncError:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or "no answer"
        found = f"{type(error).__name__} at {path or 'its folder'}: {reason}"
        return LostError(str(bad(f"zoo {self.name}", expected="a place that answers", found=found)))


def _check(content: bytes, sha256: str, what: str) -> None:
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise bad(what, expected="content whose SHA-256 is its name", found=f"{len(content)} bytes with {found}")


def _options(location: str) -> dict[str, Any]:
    """For HTTP: time limits, without which a silent server would be waited for."""
    if not location.startswith(tuple(f"{protocol}://" for protocol in READ_ONLY)):
        return {}
    try:
        aiohttp = importlib.import_module("aiohttp")
    except ModuleNotFoundError as error:
        found = f"no module '{error.name}'"
        raise bad("libraries of a zoo over HTTP", expected="those of pip install 'pnc[zoo]'", found=found) from None
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT, sock_read=SILENCE)
    return {"client_kwargs": {"timeout": timeout}}
