"""What DVC and the flow cost beside the work itself, in a checkout where the digits suite has been measured.

Each figure is the least of three runs, in CPU seconds of all processes and, in brackets, in seconds on the clock.
"""

import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 3
TRIVIALS = [f"select@new-old-{task}-{regime}-0_1_2" for task in ("S", "M") for regime in ("strict", "rehearsal")]
REPRODUCE = ["-m", "dvc", "repro", "-q", "--force", "--single-item"]
ONE, FOUR = f"a trivial stage, `dvc repro --force --single-item {TRIVIALS[0]}`", "four such stages of one `dvc repro`"
COMMANDS = {
    "nothing to do, `dvc repro cells@T1`": ["-m", "dvc", "repro", "-q", "cells@T1"],
    "nothing to do, the flow, all of the digits suite": ["-m", "flows.benchmark", "tables", "figures"],
    ONE: [*REPRODUCE, TRIVIALS[0]],
    FOUR: [*REPRODUCE, *TRIVIALS],
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
    least = {name: _least(name, command) for name, command in COMMANDS.items()}
    _show("each further trivial stage of one `dvc repro`", *_further(least[ONE], least[FOUR]))
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "project")
        shutil.copytree(".", copy, symlinks=True, ignore=shutil.ignore_patterns(".venv", "runs"))
        one, four = (min(_anew(copy, TRIVIALS[:count]) for _ in range(RUNS)) for count in (1, len(TRIVIALS)))
    _show("each further trivial stage of one run of the flow", *_further(one, four))


def _least(name: str, command: list[str]) -> tuple[float, float]:
    cpu, clock = min(_once(command) for _ in range(RUNS))
    _show(name, cpu, clock)
    return cpu, clock


def _anew(project: Path, stages: list[str]) -> tuple[float, float]:
    """What a run of the flow costs that has ``stages`` to run, as DVC knows nothing of them."""
    shutil.rmtree(project / ".dvc/cache/runs", ignore_errors=True)
    lock = project / "dvc.lock"
    kept = lock.read_text()
    lock.write_text(without(stages, kept))
    cost = _once(["-m", "flows.benchmark", "--workers", "1", *TRIVIALS], project)
    if lock.read_text().count("\n") != kept.count("\n"):
        raise RuntimeError("the flow did not run what it was given")
    return cost


def without(stages: list[str], lock: str) -> str:
    """A lock file's text without the paragraphs of ``stages``."""
    for stage in stages:
        lock, found = re.subn(rf"^  {re.escape(stage)}:\n(?:    .*\n)*", "", lock, flags=re.MULTILINE)
        assert found == 1
    return lock


def _further(one: tuple[float, float], four: tuple[float, float]) -> tuple[float, float]:
    """What a stage adds to a ``dvc repro`` that has others to run anyway: its start and its index count once."""
    cpu, clock = ((more - less) / (len(TRIVIALS) - 1) for less, more in zip(one, four, strict=True))
    return cpu, clock


def _show(name: str, cpu: float, clock: float) -> None:
    print(f"{name}: {cpu:.1f} ({clock:.1f})", flush=True)


def _once(command: list[str], folder: Path = Path()) -> tuple[float, float]:
    before, began = _used(), time.monotonic()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL, env=environment, cwd=folder)
    return _used() - before, time.monotonic() - began


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
