"""One sentence on what a table's numbers say, true whatever they are."""

import itertools
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from bench.report.labels import REGIMES, label
from bench.report.metrics import METRICS
from bench.report.query import Selection, Table
from bench.report.tables import heading, records

Pair = tuple[str, str]  # row and regime
_ALONE: Selection = {"method": ("pretrained",)}
_CLONE: Selection = {"method": ("pnc",), "at": ("best",)}
_PLAIN: Selection = {"variant": ("",)}
_SAME = ("source", "target", "task")  # in all rows that are set beside each other


def sentence(cells: pd.DataFrame, table: Table, classes: Mapping[str, int]) -> str:
    """On the last column; ``classes`` is how many each task clones. Empty where it has no numbers.

    Of a table with clones and the target alone: what the clone gets beside the target, beside its variants and in its
    other regimes. Of others: the best and the worst row.
    """
    column = list(table.columns)[-1]
    measured = cells[~cells["quoted"] & (cells["scale"] == column)]
    return _Clones(measured, table, column).sentence(classes) or _extremes(measured, table, column)


class _Clones:
    """Ori and Tar of the rows of one column that are clones, each at its best position."""

    def __init__(self, measured: pd.DataFrame, table: Table, column: str) -> None:
        self._column = column
        self._selected = {row: table.select(row, column) for row in table.rows}
        keys = measured[["row", "regime", "metric"]].itertuples(index=False, name=None)
        self._means: dict[tuple[str, str, str], float] = dict(zip(keys, measured["mean"], strict=True))

    def sentence(self, classes: Mapping[str, int]) -> str:
        """Of the first clone beside which the target alone was measured; empty without one."""
        found = next(self._beside(), None)
        if found is None:
            return ""
        (row, regime), (alone, none) = found
        number = classes.get(self._selected[row]["task"][0], 0)
        new = f"{number} new one{'s' * (number != 1)}" if number else "the new ones"
        which = ", ".join(filter(None, (f"{regime} {row}".strip(), self._column)))
        first = (
            f"{which[0].upper()}{which[1:]}: {self._text(row, regime, 'ori')} on the target's own classes, where the "
            f"target alone has {self._text(alone, none, 'ori')}, and {self._text(row, regime, 'tar')} on {new}"
        )
        return "; ".join([first, *self._others(row, regime)]) + "."

    def _beside(self) -> Iterator[tuple[Pair, Pair]]:
        """Clones and the target alone, each as row and regime."""
        for row in self._rows(_CLONE | _PLAIN):
            for alone in self._rows(_ALONE | self._same(row)):
                yield from itertools.product(self._pairs(row), self._pairs(alone, ("ori",)))

    def _others(self, row: str, regime: str) -> Iterator[str]:
        """Other variants in the same regime, then the same row in other regimes."""
        for other in self._rows(_CLONE | self._same(row)):
            if other not in self._rows(_PLAIN) and (other, regime) in self._pairs(other):
                yield f"{other}: {self._both(other, regime)}"
        for _, another in self._pairs(row):
            if another != regime:
                yield f"with {another or 'neither'}: {self._both(row, another)}"

    def _same(self, row: str) -> Selection:
        return {key: self._selected[row][key] for key in _SAME}

    def _rows(self, wanted: Selection) -> list[str]:
        return [row for row, own in self._selected.items() if wanted.items() <= own.items()]

    def _pairs(self, row: str, metrics: Sequence[str] = ("ori", "tar")) -> list[Pair]:
        """The row with each regime that it has these numbers in."""
        keys = {regime: {(row, regime, metric) for metric in metrics} for regime in REGIMES}
        return [(row, regime) for regime, wanted in keys.items() if wanted <= self._means.keys()]

    def _both(self, row: str, regime: str) -> str:
        return f"{self._text(row, regime, 'ori')} and {self._text(row, regime, 'tar')}"

    def _text(self, row: str, regime: str, metric: str) -> str:
        return f"{METRICS[metric].text(self._means[row, regime, metric])} %"


def _extremes(measured: pd.DataFrame, table: Table, column: str) -> str:
    """The best and the worst row by Avg, or by the first metric that has a better and a worse."""
    for metric in ("avg", *table.all_metrics):
        known, cells = METRICS[metric], measured[measured["metric"] == metric]
        if known.better and len(cells):
            ordered = records(cells.sort_values("mean", ascending=known.better < 0, kind="stable"))
            best, worst = (
                f"{label(cell['row'], cell['regime'])} ({known.text(cell['mean'])})"
                for cell in (ordered[0], ordered[-1])
            )
            return f"{heading(metric, column)}: best {best}, worst {worst}."
    return ""
