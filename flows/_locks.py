"""DVC's list of busy paths (``rwlock``), kept usable after a crash.

DVC itself drops entries whose process is gone. It stays stuck where the process id lives on in another program (after
a restart of the machine), and where the file was cut off (a full disk, ``kill -9`` while it was written).
"""

import json
from pathlib import Path
from typing import Any

import psutil

from pnc.base.files import write_text

Entry = dict[str, Any]  # {"pid": ..., "cmd": ...}


def mend(folder: str | Path) -> set[str]:
    """Drop what no running process holds from ``folder``/rwlock, and return the paths that are being written.

    Only for the holder of the repository's lock.
    """
    path = Path(folder, "rwlock")
    if not path.exists():
        return set()
    try:
        busy = json.loads(path.read_text())
        held = _held(busy)
    except (ValueError, KeyError, AttributeError, TypeError):
        path.unlink()
        return set()
    if held != busy:
        write_text(path, json.dumps(held))
    return set(held.get("write", {}))


def _held(busy: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    readers = {path: [entry for entry in entries if _runs(entry)] for path, entries in busy.get("read", {}).items()}
    writers = {path: entry for path, entry in busy.get("write", {}).items() if _runs(entry)}
    held = {"read": {path: entries for path, entries in readers.items() if entries}, "write": writers}
    return {mode: paths for mode, paths in held.items() if paths}


def _runs(entry: Entry) -> bool:
    """Whether the process that made the entry is alive: same id and same arguments."""
    try:
        command = " ".join(psutil.Process(entry["pid"]).cmdline())
    except psutil.Error:
        return False
    return command.endswith(entry["cmd"].partition(" ")[2])
