"""What DVC and the flow cost beside the work itself, in a checkout where the digits suite has been measured.

Each figure is the least of three runs, in CPU seconds of all processes and, in brackets, in seconds on the clock.
"""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

RUNS = 3
TRIVIAL = "select@new-old-S-strict-0_1_2"
COMMANDS = {
    "nothing to do, `dvc repro cells@T1`": ["-m", "dvc", "repro", "-q", "cells@T1"],
    "nothing to do, the flow, all of the digits suite": ["-m", "flows.benchmark", "tables", "figures"],
    f"a trivial stage, `dvc repro --force --single-item {TRIVIAL}`": [
        *("-m", "dvc", "repro", "-q", "--force", "--single-item", TRIVIAL)
    ],
    "that stage's own command": [
        *("-m", "stages.select", "--source", "new", "--target", "old"),
        *("--task", "S", "--regime", "strict", "--seeds", "0_1_2"),
    ],
}


def main() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "dvc", "stage", "list", "-R", ".", "--name-only"], capture_output=True
    )
    print(f"stages of all suites: {len(listed.stdout.splitlines())}")
    for lock in sorted(Path().glob("**/dvc.lock")):
        print(f"{lock}: {lock.stat().st_size / 1000:.0f} kB")
    for name, command in COMMANDS.items():
        cpu, clock = min(_once(command) for _ in range(RUNS))
        print(f"{name}: {cpu:.1f} ({clock:.1f})", flush=True)


def _once(command: list[str]) -> tuple[float, float]:
    before, began = _used(), time.monotonic()
    subprocess.run(
        [sys.executable, *command], check=True, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    return _used() - before, time.monotonic() - began


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
