"""Clear DVC's list of busy paths (``.dvc/tmp/rwlock``) of what crashed processes left in it.

DVC itself drops entries whose process is gone. It is stuck for good where the file was cut off (``kill -9`` or a full
disk while it was written), and where the process id lives on in another program (after a restart of the machine).
Every run of a flow does the same before it starts.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from dvc.exceptions import DvcException
from dvc.repo import Repo, lock_repo

from pnc.base.errors import PncError
from pnc.base.files import write_text

_CLOCKS_SECONDS = 2.0  # how far the clocks of processes and files may be apart


@contextmanager
def opened() -> Iterator[Repo]:
    """The repository, locked: ``dvc.lock`` is written in place, so nobody may write while it is read.

    Raises PncError for a project that DVC cannot read.
    """
    try:
        with Repo(_wait_for_lock=True) as repo, lock_repo(repo):
            yield repo
    except DvcException as error:
        raise PncError(" ".join(f"DVC: {error}".split())) from None


def mend(folder: str | Path) -> set[str]:
    """Make ``folder``/rwlock usable, and return the paths that running processes write.

    Only for the holder of the repository's lock.
    """
    path = Path(folder, "rwlock")
    try:
        busy, written = json.loads(path.read_text()), path.stat().st_mtime
        held = {"read": _held(busy.get("read", {}), written), "write": _held(busy.get("write", {}), written)}
    except FileNotFoundError:
        return set()
    except (ValueError, KeyError, AttributeError, TypeError):
        path.unlink()
        return set()
    if any(held[mode] != paths for mode, paths in busy.items()):
        write_text(path, json.dumps(held))
    return set(held["write"])


def _held(busy: dict[str, Any], written: float) -> dict[str, Any]:
    """The entries of running processes: one for each written path, a list for each read one."""
    return {
        path: [one for one in entry if _runs(one, written)] if isinstance(entry, list) else entry
        for path, entry in busy.items()
        if any(_runs(one, written) for one in (entry if isinstance(entry, list) else [entry]))
    }


def _runs(entry: dict[str, Any], written: float) -> bool:
    """Whether a process has the entry's id, and had it already when the list was written last."""
    try:
        return bool(psutil.Process(entry["pid"]).create_time() < written + _CLOCKS_SECONDS)
    except psutil.Error:
        return False


if __name__ == "__main__":
    try:
        with opened() as repo:
            mend(repo.tmp_dir)
    except PncError as error:
        sys.exit(f"unlock: {error}")
