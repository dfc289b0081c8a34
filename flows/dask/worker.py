"""What a Dask worker does for a stage: run its command, send what it prints, end it when nobody waits for it.

The code travels with the task, so workers need not find this project when they start, only when they work for it.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

Tell = Callable[[str, str], None]
_POLL_SECONDS = 0.2
_AT_WORK = ("running", "paused", "closing_gracefully")


@dataclass(frozen=True)
class Job:
    """A stage's command. ``token`` is a file that the first worker to take the job removes."""

    topic: str
    folder: str
    token: str
    arguments: list[str]
    environment: dict[str, str | None]  # changes to the worker's own; None: not to be set


def work(job: Job) -> None:
    """Run the command. Events of ``job.topic`` say how it goes.

    ``("missing", host)``: no token; ``("began", worker)``; ``("stdout" or "stderr", text)``; ``("ended", status)``.
    """
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def tell(kind: str, text: str) -> None:
        worker.log_event(job.topic, (kind, text))

    def wanted() -> bool:
        task = worker.state.tasks.get(key)
        return task is not None and task.state == "executing" and worker.status.name in _AT_WORK

    try:
        os.unlink(job.token)
    except OSError:
        return tell("missing", socket.gethostname())
    tell("began", f"{worker.address} {socket.gethostname()}")
    tell("ended", str(_run(job, tell, wanted)))


def _run(job: Job, tell: Tell, wanted: Callable[[], bool]) -> int:
    changed = {**os.environ, **job.environment, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.dask.leash", *job.arguments],
        cwd=job.folder,
        env={name: value for name, value in changed.items() if value is not None},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    with process:
        readers = [_relay(process.stdout, "stdout", tell), _relay(process.stderr, "stderr", tell)]
        _wait(process, wanted)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # all of it, or what the command left behind
        for reader in readers:
            reader.join()
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _wait(process: subprocess.Popen[str], wanted: Callable[[], bool]) -> None:
    while wanted():
        with suppress(subprocess.TimeoutExpired):
            process.wait(_POLL_SECONDS)
            return


def _relay(stream: IO[str] | None, name: str, tell: Tell) -> threading.Thread:
    def read() -> None:
        for line in stream or ():
            tell(name, line)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread
