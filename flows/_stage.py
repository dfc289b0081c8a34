"""A stage, reproduced by a DVC process: each of them does one stage at a time."""

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import psutil

from flows._lines import Lines

Say = Callable[[str], None]

_POLL_SECONDS, _GRACE_SECONDS, _BUSY_SECONDS, _RETRY_SECONDS = 0.1, 1.5, 5.0, (2.0, 8.0)
_OWN_ENVIRONMENT = {"PYTHONUNBUFFERED": "1", "DVC_NO_ANALYTICS": "1"}  # lines arrive as they are printed

_RESTORED = re.compile(r"^Stage '.+' is cached - skipping run, checking out outputs$")
_UNCHANGED = re.compile(r"^(Stage )?'.+' didn't change, skipping$")
_FROM_DVC = re.compile(r"^(Running stage '.+':|> .*|ERROR: .*|WARNING: .*)$")
_ERROR = re.compile(r"^ERROR: (?:failed to reproduce '.+?': )?(.*)$")
_EXITED = re.compile(r", exited with (-?\d+)$")
_BUSY = re.compile(r"is busy, it is being blocked by|Unable to acquire lock")


class Outcome(StrEnum):
    """What became of a stage; Prefect shows the same names as states."""

    CACHED = "Cached"
    RESTORED = "Restored"
    RAN = "Ran"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    INTERRUPTED = "Interrupted"

    @property
    def succeeded(self) -> bool:
        return self in (Outcome.CACHED, Outcome.RESTORED, Outcome.RAN)


@dataclass(frozen=True)
class Ended:
    """``killed``: by a signal that we did not send, so that another try may do better."""

    outcome: Outcome
    message: str = ""
    killed: bool = False
    busy: bool = False


def interruptible() -> None:
    """From now on SIGINT and SIGTERM raise KeyboardInterrupt, but only once: what is being ended shall end."""

    def interrupt(*_: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)


class Dvc:
    """Runs stages until ``stop`` is called, from any thread, in processes that stay until its context ends."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = {**os.environ, **_OWN_ENVIRONMENT, **environment}
        self._stopped = threading.Event()
        self._idle: list[_Process] = []

    def __enter__(self) -> "Dvc":
        return self

    def __exit__(self, *_: object) -> None:
        while self._idle:
            self._idle.pop().end()

    def stop(self) -> None:
        self._stopped.set()

    def reproduce(self, address: str, log: Path, say: Say, show: Say) -> Ended:
        """Reproduce one stage alone. What it prints goes to the end of the file ``log``, each line to ``say``, and
        what a terminal would have at the bottom to ``show``. Another run's locks are waited for; after a kill it is
        tried again.
        """
        tries = iter(_RETRY_SECONDS)
        while not self._stopped.is_set():
            ended = self._once(address, log, say, show)
            seconds = _BUSY_SECONDS if ended.busy else next(tries, None) if ended.killed else None
            if seconds is None:
                return ended
            why = f"Waiting for another run: {ended.message}" if ended.busy else f"Again, as it was {ended.message}"
            say(why)
            show(why)
            self._stopped.wait(seconds)
        return Ended(Outcome.INTERRUPTED)

    def _once(self, address: str, log: Path, say: Say, show: Say) -> Ended:
        with open(log, "ab+", buffering=0) as output:
            lines = Lines(output, say)
            try:
                process = self._idle.pop()
            except IndexError:
                process = _Process(self._environment, output.fileno())
            process.ask(address, log)
            while (status := process.answer()) is None and not self._stopped.is_set():
                lines.read()
                show(lines.current)
            if status is not None and process.alive:
                self._idle.append(process)
            else:
                process.end()
            lines.read(last=True)
        return Ended(Outcome.INTERRUPTED) if status is None else judge(status, lines)


class _Process:
    """DVC (flows._dvc) in a session of its own, with a stage at a time below it."""

    def __init__(self, environment: Mapping[str, str], errors: int) -> None:
        # Not as the main module: processes that this one forks would import it again.
        command, pipe = [sys.executable, "-c", "from flows._dvc import serve; serve()"], subprocess.PIPE
        self._process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=errors, env=environment, text=True, start_new_session=True
        )
        assert self._process.stdin and self._process.stdout
        self._requests, self._answers = self._process.stdin, self._process.stdout

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    def ask(self, address: str, log: Path) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has died: the answer says so
            print(json.dumps([address, str(log)]), file=self._requests, flush=True)

    def answer(self) -> int | None:
        """The exit status of what was asked or, if it died, of the process; None if neither comes soon."""
        if not select.select([self._answers], [], [], _POLL_SECONDS)[0]:
            return None
        status = self._answers.readline()
        return int(status) if status else self._process.wait()

    def end(self) -> None:
        """Leave nothing of the session.

        A stage is told to end first, so that DVC sees it fail and closes its own files.
        """
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self._process.pid).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.terminate()
        with contextlib.suppress(BrokenPipeError):
            self._requests.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._answers.close()


def judge(status: int, lines: Lines | list[str]) -> Ended:
    """What DVC's exit status and the lines of its process say."""
    printed = [line for line in lines if line.strip()]
    if status == 0:
        return Ended(_success(printed))
    if status < 0:
        return Ended(Outcome.FAILED, f"killed, DVC and all, by {_name(-status)}", killed=True)
    errors = [match[1] for line in printed if (match := _ERROR.match(line))]
    error = errors[-1] if errors else f"DVC exited with {status}"
    if _BUSY.search(error):
        return Ended(Outcome.FAILED, error, busy=True)
    exited = _EXITED.search(error)
    code = int(exited[1]) if exited else 0
    if code < 0 or 128 < code < 160:  # a shell in between adds 128
        return Ended(Outcome.FAILED, f"killed by {_name(abs(code) % 128)}", killed=True)
    own = [line for line in printed if not _FROM_DVC.match(line)]
    return Ended(Outcome.FAILED, own[-1].strip() if exited and own else error)


def _success(printed: list[str]) -> Outcome:
    if any(_RESTORED.match(line) for line in printed):
        return Outcome.RESTORED
    return Outcome.CACHED if any(_UNCHANGED.match(line) for line in printed) else Outcome.RAN


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
