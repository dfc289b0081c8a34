"""A table's cells as a figure, of the kind that tables.yaml asks for."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.report.curves import curve, positions
from bench.report.drawing import COLOURS, GRID, panel_title, regime_handles, some
from bench.report.labels import label, regimes_of
from bench.report.metrics import METRICS
from bench.report.pareto import pareto
from bench.report.query import Table
from bench.report.steps import steps
from bench.report.tables import rows_of
from pnc.base.files import replacing

DPI = 150
_PAPER: dict[str, Any] = {"marker": "D", "color": "black", "fillstyle": "none", "linestyle": "none", "markersize": 6}
_SAME = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}  # what would differ elsewhere or tomorrow


def draw(table: Table, cells: pd.DataFrame) -> Figure:
    """The figure of ``table``. Raises PncError where ``cells`` has nothing to draw."""
    kinds = {"rows": by_row, "positions": positions, "curve": curve, "pareto": pareto, "steps": steps}
    return kinds[table.figure](table, cells)


def by_row(table: Table, cells: pd.DataFrame) -> Figure:
    """One metric of every row, Avg if the table has it: ours with its standard deviation, and the paper's.

    One panel per column. Raises PncError where there is no such cell.
    """
    metric = "avg" if "avg" in table.all_metrics else table.all_metrics[0]
    shown = some(cells[cells["metric"] == metric], f"cells of {table.title} with {METRICS[metric].heading}")
    pairs = [(row, regime) for row in rows_of(table, shown) for regime in regimes_of(shown, row)]
    pairs = [pair for pair in pairs if pair[0] in set(shown["row"])]
    columns = [column for column in table.columns if column in set(shown["scale"])]
    figure = Figure(figsize=(3 + 3.2 * len(columns), 1.6 + 0.28 * len(pairs)), layout="constrained")
    panels = figure.subplots(1, len(columns), sharex=True, sharey=True, squeeze=False)[0]
    for axes, column in zip(panels, columns, strict=True):
        _dots(axes, shown[shown["scale"] == column], pairs, METRICS[metric].divisor)
        axes.set(title=panel_title(shown, column), xlabel=METRICS[metric].axis)
    panels[0].set_yticks(range(len(pairs)), [label(*pair) for pair in pairs])
    panels[0].set_ylim(len(pairs) - 0.5, -0.5)
    handles = regime_handles(shown[shown["mean"].notna()], "o")
    if shown["paper"].notna().any():
        handles.append(Line2D([], [], label="paper", **_PAPER))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write ``figure`` as PNG or SVG, by its name: the same figure gives the same bytes."""
    kind = path.suffix.removeprefix(".")
    with replacing(path) as scratch, rc_context({"svg.hashsalt": path.stem}):
        figure.savefig(scratch, format=kind, dpi=DPI, facecolor="white", metadata=_SAME[kind])


def _dots(axes: Axes, cells: pd.DataFrame, pairs: list[tuple[str, str]], divisor: float) -> None:
    """One row of dots each for ``pairs`` of row and regime, from the top."""
    axes.grid(axis="both", **GRID)
    axes.set_axisbelow(True)
    places = [pairs.index(pair) for pair in zip(cells["row"], cells["regime"], strict=True)]
    axes.plot(cells["paper"], places, **_PAPER)
    means, spreads = cells["mean"] / divisor, cells["std"].fillna(0) / divisor
    for place, regime, mean, std in zip(places, cells["regime"], means, spreads, strict=True):
        axes.errorbar(mean, place, xerr=std, fmt="o", color=COLOURS[regime], markersize=5, capsize=3)
