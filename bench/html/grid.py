"""A table as a grid of entries: ours, the paper's number beside it, how far the two are, and what is not measured."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import pandas as pd

from bench.html.distance import band, points, signed
from bench.html.results import Results
from bench.report.labels import REGIMES, label
from bench.report.metrics import METRICS, Metric
from bench.report.missing import fitting
from bench.report.paper import METRICS as OF_PAPER
from bench.report.printed import Printed
from bench.report.query import DEFAULTS, Table
from bench.report.tables import MISSING, records

Place = tuple[str, str]  # a column, and the name of a metric
OURS, THEIRS = "ours, not in the paper", "in the paper alone"
_SAME = ("source", "target", "task", "method")


@dataclass(frozen=True)
class Entry:
    """One cell: ``beside`` is the paper's number, ``distance`` ours less that, or less the row ``Grids.base``."""

    ours: str = MISSING
    seeds: str = ""
    beside: str = ""
    distance: str = ""
    band: str = ""

    @property
    def kind(self) -> str:
        """The class of the cell."""
        return self.band or ("missing" if self.ours == MISSING else "")


@dataclass(frozen=True)
class Line:
    """A row in one regime."""

    row: str
    regime: str
    entries: tuple[Entry, ...]

    @property
    def is_measured(self) -> bool:
        return any(entry.ours != MISSING for entry in self.entries)


@dataclass(frozen=True)
class Grid:
    """One section: ``groups`` are lines by what is said above them, metrics repeat for each of the ``columns``."""

    section: str
    columns: tuple[str, ...]
    metrics: tuple[Metric, ...]
    groups: dict[str, list[Line]]
    absent: tuple[str, ...]  # headings of metrics without any number

    @property
    def is_printed(self) -> bool:
        """Whether the paper has any of it."""
        return any(entry.beside for lines in self.groups.values() for line in lines for entry in line.entries)


class Grids:
    """The grids of one table of ``results``, one for each of its sections."""

    def __init__(self, results: Results, key: str, paper: pd.DataFrame) -> None:
        self.table: Table = results.tables[key]
        self._makers = results.makers(key)
        self.cells = results.of(key)
        self._cells = {
            (cell["row"], cell["regime"], cell["scale"], cell["metric"]): cell for cell in records(self.cells)
        }
        dataset = results.suite.dataset
        self._printed = Printed(self.table, paper, dataset=dataset, arch=results.archs.__getitem__)
        places = product(self.table.rows, self.table.columns)
        self._of_paper = {place: self._printed.of(*place) for place in places}
        self._names = set(paper.loc[paper["table"] == key, "row"])  # on any data set
        self.base = self._base()

    def all(self) -> list[Grid]:
        """Every section; the first has every row, the others those with numbers."""
        first, *_ = self.table.metrics
        grids = [self.grid(section, names, section == first) for section, names in self.table.metrics.items()]
        return [grid for grid in grids if grid.groups]

    def grid(self, section: str, names: Sequence[str], whole: bool) -> Grid:
        """One of the metrics ``names``; ``whole`` is with rows that have no numbers."""
        shown = [name for name in names if self._has_numbers(name)] or list(names)
        places = list(product(self.table.columns, shown))
        groups: dict[str, list[Line]] = {}
        for row in self.table.rows:
            ours = self._names and self.table.paper_row(row) not in self._names
            for regime in self.regimes(row):
                line = Line(row, regime, tuple(self.entry(row, regime, *place) for place in places))
                if whole or line.is_measured:
                    groups.setdefault(OURS if ours else "", []).append(line)
        if theirs := [*self._others(places)]:
            groups[THEIRS] = theirs
        absent = tuple(METRICS[name].heading for name in names if not self._has_numbers(name))
        return Grid(section, tuple(self.table.columns), tuple(METRICS[name] for name in shown), groups, absent)

    def entry(self, row: str, regime: str, column: str, name: str) -> Entry:
        metric, cell = METRICS[name], self._cells.get((row, regime, column, name))
        paper = self._of_paper[row, column].get(name)
        beside = "" if paper is None else metric.printed(paper)
        if cell is None:
            return Entry(beside=beside)
        seeds = f"{cell['seeds']}" if self.cells["seeds"].nunique() > 1 else ""
        reference = self._of_base(row, regime, column, name) if paper is None else paper
        ours = metric.text(cell["mean"], cell["std"])
        if reference is None or metric.unit != "%":
            return Entry(ours, seeds, beside)
        distance = points(cell["mean"], reference)
        return Entry(ours, seeds, beside, signed(distance), band(distance))

    def regimes(self, row: str) -> list[str]:
        """Those that a row was measured in, and those that a stage would measure it in."""
        found = set(self.cells.loc[self.cells["row"] == row, "regime"])
        if "" not in found:  # else it was measured when its method had no regime of its own
            found |= {regime for column in self.table.columns for regime in self._wanted(row, column)}
        return [regime for regime in REGIMES if regime in found] or [""]

    def missing(self) -> tuple[list[str], list[str]]:
        """What is not measured, each named by row, regime and column: what a stage would measure, and the rest."""
        asked: dict[str, list[str]] = {}
        unasked: dict[str, list[str]] = {}
        for row, column in product(self.table.rows, self.table.columns):
            found = {regime for own, regime, scale, _ in self._cells if (own, scale) == (row, column)}
            wanted = self._wanted(row, column)
            for regime in wanted if "" not in found else ():
                if regime not in found:
                    asked.setdefault(label(row, regime), []).append(column)
            if not found and not wanted:
                unasked.setdefault(row, []).append(column)
        return self._named(asked), self._named(unasked)

    def _named(self, columns: Mapping[str, Sequence[str]]) -> list[str]:
        """Rows, and where it is not all of them their columns."""
        whole = len(self.table.columns)
        return [row if len(own) == whole else f"{row} ({', '.join(own)})" for row, own in columns.items()]

    @property
    def printed(self) -> set[str]:
        """The metrics that the paper has a number of ours for."""
        others = {name for column in self.table.columns for _, name, _ in self._printed.others(column)}
        return others.union(*self._of_paper.values())

    def _wanted(self, row: str, column: str) -> list[str]:
        return list(dict.fromkeys(regime for _, regime in fitting(self.table.select(row, column), self._makers)))

    def _has_numbers(self, name: str) -> bool:
        printed = any(name in numbers for numbers in self._of_paper.values())
        return printed or any(metric == name for *_, metric in self._cells)

    def _others(self, places: Sequence[Place]) -> Iterator[Line]:
        """The paper's rows that the table does not name."""
        found: dict[str, dict[Place, str]] = {}
        for column in self.table.columns:
            for row, name, number in self._printed.others(column):
                found.setdefault(row, {})[column, name] = METRICS[name].printed(number)
        for row, numbers in found.items():
            if any(place in numbers for place in places):
                yield of_paper(row, numbers, places)

    def _base(self) -> str:
        """The row with the settings as chosen, of a table of variants that the paper does not have."""
        chosen = [row for row in self.table.rows if self._variant(row) == (DEFAULTS["variant"],)]
        changed = [row for row in self.table.rows if row not in chosen]
        if self.table.key in OF_PAPER or not changed:
            return ""
        alike = (row for row in chosen if all(self._pairs(row) == self._pairs(each) for each in changed))
        return next(alike, "")

    def _variant(self, row: str) -> tuple[str, ...]:
        return self.table.select(row, next(iter(self.table.columns)))["variant"]

    def _pairs(self, row: str) -> list[Any]:
        selections = [self.table.select(row, column) for column in self.table.columns]
        return [[selection[key] for key in _SAME] for selection in selections]

    def _of_base(self, row: str, regime: str, column: str, name: str) -> float | None:
        cell = self._cells.get((self.base, regime, column, name))
        return None if cell is None or row == self.base else cell["mean"]


def of_paper(row: str, numbers: Mapping[Place, str], places: Iterable[Place]) -> Line:
    """A row that the paper alone has: its ``numbers`` as text, and nothing of ours."""
    return Line(row, "", tuple(Entry(beside=numbers.get(place, "")) for place in places))


class Suited(NamedTuple):
    """A suite's results, and the grids of its tables by their keys."""

    results: Results
    grids: dict[str, Grids]


def suited(results: Results, paper: pd.DataFrame) -> Suited:
    """All tables of a suite beside the numbers of the ``paper``."""
    return Suited(results, {key: Grids(results, key, paper) for key in results.tables})
