"""Where a number comes from: its settings by a hash, and the commit, device and versions that it was made with."""

import hashlib
import json
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pnc.base.errors import bad

MADE = ("commit", "device", "python", "numpy", "torch")
SOURCES = ("pnc", "bench/work", "stages", "suites", "params.yaml")  # what a measured number depends on
UNKNOWN = "unknown"
_OTHERS = tuple(f":(exclude,glob)suites/*/{name}" for name in ("dvc.lock", "tables.yaml"))
_CPU_INFO = Path("/proc/cpuinfo")


def made(root: Path = Path()) -> dict[str, str]:
    """How numbers that are computed now are made, with the keys ``MADE``; ``root`` is the project's folder."""
    import numpy  # here: the tables read what is said of a number, without loading what computed it
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    versions = (platform.python_version(), numpy.__version__, str(torch.__version__))
    return dict(zip(MADE, (commit(root), device_name(gpu), *versions), strict=True))


def commit(root: Path) -> str:
    """The last commit that touched ``SOURCES`` under ``root``, with "-dirty" where they have uncommitted changes.

    Locks do not count, which DVC writes while a suite runs, nor do tables, which only show numbers.
    "unknown" without git, without a repository, or where no commit has touched them.
    """
    last = _git(root, "log", "-1", "--format=%h", "--", *SOURCES, *_OTHERS)
    if not last:
        return UNKNOWN
    return f"{last}-dirty" if _git(root, "status", "--porcelain", "--", *SOURCES, *_OTHERS) else last


def device_name(gpu: str | None = None) -> str:
    """What can change a last bit, e.g. "AMD EPYC (AVX2), 1 thread, CPU".

    The CPU's model and instructions, torch's threads, and ``gpu`` where one did the work.
    """
    import torch

    threads = torch.get_num_threads()
    return f"{_cpu_model()} ({_instructions()}), {threads} thread{'s' * (threads != 1)}, {gpu or 'CPU'}"


def settings_hash(settings: Mapping[str, Any], torch_version: str) -> str:
    """12 hex digits for ``settings`` under a version of torch: the order of keys does not count.

    Of the version only the public part does, so that CPU and GPU builds agree ("+cpu", "+cu130"). Raises PncError for
    a value that JSON does not have.
    """
    try:
        text = json.dumps({"settings": settings, "torch": public(torch_version)}, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise bad("settings", expected="plain values that JSON has", found=error) from None
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def public(version: str) -> str:
    """``"2.14.1+cu130"`` → ``"2.14.1"``."""
    return version.partition("+")[0]


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


def _instructions() -> str:
    """Those that torch's kernels are chosen by, e.g. "AVX512, BF16, AMX"."""
    import torch

    more = {"BF16": "_is_avx512_bf16_supported", "AMX": "_is_amx_tile_supported"}  # torch 2.6 has no public names
    found = [name for name, check in more.items() if getattr(torch.cpu, check, bool)()]
    return ", ".join([torch.backends.cpu.get_cpu_capability(), *found])
