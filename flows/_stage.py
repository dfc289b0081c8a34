"""One stage, reproduced by a DVC process of its own."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import psutil

from flows._lines import Lines

Say = Callable[[str], None]

_POLL_SECONDS, _GRACE_SECONDS = 0.1, 1.5
_LONGEST_WAIT = 15.0
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


class Dvc:
    """Runs stages until ``stop`` is called, from any thread."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = {**os.environ, **_OWN_ENVIRONMENT, **(environment or {})}
        self._stopped = threading.Event()

    def stop(self) -> None:
        self._stopped.set()

    def reproduce(self, stage: str, say: Say) -> Ended:
        """Reproduce ``stage`` alone, passing on each line that it prints. Another run's locks are waited for."""
        for seconds in _growing():
            ended = self._once(stage, say)
            if not ended.busy:
                return ended
            say(f"Waiting for another run: {ended.message}")
            if self._stopped.wait(seconds):
                break
        return Ended(Outcome.INTERRUPTED)

    def _once(self, stage: str, say: Say) -> Ended:
        command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", stage]
        # A file, not a pipe: should this process be killed, the stage can still write, and finish.
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )
            lines = Lines(output.fileno(), say)
            try:
                while process.poll() is None and not self._stopped.wait(_POLL_SECONDS):
                    lines.read()
                stopped = process.poll() is None
            finally:
                _end(process)
            lines.read(last=True)
        return Ended(Outcome.INTERRUPTED) if stopped else judge(process.returncode, lines)


def judge(status: int, lines: Lines | list[str]) -> Ended:
    """What DVC's exit status and the lines of its process say."""
    printed = [line for line in lines if line.strip()]
    if status == 0:
        return Ended(_success(printed))
    if status < 0:
        return Ended(Outcome.FAILED, f"DVC was killed by {_name(-status)}", killed=True)
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


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing of the process's session.

    The stage is told to end first, so that DVC sees it fail and closes its own files: it writes dvc.lock in place.
    """
    if process.poll() is None:
        for child in _children(process.pid):
            child.terminate()
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _growing() -> Iterator[float]:
    seconds = 0.5
    while True:
        yield seconds
        seconds = min(2 * seconds, _LONGEST_WAIT)


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
