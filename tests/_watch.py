"""Waiting for what happens in other processes, and ending them."""

import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import psutil

T = TypeVar("T")


def until(event: Callable[[], T], seconds: float = 300, *, every: float = 0.01) -> T:
    """Wait for the first true value of ``event()``, with patience for busy machines. AssertionError if none comes."""
    end = time.monotonic() + seconds
    while not (value := event()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(every)
    return value


def descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def serving() -> list[psutil.Process]:
    """This process's children that hold DVC in memory for the flow: other tests may have left some of their own."""
    return [child for child in psutil.Process().children() if "serve()" in " ".join(child.cmdline())]


def alive(process: psutil.Process | int) -> bool:
    """Whether a process, or one with this id, is there and is no zombie."""
    try:
        found = psutil.Process(process) if isinstance(process, int) else process
        return found.is_running() and found.status() != psutil.STATUS_ZOMBIE
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
    until(lambda: not any(map(alive, frozen)))
