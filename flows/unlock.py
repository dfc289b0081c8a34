"""Make DVC's list of busy paths (``.dvc/tmp/rwlock``) usable after a crash; every run of a flow does so, too.

DVC itself drops entries of processes that are gone. It is stuck for good where the file was cut off (``kill -9`` or a
full disk while it was written), and where a process id lives on in another program since a restart of the machine.
"""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from dvc.exceptions import DvcException
from dvc.repo import Repo, lock_repo

from pnc.base.errors import PncError

logging.getLogger("dvc.progress").setLevel(logging.CRITICAL)  # no bars: the terminal has flows._view
_CLOCKS_SECONDS = 2.0  # how far those of files and of processes may be apart


@contextmanager
def opened() -> Iterator[tuple[Repo, set[str]]]:
    """The repository, locked, as ``dvc.lock`` is written in place, and the paths that running processes write.

    Raises PncError for a project that DVC cannot read.
    """
    try:
        with Repo(_wait_for_lock=True) as repo, lock_repo(repo):
            yield repo, _busy(Path(repo.tmp_dir, "rwlock"))
    except DvcException as error:
        raise PncError(" ".join(f"DVC: {error}".split())) from None


def _busy(path: Path) -> set[str]:
    try:
        if path.stat().st_mtime > psutil.Process(1).create_time() - _CLOCKS_SECONDS:
            writers = json.loads(path.read_text()).get("write", {}).items()
            return {written for written, entry in writers if psutil.pid_exists(entry["pid"])}
    except FileNotFoundError:
        return set()
    except (ValueError, KeyError, AttributeError, TypeError):
        pass
    path.unlink()
    return set()


if __name__ == "__main__":
    try:
        with opened():
            pass
    except PncError as error:
        sys.exit(f"unlock: {error}")
