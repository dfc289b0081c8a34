"""A small stage for tests of what surrounds stages, and a Dask cluster whose processes are its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from _paths import ROOT
from _watch import until
from distributed import Client

ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
# Records when it works, with a child of its own; for ever if ``seconds`` is ``inf``.
STAGE = '''
import argparse, os, subprocess, sys, time
from pathlib import Path

from pnc.base.errors import bad
from bench.work.cli import run


def main(arguments: argparse.Namespace) -> None:
    """Say and write down what happens."""
    seconds = float(arguments.seconds)
    if seconds < 0:
        raise bad("seconds", expected="no less than 0", found=seconds)
    child = subprocess.Popen(["sleep", "600"])
    with open(f"{arguments.item}.log", "a") as log:
        print(os.getpid(), child.pid, os.getppid(), time.time(), file=log, flush=True)
        print("begun", os.environ["OMP_NUM_THREADS"])
        print("a line of progress", file=sys.stderr)
        time.sleep(min(seconds, 600))
        print("done")
        print("end", time.time(), file=log)
    child.kill()


if __name__ == "__main__":
    run(main, "item", "seconds")
'''


def lay_out(folder: Path) -> Path:
    """A project with two such stages: ``light``, and ``heavy``, which needs a GPU."""
    folder.mkdir(exist_ok=True)
    params = yaml.safe_load((ROOT / "params.yaml").read_text()) | {"resources": {"heavy": {"GPU": 1}}}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    for name in ("light", "heavy"):
        (folder / f"{name}.py").write_text(STAGE)
    for name in ("bench", "flows", "pnc"):
        (folder / name).symlink_to(ROOT / name)
    return folder


@dataclass(frozen=True)
class Work:
    """What a stage wrote down: its processes and, in seconds, when it worked."""

    processes: tuple[int, ...]
    begin: float
    end: float

    def overlaps(self, other: "Work") -> bool:
        return self.begin < other.end and other.begin < self.end


def recorded(folder: Path, item: str) -> list[Work]:
    """Every time that a stage began with ``item``."""
    path = folder / f"{item}.log"
    found: list[Work] = []
    for line in path.read_text().splitlines() if path.exists() else []:
        first, *rest = line.split()
        if first == "end":
            found[-1] = Work(found[-1].processes, found[-1].begin, float(rest[0]))
        else:
            *pids, begin = rest
            found.append(Work((int(first), *map(int, pids)), float(begin), float("inf")))
    return found


def start(
    folder: Path, stage: str, item: str, seconds: object, scheduler: str = "", **options: Any
) -> subprocess.Popen[str]:
    """The stage's process, as DVC starts it."""
    arguments = ["--suite", "digits", "--item", item, "--seconds", str(seconds)]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    environment = os.environ | ENVIRONMENT | {"PNC_SCHEDULER": scheduler}
    command = [sys.executable, "-m", stage, *arguments]
    return subprocess.Popen(command, cwd=folder, env=environment, text=True, **{**pipes, **options})


@dataclass
class Cluster:
    """A scheduler and its workers."""

    client: Client
    folder: Path
    workers: list[subprocess.Popen[bytes]]

    @property
    def address(self) -> str:
        return self.client.scheduler.address

    def add(self, *options: str) -> subprocess.Popen[bytes]:
        """One more worker, which has its own idea of the number of threads; ready soon."""
        arguments = [self.address, "--no-nanny", "--no-dashboard", *options]
        self.workers.append(_python("distributed.cli.dask_worker", *arguments, folder=self.folder))
        return self.workers[-1]

    def ready(self) -> None:
        """Wait for all workers that were added and live."""
        living = sum(worker.poll() is None for worker in self.workers)
        until(lambda: len(self.client.scheduler_info()["workers"]) == living)

    def tasks(self) -> int:
        """How many are with the workers: at work, or waiting for resources."""
        return sum(map(len, self.client.processing().values()))

    def remove(self, worker: subprocess.Popen[bytes]) -> None:
        worker.kill()
        worker.wait()
        self.ready()


@contextmanager
def cluster(folder: Path, *workers: tuple[str, ...]) -> Iterator[Cluster]:
    """A cluster with one worker for each of these command line options. Its processes work in ``folder``."""
    folder.mkdir()
    file = folder / "address.json"
    started: list[subprocess.Popen[bytes]] = []
    scheduler = _python("distributed.cli.dask_scheduler", *START, str(file), folder=folder)
    try:
        until(lambda: file.exists() and file.read_text().endswith("}"))
        with Client(yaml.safe_load(file.read_text())["address"], set_as_default=False) as client:
            own = Cluster(client, folder, started)
            for options in workers:
                own.add(*options)
            own.ready()
            yield own
    finally:
        for process in (*started, scheduler):
            process.kill()
            process.wait()


START = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file")


def _python(module: str, *arguments: str, folder: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | ENVIRONMENT | {"OMP_NUM_THREADS": "7"}
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=folder, env=environment, **quiet)
