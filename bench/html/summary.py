"""The one table over all data sets: PNC in both regimes beside the paper, and what it has to be held against."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.html.grid import Entry, Grids, Suited
from bench.html.results import Results, titled
from bench.html.settings import behind
from bench.report.paper import OLD_CLASSES
from bench.report.tables import MISSING, seeds_text
from pnc.base.errors import bad

TABLE = "T1"
COLUMNS = {  # heading → row of Table 1 and regime
    "PNC, strict": ("PNC (full)", "strict"),
    "PNC, rehearsal": ("PNC (full)", "rehearsal"),
    "Direct Ensemble": ("Direct Ensemble", ""),
    "Direct Ensemble, calibrated": ("Direct Ensemble (calibrated)", "strict"),
    "Linear probe, rehearsal": ("Linear probe (ceiling)", "rehearsal"),
}
REGIMES = {heading: regime for heading, (_, regime) in COLUMNS.items() if regime}
_METRICS = ("avg", "ori", "tar")
BEGIN, END = "<!-- table: begin (make report) -->", "<!-- table: end -->"


@dataclass(frozen=True)
class Score:
    """Avg, and below it Ori and Tar: ours, and the paper's as printed."""

    avg: Entry
    ori: Entry
    tar: Entry

    @property
    def below(self) -> str:
        ours = "" if self.avg.kind == "missing" else f"{_mean(self.ori.ours)} / {_mean(self.tar.ours)}"
        paper = f"({self.ori.beside} / {self.tar.beside})" if self.avg.beside else ""
        return " ".join(filter(None, (ours, paper)))


@dataclass(frozen=True)
class Row:
    """One data set at one scale: what it clones, and a score for each of ``COLUMNS`` that the suite's table has."""

    results: Results
    scale: str
    scores: dict[str, Score | None]

    @property
    def title(self) -> str:
        return titled(self.results.suite.dataset)

    @property
    def is_measured(self) -> bool:
        return any(score and score.avg.kind != "missing" for score in self.scores.values())


def summary(suites: Sequence[Suited]) -> list[Row]:
    """The rows of every suite that has a Table 1."""
    return [row for results, grids in suites if TABLE in grids for row in _rows(results, grids[TABLE])]


def markdown(suites: Sequence[Suited], paper: pd.DataFrame) -> str:
    """The rows of the paper's data sets for the README, and below them what measured them or would."""
    own = [suite for suite in suites if suite.results.suite.dataset in OLD_CLASSES]
    lines = [["", *COLUMNS], ["---"] * (len(COLUMNS) + 1)]
    lines += [[f"{row.title}, {row.scale}", *map(_cell, row.scores.values())] for row in summary(own)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    notes = [f"- {note}" for suite in own for note in notes_on(suite, paper)]
    return "\n".join([table, "", *notes]) + "\n"


def into(text: str, table: str) -> str:
    """``text`` with ``table`` between its markers. Raises PncError without both of them."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise bad("README.md", expected=f"the lines {BEGIN} and {END}", found="not both")
    return f"{before}{BEGIN}\n\n{table}\n{END}{after}"


def notes_on(suite: Suited, paper: pd.DataFrame) -> Iterator[str]:
    """What the numbers of a suite's Table 1 were made with, or the command that would measure them."""
    results, dataset = suite.results, suite.results.suite.dataset
    if TABLE not in suite.grids:
        return
    title, cells, theirs = titled(dataset), results.of(TABLE), set(paper[paper["dataset"] == dataset]["table"])
    if cells.empty:
        yield f"{title}: not measured. `{results.command(TABLE)}` measures it."
    else:
        made = behind(cells, results.behind).made
        yield f"{title}: {seeds_text(cells)}; {', '.join(made['device'])}; commit {', '.join(made['commit'])}."
    if found := results.otherwise(TABLE):
        yield f"{title} was measured before the suite was changed: {'; '.join(found)}."
    if TABLE in theirs and not suite.grids[TABLE].printed:
        yield f"{title}: the paper's Table 1 is of {_networks(paper, dataset)}, so it does not stand beside ours."


def _networks(paper: pd.DataFrame, dataset: str) -> str:
    own = paper[(paper["dataset"] == dataset) & (paper["table"] == TABLE)]
    return ", ".join(sorted({network for role in ("source", "target") for network in own[role]}))


def _rows(results: Results, grids: Grids) -> Iterator[Row]:
    table = grids.table
    for column in table.columns:
        scores = {
            heading: Score(*(grids.entry(row, regime, column, metric) for metric in _METRICS))
            if row in table.rows
            else None
            for heading, (row, regime) in COLUMNS.items()
        }
        yield Row(results, column, scores)


def _cell(score: Score | None) -> str:
    if score is None:
        return MISSING
    ours = score.avg.ours if score.avg.kind == "missing" else _bold(score.avg.ours)
    paper = f"({score.avg.beside})" if score.avg.beside else ""
    return "<br>".join(filter(None, (" ".join(filter(None, (ours, paper))), score.below)))


def _bold(text: str) -> str:
    mean, *spread = text.split(" ", 1)
    return " ".join([f"**{mean}**", *spread])


def _mean(text: str) -> str:
    """Without its spread."""
    return text.partition(" ")[0]
