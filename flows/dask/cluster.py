"""A Dask cluster for the stages' commands: one on this host, or one that is there already.

prefect-dask is not used: it would run DVC itself on the workers, whose locks know only the processes of one host.
"""

import logging
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from shutil import which
from typing import Any

from flows.dask.remote import connected


@contextmanager
def cluster(workers: int, scheduler: str | None = None) -> Iterator[str]:
    """Yield the address of a scheduler, for PNC_SCHEDULER.

    Without ``scheduler`` it is one of our own with that many ``workers``, each a process for one stage at a time.
    Each GPU of this host belongs to one of them and is declared as ``{"GPU": 1}``; the others see none. Raises
    PncError if nothing answers at the address ``scheduler``.
    """
    if scheduler is None:
        with _local(workers) as address:
            yield address
    else:
        with connected(scheduler):
            pass
        yield scheduler


@contextmanager
def _local(workers: int) -> Iterator[str]:
    from distributed import Nanny, Scheduler, SpecCluster  # here: a second, which other runs need not wait for

    pages = {"dashboard": True} if find_spec("bokeh") else {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
    own = SpecCluster(
        scheduler={"cls": Scheduler, "options": {"host": "127.0.0.1", "port": 0, **pages}},
        workers={index: {"cls": Nanny, "options": options} for index, options in enumerate(_workers(workers))},
        silence_logs=logging.CRITICAL,
    )
    with own:
        yield own.scheduler_address


def _workers(count: int) -> Iterator[dict[str, Any]]:
    common = {"host": "127.0.0.1", "nthreads": 1, "memory_limit": 0, "silence_logs": logging.CRITICAL}
    gpus = _gpus()
    for index in range(count):
        if not gpus:
            yield common
        elif index < len(gpus):
            yield {**common, "resources": {"GPU": 1}, "env": {"CUDA_VISIBLE_DEVICES": gpus[index]}}
        else:
            yield {**common, "env": {"CUDA_VISIBLE_DEVICES": ""}}


def _gpus() -> list[str]:
    """This host's GPUs as CUDA_VISIBLE_DEVICES names them."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name for name in chosen.split(",") if name]
    if which("nvidia-smi") is None:
        return []
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True)
    return [str(index) for index, _ in enumerate(listed.stdout.splitlines())] if listed.returncode == 0 else []
