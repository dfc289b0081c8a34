"""Cells as Markdown for people: ``results/SUITE/TABLES.md``."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bench.report.labels import REGIMES, label, regimes_of
from bench.report.metrics import METRICS
from bench.report.paper import METRICS as OF_PAPER
from bench.report.query import Table

MISSING = "–"
_OURS = "*ours, not in the paper*"
_NUMBERS = (
    f"mean ± sample standard deviation over {{seeds}} (the paper's number); {MISSING} where there is none of ours"
)


def render(
    cells: pd.DataFrame,
    tables: Mapping[str, Table],
    *,
    title: str,
    paper: pd.DataFrame,
    facts: Mapping[str, str],
    notes: Sequence[str] = (),
    lacking: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """All of a suite's ``tables`` as Markdown, with ``facts`` by their headings and ``notes`` under the ``title``.

    ``lacking``: notes by table on what it has no scores for. Rows without any cell are shown as missing; of
    ``paper``, the numbers as printed, only the names of rows count.
    """
    parts = [f"# {title}", _facts(cells, tables, facts, notes)]
    for key, table in tables.items():
        own = cells[cells["table"] == key]
        parts += [f"## {table.title}", *_sections(own, table, set(paper.loc[paper["table"] == key, "row"]))]
        parts += ["\n".join(f"- {note}" for note in (lacking or {}).get(key, ()))]
    return "\n\n".join(part for part in parts if part) + "\n"


def text(cell: Mapping[Any, Any]) -> str:
    """E.g. "97.1 ± 0.3 (97.0)": ours, its spread over the seeds, the paper's."""
    metric = METRICS[cell["metric"]]
    ours = MISSING if math.isnan(cell["mean"]) else metric.text(cell["mean"], cell["std"])
    return ours if math.isnan(cell["paper"]) else f"{ours} ({metric.printed(cell['paper'])})"


def columns_of(table: Table, metrics: Sequence[str]) -> dict[tuple[str, str], str]:
    """Headings by column and metric."""
    return {(column, metric): heading(metric, column) for column in table.columns for metric in metrics}


def heading(metric: str, column: str) -> str:
    """E.g. "Ori-S", "Ori, s = 50", or "Ori" in a column without a name."""
    name = METRICS[metric].heading
    return f"{name}{', ' if ' ' in column else '-'}{column}" if column else name


def rows_of(table: Table, cells: pd.DataFrame) -> list[str]:
    """The rows of a table: its own, then those that the paper alone has."""
    return list(dict.fromkeys([*table.rows, *cells["row"]]))


def seeds_text(cells: pd.DataFrame) -> str:
    """E.g. "3 seeds" or "1 to 3 seeds"."""
    counts = sorted(set(cells.loc[~cells["quoted"], "seeds"]))
    found = " to ".join(map(str, dict.fromkeys((counts[0], counts[-1])))) if counts else "0"
    return f"{found} seed" if found == "1" else f"{found} seeds"


def records(cells: pd.DataFrame) -> list[dict[Any, Any]]:
    return cells.to_dict("records")


def _facts(cells: pd.DataFrame, tables: Mapping[str, Table], given: Mapping[str, str], notes: Sequence[str]) -> str:
    measured = cells[~cells["quoted"]]
    shown = {metric for table in tables.values() for metric in table.all_metrics}
    explained = [metric for metric in METRICS.values() if metric.name in shown and metric.meaning]
    facts = {
        "Numbers": _NUMBERS.format(seeds=seeds_text(cells)),
        "Metrics": "; ".join(f"{metric.axis}: {metric.meaning}" for metric in explained),
        **given,
        "Regimes": "; ".join(REGIMES[regime] for regime in REGIMES if regime and regime in set(measured["regime"])),
        "Device": _devices(measured),
        "Settings": f"{measured['settings'].nunique()} of them, spelled out in [settings.json](settings.json); "
        "[cells.csv](cells.csv) names those of every number",
    }
    lines = [f"- **{name}**: {fact.removesuffix('.')}." for name, fact in facts.items() if fact]
    return "\n".join([*lines, *(f"- {note}" for note in notes)])


def _sections(cells: pd.DataFrame, table: Table, papers: set[str]) -> list[str]:
    """Every section with its heading, then the table's notes."""
    parts = []
    for number, (section, metrics) in enumerate(table.metrics.items()):
        found = cells[cells["metric"].isin(metrics)]
        rows = [row for row in rows_of(table, cells) if number == 0 or row in set(found["row"])]
        if rows:
            parts += [f"### {section}" if section else "", _grid(found, table, rows, metrics, papers)]
    return [*parts, "\n".join(f"- {note}" for note in table.notes)]


def _grid(cells: pd.DataFrame, table: Table, rows: Sequence[str], metrics: Sequence[str], papers: set[str]) -> str:
    columns = columns_of(table, metrics)
    texts = {(cell["row"], cell["regime"], cell["scale"], cell["metric"]): text(cell) for cell in records(cells)}

    def lines(some: Sequence[str]) -> list[list[str]]:
        pairs = [(row, regime) for row in some for regime in regimes_of(cells, row)]
        return [[label(*pair), *(texts.get((*pair, *column), MISSING) for column in columns)] for pair in pairs]

    theirs = [row for row in rows if table.paper_row(row) in papers]
    ours = [row for row in rows if table.paper_row(row) not in papers]
    between = [[_OURS, *[""] * len(columns)]] if theirs and ours and table.key in OF_PAPER else []
    return _markdown(["", *columns.values()], [*lines(theirs), *between, *lines(ours)])


def _devices(measured: pd.DataFrame) -> str:
    """All of them; where there are several, with the tables that each has numbers in."""
    tables: dict[str, list[str]] = {}
    for device, own in measured.groupby("device"):
        for part in str(device).split("; "):
            tables.setdefault(part, []).extend(own["table"])
    if len(tables) < 2:
        return "".join(tables)
    return "; ".join(f"{device}: {', '.join(dict.fromkeys(own))}" for device, own in sorted(tables.items()))


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    ruler = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(texts)} |" for texts in (header, ruler, *rows))
