"""What a table asks for and nobody has measured, with the stages that would: notes below the table."""

from collections.abc import Iterable, Iterator
from itertools import product

import pandas as pd

from bench.report.labels import label
from bench.report.query import FREE, Selection, Table
from bench.work.makers import Maker

_WHY = {"costs": "no clone has left a package of it"}  # what is counted of packages has no grid of its own


def missing(table: Table, cells: pd.DataFrame, scored: Iterable[Maker]) -> list[str]:
    """Notes on the rows of ``table`` whose scores are not there; ``scored``: all that it may show, ``cells``: it has.

    Scores that a grid asks for are named with the command that makes them, the others as asked for by none.
    """
    known = list(scored)
    lacking: dict[str, list[str]] = {}  # the missing stages, then what they would show
    unasked: list[str] = []
    for row, column in product(table.rows, table.columns):
        fits = list(fitting(table.select(row, column), known))
        for maker, regime in fits:
            if not maker.path.is_file():
                lacking.setdefault(maker.stage, []).append(_named(row, regime, column))
        own = cells[(cells["row"] == row) & (cells["scale"] == column) & ~cells["quoted"]]
        if own.empty and all(maker.path.is_file() for maker, _ in fits):
            unasked.append(_named(row, "", column))
    notes = []
    if lacking:
        names = dict.fromkeys(name for each in lacking.values() for name in each)
        notes.append(f"**Missing**: {'; '.join(names)}. `dvc repro {' '.join(lacking)}` makes them.")
    if unasked:
        notes.append(f"**Not measured**, as {_WHY.get(table.scores, 'no grid asks for it')}: {'; '.join(unasked)}.")
    return notes


def fitting(selection: Selection, known: Iterable[Maker]) -> Iterator[tuple[Maker, str]]:
    """The files that hold scores of a cell, each with the cell's regime."""
    for maker in known:
        pair = zip(("source", "target", "task"), maker.pair, strict=True)
        if maker.variant in selection["variant"] and all(name in selection[key] for key, name in pair):
            regimes = [regime for method, regime in maker.methods if method in selection["method"]]
            yield from ((maker, regime) for regime in regimes if regime in selection.get(FREE, (regime,)))


def _named(row: str, regime: str, column: str) -> str:
    return f"{label(row, regime)} ({column})" if column else label(row, regime)
