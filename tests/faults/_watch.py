"""Waiting for what happens in other processes, and ending them."""

import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import psutil

T = TypeVar("T")
PATIENCE = 300.0  # seconds; a test that waits for longer has failed


def wait_for(event: Callable[[], T], what: str, seconds: float = PATIENCE) -> T:
    """The first true value of ``event()``. AssertionError if it takes too long."""
    end = time.monotonic() + seconds
    while not (value := event()):
        assert time.monotonic() < end, f"waited for {seconds:.0f} s: {what}"
        time.sleep(0.002)
    return value


def stage_process(parent: subprocess.Popen[str], stage: str = "") -> psutil.Process | None:
    """The process below ``parent`` that works on a stage (any of them if none is named), once it is Python."""
    for process in descendants(parent.pid):
        try:
            command, name = process.cmdline(), process.environ().get("DVC_STAGE", "")
        except psutil.Error:
            continue
        if command[1:2] == ["-m"] and command[2].startswith("stages.") and name.endswith(stage):
            return process
    return None


def descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [each for each in processes if _is_alive(each)]


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill_all(command: subprocess.Popen[str]) -> None:
    """SIGKILL a command and all below it, as a power failure would."""
    frozen: list[psutil.Process] = []
    while fresh := [each for each in (psutil.Process(command.pid), *descendants(command.pid)) if each not in frozen]:
        for each in fresh:
            with suppress(psutil.NoSuchProcess):
                each.suspend()  # so that it starts no other meanwhile
        frozen += fresh
    for each in frozen:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    command.wait()
    wait_for(lambda: not alive(frozen), "the killed processes' end")
