"""One sentence on what a table's numbers say, true whatever they are."""

from collections.abc import Mapping

import pandas as pd

from bench.report.labels import REGIMES, label
from bench.report.metrics import METRICS
from bench.report.query import Table
from bench.report.tables import records

_TARGET_ALONE = {"method": ("pretrained",)}
_CLONE = {"method": ("pnc",), "at": ("best",)}


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
        alone = [pair for row in self._rows(_TARGET_ALONE) for pair in self._pairs(row)]
        chosen = [pair for row in self._rows(_CLONE | {"variant": ("",)}) for pair in self._pairs(row)]
        if not alone or not chosen:
            return ""
        row, regime = chosen[0]
        variants = [other for other in self._rows(_CLONE) if other not in self._rows({"variant": ("",)})]
        number = classes.get(self._selected[row]["task"][0], 0)
        new = f"{number} new one{'s' * (number != 1)}" if number else "the new ones"
        which = ", ".join(filter(None, (f"{regime} {row}".strip(), self._column)))
        parts = [
            f"{which[0].upper()}{which[1:]}: {self._text(row, regime, 'ori')} on the target's own classes, where the "
            f"target alone has {self._text(*alone[0], 'ori')}, and {self._text(row, regime, 'tar')} on {new}",
            *(
                f"{other}: {self._both(*pair)}"
                for other in variants
                for pair in self._pairs(other)
                if pair[1] == regime
            ),
            *(f"with {pair[1]}: {self._both(*pair)}" for pair in self._pairs(row) if pair[1] not in ("", regime)),
        ]
        return "; ".join(parts) + "."

    def _rows(self, wanted: Mapping[str, tuple[str, ...]]) -> list[str]:
        return [row for row, own in self._selected.items() if wanted.items() <= own.items()]

    def _pairs(self, row: str) -> list[tuple[str, str]]:
        """The row with each regime that it has both numbers in."""
        both = [regime for regime in REGIMES if {(row, regime, "ori"), (row, regime, "tar")} <= self._means.keys()]
        return [(row, regime) for regime in both]

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
            return f"{known.heading}-{column}".removesuffix("-") + f": best {best}, worst {worst}."
    return ""
