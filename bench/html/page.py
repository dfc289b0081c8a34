"""The report: every suite in one HTML page that needs nothing else."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from bench.html.distance import BANDS
from bench.html.grid import Grid, Grids, Suited
from bench.html.results import Results, titled
from bench.html.settings import Behind, behind
from bench.html.summary import COLUMNS, REGIMES, notes_on, summary
from bench.html.svg import Drawings
from bench.html.theirs import theirs
from bench.report.labels import REGIMES as MEANINGS
from bench.report.metrics import METRICS
from bench.report.tables import MISSING, seeds_text

_HERE = Path(__file__).parent
_SHOWN = ("Metrics", "Data and networks", "Tasks")  # facts of TABLES.md; the others the report says itself
_COSTS = tuple(name for name, metric in METRICS.items() if metric.unit not in ("", "%"))
_MARKUP = ((r"\*\*(.+?)\*\*", r"<strong>\1</strong>"), (r"`(.+?)`", r"<code>\1</code>"), (r"\[(.+?)\]\(.+?\)", r"\1"))


@dataclass(frozen=True)
class TablePart:
    """What the page shows of one table."""

    key: str
    grids: list[Grid]
    seeds: str
    base: str
    asked: list[str]  # what is not measured, though a stage would
    unasked: list[str]
    otherwise: list[str]
    behind: Behind | None
    figure: Markup
    undrawn: str  # the command that would draw it
    title: str
    notes: tuple[str, ...]
    command: str

    @property
    def is_measured(self) -> bool:
        return self.behind is not None


@dataclass(frozen=True)
class SuitePart:
    """What the page shows of one suite."""

    name: str
    title: str
    facts: dict[str, str]
    remarks: list[str]
    tables: list[TablePart]
    costs: list[tuple[str, Grid]]  # by the title of their table
    uncosted: list[str]
    theirs: list[tuple[str, Grid]]
    command: str
    is_measured: bool


def page(suites: Sequence[Suited], paper: pd.DataFrame) -> str:
    """The report on ``suites``, in their order; ``paper`` are the printed numbers.

    The same results give the same text. Raises PncError naming a figure that is damaged.
    """
    drawings = Drawings()
    parts = [_suite(each, paper, drawings) for each in suites]
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["inline"] = inline
    return environment.get_template("report.html.j2").render(
        suites=parts,
        rows=summary(suites),
        notes=[note for suite in suites for note in notes_on(suite, paper)],
        columns=COLUMNS,
        column_regimes=REGIMES,
        bands=BANDS,
        regimes={name: meaning for name, meaning in MEANINGS.items() if name},
        missing=MISSING,
        css=Markup((_HERE / "report.css").read_text()),
        js=Markup((_HERE / "report.js").read_text()),
        definitions=Markup(drawings.definitions),
    )


def inline(text: str) -> Markup:
    """Markdown within a line: bold, code, and links as their text, as a page of its own has none of their files."""
    marked = str(escape(text))
    for pattern, html in _MARKUP:
        marked = re.sub(pattern, html, marked)
    return Markup(marked)


def _suite(suited: Suited, paper: pd.DataFrame, drawings: Drawings) -> SuitePart:
    results, grids = suited
    suite = results.suite
    facts = dict(_facts(results))
    costs = list(_costs(grids))
    found = {metric.name for _, grid in costs for metric in grid.metrics}
    return SuitePart(
        name=suite.name,
        title=titled(suite.dataset),
        facts={name: facts[name] for name in _SHOWN if name in facts},
        remarks=[text for text in results.head if not text.startswith("**")],
        tables=[_table(results, key, own, drawings) for key, own in grids.items()],
        costs=costs,
        uncosted=[f"{METRICS[name].heading} ({METRICS[name].meaning})" for name in _COSTS if name not in found],
        theirs=list(theirs(suited, paper)),
        command=f"dvc repro {suite.stage('tables')} {suite.stage('figures')}",
        is_measured=results.is_measured,
    )


def _facts(results: Results) -> Iterator[tuple[str, str]]:
    for text in results.head:
        if found := re.match(r"\*\*(.+?)\*\*: (.+)", text):
            yield found[1], found[2]


def _table(results: Results, key: str, grids: Grids, drawings: Drawings) -> TablePart:
    measured = not grids.cells.empty
    path = results.suite.results / "figures" / f"{key}.svg"
    drawn = measured and key in results.suite.names("figures")
    figure = drawings.inline(path, f"{grids.table.title} as a figure") if drawn and path.is_file() else ""
    asked, unasked = grids.missing()
    return TablePart(
        key=key,
        title=grids.table.title,
        notes=grids.table.notes,
        grids=grids.all(),
        seeds=seeds_text(grids.cells),
        base=grids.base if measured else "",
        asked=asked,
        unasked=unasked,
        otherwise=results.otherwise(key),
        behind=behind(grids.cells, results.behind) if measured else None,
        figure=Markup(figure),
        undrawn="" if figure or not drawn else f"dvc repro {results.suite.stage('figures', key)}",
        command=results.command(key),
    )


def _costs(grids: dict[str, Grids]) -> Iterator[tuple[str, Grid]]:
    """What a clone costs, of every table that says so."""
    for own in grids.values():
        names = [name for name in own.table.all_metrics if name in _COSTS and name in set(own.cells["metric"])]
        if names:
            yield own.table.title, own.grid("", names, False)
