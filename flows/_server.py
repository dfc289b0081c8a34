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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
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
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",  # the terminal has flows._view, the pages have it all
    "OMP_WAIT_POLICY": "PASSIVE",
    "OMP_NUM_THREADS": "1",
}


def configure() -> Path:
    """Set what the user has not set; Prefect's folder. Before Prefect is imported: it reads its settings then."""
    for name, value in {**_DEFAULTS, "PREFECT_HOME": str(Path(".prefect").absolute())}.items():
        os.environ.setdefault(name, value)
    home = Path(os.environ["PREFECT_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    return home


@contextmanager
def server() -> Iterator[Callable[[], None]]:
    """The server at ``PREFECT_API_URL`` or, where that is not set, one of our own until the block ends.

    Yields what waits until it answers, and raises PncError if our own has ended instead.
    """
    home = configure()
    if os.environ.get("PREFECT_API_URL"):
        yield lambda: None
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    command = [sys.executable, "-m", "flows._server", str(port)]
    # Not in the terminal's group: an interrupt must first reach the flow, which still has states to report.
    with open(home / "server.log", "ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, process_group=0)
    try:
        yield lambda: _wait(process, home)
    finally:
        _stop(process)
        del os.environ["PREFECT_API_URL"]


def _wait(process: subprocess.Popen[bytes], home: Path) -> None:
    patience = time.monotonic() + _START_SECONDS
    while not _answers(f"{os.environ['PREFECT_API_URL']}/health"):
        if process.poll() is not None or time.monotonic() > patience:
            raise bad("Prefect's server", expected="a start", found=f"none: {home / 'server.log'} says why")
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except (URLError, OSError):
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    try:
        process.communicate(timeout=_STOP_SECONDS)  # closes its input
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _serve(port: int, home: Path) -> None:
    """Run the API until standard input ends."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    import uvicorn  # with Prefect's server behind it: four seconds that nobody else should wait for
    from prefect.server.api.server import create_app

    class Api(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            with open(home / "starting", "w") as lock:  # two that make the database at once fail
                fcntl.flock(lock, fcntl.LOCK_EX)
                await super().startup(sockets)

    app = create_app(ephemeral=True, final=True)
    Api(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error")).run()


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    os._exit(0)  # every state is in the database by then


if __name__ == "__main__":
    _serve(int(sys.argv[1]), configure())
