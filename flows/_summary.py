"""A run's outcome for the terminal."""

from collections import Counter
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from flows._stage import Outcome

_STYLES = {
    Outcome.CACHED: "dim",
    Outcome.RESTORED: "cyan",
    Outcome.RAN: "green",
    Outcome.FAILED: "bold red",
    Outcome.SKIPPED: "yellow",
    Outcome.INTERRUPTED: "yellow",
}


@dataclass(frozen=True)
class Row:
    """``seconds`` from start to end, waits and retries included; None where no process was needed."""

    stage: str
    outcome: Outcome
    seconds: float | None = None
    message: str = ""


def totals(rows: list[Row]) -> str:
    """For example ``3 Ran, 12 Cached``."""
    counts = Counter(row.outcome for row in rows)
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome if counts[outcome]) or "no stage"


def show(rows: list[Row], console: Console | None = None) -> None:
    """One line a stage; stages of one group that needed no process share a line."""
    table = Table("Stage", "Outcome", "Seconds", "", box=None, header_style="bold")
    table.columns[2].justify = "right"
    for name, row in _folded(rows):
        seconds = "" if row.seconds is None else f"{row.seconds:.1f}"
        table.add_row(name, f"[{_STYLES[row.outcome]}]{row.outcome}[/]", seconds, row.message)
    console = console or Console()
    console.print(table, totals(rows), sep="\n")


def _folded(rows: list[Row]) -> list[tuple[str, Row]]:
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        quiet = row.seconds is None
        groups.setdefault((_group(row) if quiet else row.stage, row.outcome), []).append(row)
    return [
        (name if len(group) == 1 and name == group[0].stage else _label(name, group), group[0])
        for (name, _), group in groups.items()
    ]


def _group(row: Row) -> str:
    return row.stage.partition("@")[0]


def _label(name: str, group: list[Row]) -> str:
    return group[0].stage if len(group) == 1 else f"{name} ({len(group)} stages)"
