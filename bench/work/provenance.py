"""Where a number comes from: settings, versions, commit and device."""

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pnc.base.errors import bad
from pnc.base.files import write_json

SOURCES = ("pnc", "stages", "params.yaml")  # what a measured number depends on
UNKNOWN = "unknown"
_CPU_INFO = Path("/proc/cpuinfo")


def versions() -> dict[str, str]:
    """Versions of python, numpy and torch, read from their metadata: neither package is imported."""
    return {"python": platform.python_version()} | {name: _version(name) for name in ("numpy", "torch")}


def commit(root: Path) -> str:
    """The last commit that touched ``SOURCES`` under ``root``, with "-dirty" where they have uncommitted changes.

    "unknown" without git, without a repository, or where no commit has touched them.
    """
    last = _git(root, "log", "-1", "--format=%h", "--", *SOURCES)
    if not last:
        return UNKNOWN
    return f"{last}-dirty" if _git(root, "status", "--porcelain", "--", *SOURCES) else last


def device_name(gpu: str | None = None) -> str:
    """CPU model, usable cores, and ``gpu`` where one did the work, e.g. "AMD EPYC, 2 cores, CPU"."""
    cores = _usable_cores()
    return f"{_cpu_model()}, {cores} core{'s' * (cores != 1)}, {gpu or 'CPU'}"


def settings_hash(settings: Mapping[str, Any]) -> str:
    """12 hex digits for ``settings`` under the installed torch: the order of keys and the commit do not count.

    Of torch's version only the public part counts, so that its CPU and GPU builds agree ("+cpu", "+cu130").
    Raises PncError for a value that JSON does not have.
    """
    torch = _version("torch").partition("+")[0]
    try:
        text = json.dumps({"settings": settings, "torch": torch}, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise bad("settings", expected="plain values that JSON has", found=error) from None
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def write_settings(folder: Path, settings: Mapping[str, Any], root: Path) -> Path:
    """Spell out the hash of ``settings``: writes HASH.json with settings, versions and the commit under ``root``."""
    path = folder / f"{settings_hash(settings)}.json"
    write_json(path, {"settings": settings, "versions": versions(), "commit": commit(root)})
    return path


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return UNKNOWN


def _git(root: Path, *arguments: str) -> str:
    """What git prints, or "" where it fails or is absent."""
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def _cpu_model() -> str:
    try:
        lines = _CPU_INFO.read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names and names[0] else platform.processor() or UNKNOWN


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
