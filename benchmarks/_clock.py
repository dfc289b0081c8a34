"""Timing side by side: every round runs each contender once, in an order that rotates."""

import time
from collections.abc import Callable, Sequence
from statistics import median

import torch

from bench.work.provenance import device_name


def alternate(contenders: Sequence[Callable[[], object]], rounds: int) -> list[list[float]]:
    """Seconds of every run, [contender][round], after one run of each to warm up."""
    seconds: list[list[float]] = [[] for _ in contenders]
    for turn in range(rounds + 1):
        for step in range(len(contenders)):
            index = (turn + step) % len(contenders)
            seconds[index].append(clock(contenders[index]))
    return [runs[1:] for runs in seconds]


def clock(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """The median of the rounds' ratios: a machine that slows down for a while slows both."""
    return median(a / b for a, b in zip(above, below, strict=True))


def machine(threads: int, rounds: int) -> str:
    torch.set_num_threads(threads)
    return f"{device_name()}, torch {torch.__version__}, {threads} thread(s), n = {rounds} rounds"


def table(header: str, rows: Sequence[Sequence[object]]) -> str:
    """Markdown; ``header`` is columns joined by " | "."""
    lines = [header, "|".join("---" for _ in header.split("|")), *(" | ".join(map(str, row)) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines)
