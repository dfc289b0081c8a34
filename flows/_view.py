"""What a run shows in the terminal: a line for each stage that ends and, while it goes on, what is being done."""

import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from flows._stage import Outcome

_STYLES = dict(zip(Outcome, ("dim", "cyan", "green", "bold red", "yellow", "yellow"), strict=True))
_LAST_LINES = 8


@dataclass(frozen=True)
class Row:
    """How a stage ended."""

    stage: str
    outcome: Outcome
    message: str = ""


class View:
    """As a context it stays at the bottom of the terminal, if there is one. ``rows``: the stages that have ended."""

    def __init__(self, stages: int, console: Console | None = None) -> None:
        self._stages, self._console = stages, console or Console()
        self._logs = Path(".scratch", "logs", f"{time.strftime('%Y-%m-%d-%H%M%S')}-{os.getpid()}")
        self._began = time.monotonic()
        self._running: dict[str, tuple[float, str]] = {}  # since when, its last line
        self._live = Live(self, console=self._console, refresh_per_second=4, transient=True)
        self.rows: list[Row] = []

    def __enter__(self) -> "View":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """The last lines: why stages were skipped, and how many ended in which way."""
        self._live.stop()
        for why, count in Counter(row.message for row in self.rows if row.outcome is Outcome.SKIPPED).items():
            self._say(Outcome.SKIPPED, " " * 11, f"{count} stage{'s' * (count > 1)}", f"({why})")
        self._console.print(f"{self.totals()} in {_clock(self._began)}", highlight=False, soft_wrap=True)

    def totals(self) -> str:
        """For example ``3 Ran, 12 Cached``."""
        counts = Counter(row.outcome for row in self.rows)
        return ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome if counts[outcome]) or "no stage"

    def log(self, stage: str) -> Path:
        """The file for all that ``stage`` prints."""
        self._logs.mkdir(parents=True, exist_ok=True)
        return self._logs / f"{stage.replace('/', '-')}.log"

    def start(self, stage: str) -> None:
        self._running[stage] = (time.monotonic(), "")

    def show(self, stage: str, line: str) -> None:
        """``line`` is the last that ``stage`` has printed."""
        self._running[stage] = (self._running[stage][0], line)

    def end(self, stage: str, outcome: Outcome, message: str = "") -> None:
        """Said at once of a stage that was started; the last lines of a failed one are quoted."""
        self.rows.append(Row(stage, outcome, message))
        began, _ = self._running.pop(stage, (None, ""))
        if began is None:
            return
        self._say(outcome, f"{time.monotonic() - began:9.1f} s", stage, message and f"({message})")
        if outcome is Outcome.FAILED and self.log(stage).is_file():
            lines = self.log(stage).read_text(errors="replace").splitlines()[-_LAST_LINES:]
            for line in (*lines, f"All of it: {self.log(stage)}"):
                self._console.print(f"    {line}", soft_wrap=True, markup=False, highlight=False)

    def _say(self, outcome: Outcome, *words: str) -> None:
        text = Text.assemble((f"{outcome:11}", _STYLES[outcome]), " ".join(("", *filter(None, words))))
        self._console.print(text, soft_wrap=True)

    def __rich__(self) -> Group:
        """How far it is, and the stages that run: since when, and the last line of each."""
        failed = sum(row.outcome is Outcome.FAILED for row in self.rows)
        counts = f"{len(self.rows)} of {self._stages} stages" + (f", [bold red]{failed} failed[/]" if failed else "")
        head, body = Table.grid(padding=(0, 2, 0, 0)), Table.grid(padding=(0, 1, 0, 0))
        head.add_row(ProgressBar(self._stages, len(self.rows), width=24), counts, _clock(self._began))
        for stage, (since, line) in list(self._running.items()):
            body.add_row(_clock(since), _cut(stage, "bold"))
            body.add_row("", _cut(line, "dim"))
        return Group(head, body)


def _cut(text: str, style: str) -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis")


def _clock(since: float) -> str:
    minutes, seconds = divmod(int(time.monotonic() - since), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
