"""Progress on long work: a bar on a terminal, plain lines elsewhere, nothing when not asked for."""

from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

T = TypeVar("T")


def track(items: Iterable[T], label: str, shown: bool = True) -> Iterator[T]:
    """Yield ``items``; with ``shown``, say on stderr how far along they are and how long the rest will take."""
    console = Console(stderr=True)
    if not shown:
        yield from items
    elif console.is_terminal:
        yield from _bar(items, label, console)
    else:
        yield from _lines(items, label, console)


def _bar(items: Iterable[T], label: str, console: Console) -> Iterator[T]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield from progress.track(items, total=_length(items), description=label)


def _lines(items: Iterable[T], label: str, console: Console) -> Iterator[T]:
    """At most ten lines, for logs."""
    total = _length(items)
    every = max(1, (total or 100) // 10)
    for count, item in enumerate(items, start=1):
        yield item
        if count % every == 0 or count == total:
            console.print(f"{label}: {count}/{total or '?'}", highlight=False)


def _length(items: Iterable[T]) -> int | None:
    return len(items) if isinstance(items, Sized) else None
