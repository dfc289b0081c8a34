"""Prefect's settings for this repository, and the server that a run brings along where none is named.

The server is a process of its own, started before anything slow is imported, with its database in ``.prefect``. It
ends with the one who started it, however that one ended: it reads a pipe that only he holds open.
"""

import fcntl
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.error import URLError

from pnc.base.errors import bad

_START_SECONDS, _STOP_SECONDS = 300, 3  # the very first start makes the database
# Quiet, and nothing sent anywhere. Waiting threads sleep; the last bits of a number depend on how many there are.
_DEFAULTS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    # Task runs arrive as events: written together, once a second (less than that spins).
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "50",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "50",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_LOGGING_FORMATTERS_STANDARD_DATEFMT": "%H:%M:%S",
    "PREFECT_LOGGING_FORMATTERS_STANDARD_FLOW_RUN_FMT": "%(asctime)s | %(message)s",
    "PREFECT_LOGGING_FORMATTERS_STANDARD_TASK_RUN_FMT": "%(asctime)s | %(task_run_name)s | %(message)s",
    "OMP_WAIT_POLICY": "PASSIVE",
    "OMP_NUM_THREADS": "1",
}


def configure() -> None:
    """Set what the user has not set. To be called before Prefect is imported: it reads its settings then."""
    for name, value in {**_DEFAULTS, "PREFECT_HOME": str(Path(".prefect").absolute())}.items():
        os.environ.setdefault(name, value)


class Server:
    """The API that a flow talks to; ``ready`` waits for it."""

    def __init__(self, process: subprocess.Popen[bytes] | None = None) -> None:
        self._process = process

    def ready(self) -> None:
        """Raises PncError if the server that was started here ended or does not answer."""
        health = f"{os.environ['PREFECT_API_URL']}/health"
        patience = time.monotonic() + _START_SECONDS
        while self._process and not _answers(health):
            if self._process.poll() is not None or time.monotonic() > patience:
                raise bad("Prefect's server", expected="a start", found=f"none: {_home() / 'server.log'} says why")
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process and self._process.stdin:
            self._process.stdin.close()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


@contextmanager
def server() -> Iterator[Server]:
    """The server at ``PREFECT_API_URL`` or, where that is not set, one of our own until the block ends."""
    configure()
    if os.environ.get("PREFECT_API_URL"):
        yield Server()
        return
    port = _free_port()
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    command = [sys.executable, "-m", "flows._server", str(port)]
    # Not in the terminal's group: an interrupt must first reach the flow, which still has states to report.
    with open(_home() / "server.log", "ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, process_group=0)
    own = Server(process)
    try:
        yield own
    finally:
        own.stop()
        del os.environ["PREFECT_API_URL"]


def _home() -> Path:
    home = Path(os.environ["PREFECT_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    return home


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except (URLError, OSError):
        return False


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def _serve(port: int) -> None:
    """Run the API until standard input ends."""
    import uvicorn  # with Prefect's server behind it: four seconds that nobody else should wait for
    from prefect.server.api.server import create_app

    app = create_app(ephemeral=True, final=True)
    api = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    threading.Thread(target=_watch, daemon=True).start()
    with open(_home() / "starting", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two that make the database at once fail
        threading.Thread(target=_release, args=(api, lock), daemon=True).start()
        api.run()


def _watch() -> None:
    sys.stdin.buffer.read()
    os._exit(0)  # every state is in the database by then


def _release(api: Any, lock: IO[str]) -> None:
    while not api.started:
        time.sleep(0.05)
    fcntl.flock(lock, fcntl.LOCK_UN)


if __name__ == "__main__":
    configure()
    _serve(int(sys.argv[1]))
