"""One process at a time for a piece of work: a file lock that the operating system drops when its holder ends."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock ``path``, which is there only meanwhile; say it in one line on stderr if another has it."""
    if fcntl is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = _locked(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # before the lock goes: nobody can hold a lock of this name yet
        os.close(handle)


def _locked(path: Path) -> int:
    """A descriptor that holds the lock on the file that ``path`` names."""
    told = False
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not told:
                print(f"{path.stem}: another process works on this, waiting for it", file=sys.stderr, flush=True)
            told = True
            fcntl.flock(handle, fcntl.LOCK_EX)
        if _names(path, handle):
            return handle
        os.close(handle)  # the last holder has removed the file: whoever opens the name now has another one


def _names(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except OSError:  # no file, or on a network disk one that is no more
        return False
