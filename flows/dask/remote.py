"""A stage's command on a Dask cluster. DVC stays where it is: the process that it started only waits and relays.

Workers see the project's folder under the same path, on a disk that all hosts share.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from flows.dask import worker
from flows.dask.resources import obtainable, required
from pnc.base.errors import bad

if TYPE_CHECKING:
    from distributed import Client, Future

VARIABLE = "PNC_SCHEDULER"
KILLED = 128 + signal.SIGKILL
_CONNECT_SECONDS, _POLL_SECONDS, _WORKER_SECONDS = 8.0, 1.0, 60
# The number of threads decides a number's last bits: on a worker it is what it would be here.
_THREADS = ("OMP_", "MKL_", "OPENBLAS_")
Events = SimpleQueue[tuple[str, str]]


def run(address: str, stage: str) -> int:
    """Run this process's own command on a worker; its exit status, or 137 if the worker was lost.

    Raises PncError for a cluster that does not answer, has no worker or not the resources, or does not see the
    project's folder.
    """
    with _ending_on_signals(), connected(address) as client, _token() as token:
        resources = _resources(client, stage)
        name = f"{stage}-{uuid4().hex}"
        job = worker.Job(name, str(Path.cwd()), str(token), sys.orig_argv[1:], _environment())
        events: Events = SimpleQueue()
        client.subscribe_topic(name, lambda event: events.put(tuple(event[1])))
        return _follow(client, _submit(client, job, resources), events, stage)


@contextmanager
def connected(address: str, seconds: float = _CONNECT_SECONDS) -> Iterator["Client"]:
    """A client of the scheduler at ``address``. Raises PncError if it does not answer within about ``seconds``."""
    if find_spec("distributed") is None:
        raise bad(
            VARIABLE, expected="the package distributed beside it: pip install 'pnc[bench]'", found="no package"
        )
    from distributed import Client  # here: a second, and stages that run alone do without

    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    try:
        asyncio.run(_ask(address, seconds))  # first, as a client that gets no answer tells more than one line
        client = Client(address, timeout=seconds, set_as_default=False)
    except (OSError, ValueError, MemoryError) as error:  # the last is what another protocol's answer looks like
        why = "" if isinstance(error, MemoryError) else str(error)
        found = f"{address} ({why or 'no answer'})"
        raise bad("Dask scheduler", expected="an address that answers", found=found) from None
    with client:
        yield client


async def _ask(address: str, seconds: float) -> None:
    from distributed import rpc

    async with rpc(address, timeout=seconds) as scheduler:
        await asyncio.wait_for(scheduler.identity(), seconds)


def _submit(client: "Client", job: worker.Job, resources: Mapping[str, float]) -> "Future":
    import cloudpickle

    cloudpickle.register_pickle_by_value(worker)
    return client.submit(lambda: worker.work(job), key=job.topic, resources=resources, pure=False)


def _follow(client: "Client", future: "Future", events: Events, stage: str) -> int:
    """Relay what the worker tells until the command has ended there."""
    place = ""
    while True:
        try:
            kind, text = events.get(timeout=_POLL_SECONDS)
        except Empty:
            kind, text = _trouble(client, future, place)
        if kind == "began":
            place = text
            _say(stage, f"runs on {place}")
        elif kind in ("stdout", "stderr"):
            print(text, end="", file=getattr(sys, kind), flush=True)
        elif kind == "ended":
            return int(text)
        elif kind == "lost" or (kind == "missing" and place):  # it was begun, and then given to another worker
            _say(stage, f"killed: lost {text if kind == 'lost' else f'the worker {place}'}")
            return KILLED
        elif kind == "missing":
            raise bad(f"{Path.cwd()} on {text}", expected="the project's folder, on a shared disk", found="not it")


def _trouble(client: "Client", future: "Future", place: str) -> tuple[str, str]:
    """An event for what the worker at ``place`` can no longer tell."""
    if future.status == "error" and not place:
        raise bad("Dask worker", expected="one that can take a stage", found=repr(future.exception()))
    try:
        workers = client.processing()
    except (OSError, RuntimeError):
        return "lost", "the scheduler"
    if future.status in ("cancelled", "lost"):
        return "lost", "the scheduler"
    if place and place.split()[0] not in workers:
        return "lost", f"the worker {place}"
    return "nothing", ""


def _resources(client: "Client", stage: str) -> dict[str, float]:
    """What to ask a worker for: the requirement of ``stage``, without what no worker of the cluster declares."""
    needed = required(stage, known={path.stem for path in Path(sys.argv[0]).parent.glob("[!_]*.py")})
    try:
        client.wait_for_workers(1, timeout=_WORKER_SECONDS)
    except TimeoutError:
        raise bad("Dask cluster", expected=f"a worker within {_WORKER_SECONDS} s", found="none") from None
    offers = [worker["resources"] for worker in client.scheduler_info()["workers"].values()]
    found = obtainable(stage, needed, offers)
    for name in needed.keys() - found.keys():
        _say(stage, f"no worker declares {name}, runs without")
    return found


def _environment() -> dict[str, str | None]:
    """Changes to a worker's environment, so that the command finds there what it would find here."""
    thread_names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")  # Dask sets them on its workers
    unset: dict[str, str | None] = dict.fromkeys(thread_names)
    own = {name: value for name, value in os.environ.items() if name.startswith(("PNC_", *_THREADS))}
    return {**unset, **own, VARIABLE: None}


@contextmanager
def _token() -> Iterator[Path]:
    """A file that the first worker removes: it proves that the folder is shared, and that no other took the job."""
    path = Path(".scratch", f"{uuid4().hex}.token").absolute()
    path.parent.mkdir(exist_ok=True)
    path.touch()
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _ending_on_signals() -> Iterator[None]:
    """End at once but in order: the scheduler then drops the job, and its worker ends the command."""

    def end(number: int, _: Any) -> None:
        sys.exit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(stage: str, text: str) -> None:
    print(f"{stage}: {text}", file=sys.stderr, flush=True)
