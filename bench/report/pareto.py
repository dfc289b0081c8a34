"""Accuracy over cost: every row of a table as a named point, and what no row of its regime beats."""

import itertools
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation, Text
from matplotlib.ticker import LogLocator, NullFormatter
from matplotlib.transforms import Bbox
from numpy import format_float_positional

from bench.report.drawing import COLOURS, GRID, panel_title, regime_handles, some
from bench.report.metrics import METRICS
from bench.report.query import Table

COST, GAIN = "added_macs_m", "avg"
_SIDES = ((1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1), (0, 1), (0, -1))  # where a name may stand, best first
_GAPS = (6, 14, 24, 36, 50)  # points between it and its point
_TEXT: dict[str, Any] = {"fontsize": 9, "path_effects": [withStroke(linewidth=2.5, foreground="white")]}
_WIDEST = 18  # letters in a line of a name


def pareto(table: Table, cells: pd.DataFrame) -> Figure:
    """Avg over the multiply-accumulates added, on a logarithmic axis; one panel per column.

    The line is the best that each regime has for a cost, its Pareto front. A row without a regime, as joint training,
    is a level to compare with; one that adds nothing is left out. Raises PncError where no row has both numbers.
    """
    points = some(_points(cells), f"cells of {table.title} with {METRICS[GAIN].heading} and {METRICS[COST].heading}")
    columns = [column for column in table.columns if column in set(points["scale"])]
    figure = Figure(figsize=(max(6.5, 1 + 4.4 * len(columns)), 5.2), layout="constrained")
    panels = dict(
        zip(columns, figure.subplots(1, len(columns), sharex=True, sharey=True, squeeze=False)[0], strict=True)
    )
    for column, axes in panels.items():
        _panel(axes, points[points["scale"] == column], column)
    panels[columns[0]].set_ylabel(METRICS[GAIN].axis)
    handles = regime_handles(points[points["regime"] != ""], "o")
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()  # what is where is known only then
    figure.set_layout_engine("none")
    for column, axes in panels.items():
        _name(axes, points[(points["scale"] == column) & (points["regime"] != "")], renderer)
    return figure


def _points(cells: pd.DataFrame) -> pd.DataFrame:
    """A line for each row, column and regime that has both: its ``mean`` Avg with ``std``, and its ``cost``."""
    keys = ["dataset", "scale", "row", "regime"]
    measured = cells[~cells["quoted"]]
    costs = measured.loc[(measured["metric"] == COST) & (measured["mean"] > 0), [*keys, "mean"]]
    gains = measured.loc[measured["metric"] == GAIN, [*keys, "mean", "std"]]
    return gains.merge(costs.rename(columns={"mean": "cost"}), on=keys).fillna({"std": 0})


def _panel(axes: Axes, points: pd.DataFrame, column: str) -> None:
    axes.set(title=panel_title(points, column), xlabel=f"{METRICS[COST].heading} added per picture", xscale="log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(**GRID)
    axes.set_axisbelow(True)
    axes.margins(x=0.15, y=0.12)
    for regime, colour in COLOURS.items():
        own = points[points["regime"] == regime]
        if regime and len(own):
            axes.errorbar(own["cost"], own["mean"], fmt="o", color=colour, markersize=6, zorder=3)
            low, high = own["mean"] - own["std"], own["mean"] + own["std"]
            axes.vlines(own["cost"], low, high, colour, linewidth=1, alpha=0.4)
            front = list(zip(*_front(own), strict=True))
            axes.plot(*front, color=colour, linewidth=1, alpha=0.6, drawstyle="steps-post")
    for row, cost, mean in points.loc[points["regime"] == "", ["row", "cost", "mean"]].itertuples(index=False):
        axes.axhline(mean, color=COLOURS[""], linestyle="--", linewidth=1)
        text = f"{row} (adds {format_float_positional(cost, 1, fractional=False, trim='-')})"
        across = ("axes fraction", "data")
        axes.annotate(text, (0.02, mean), (0, 3), xycoords=across, textcoords="offset points", **_TEXT)


def _front(points: pd.DataFrame) -> Iterator[tuple[float, float]]:
    """Cost and gain of the points that none beats at the same cost or less, from the cheapest on."""
    best = float("-inf")
    for cost, gain in sorted(zip(points["cost"], points["mean"], strict=True), key=lambda each: (each[0], -each[1])):
        if gain > best:
            yield cost, gain
            best = gain


def _name(axes: Axes, points: pd.DataFrame, renderer: RendererAgg) -> None:
    """Write each row's name beside its point, where it hides no other name, point or spread."""
    inside = axes.get_window_extent(renderer)
    taken = [text.get_window_extent(renderer) for text in axes.texts]
    for _, point in points.iterrows():
        (x, low), (_, middle), (_, high) = axes.transData.transform(
            [(point["cost"], point["mean"] + each * point["std"]) for each in (-1, 0, 1)]
        )
        taken += [Bbox.from_extents(x - 7, middle - 7, x + 7, middle + 7), Bbox.from_extents(x - 2, low, x + 2, high)]
    for row, cost, mean in points[["row", "cost", "mean"]].itertuples(index=False):
        choices = [_beside(axes, row, (cost, mean), side, gap) for gap, side in itertools.product(_GAPS, _SIDES)]
        boxes = [_text_box(choice, renderer) for choice in choices]
        hidden = [_hidden(box, taken, inside) for box in boxes]
        best = hidden.index(min(hidden))
        for choice in choices[:best] + choices[best + 1 :]:
            choice.remove()
        taken.append(boxes[best])


def _beside(axes: Axes, text: str, place: tuple[float, float], side: tuple[int, int], gap: int) -> Annotation:
    across, up = side
    return axes.annotate(
        textwrap.fill(text, _WIDEST),
        place,
        (gap * across, gap * up),
        textcoords="offset points",
        ha=("center", "left", "right")[across],
        va=("center", "bottom", "top")[up],
        arrowprops={"arrowstyle": "-", "color": "#888888", "linewidth": 0.7, "shrinkA": 0, "shrinkB": 3},
        **_TEXT,
    )


def _text_box(choice: Annotation, renderer: RendererAgg) -> Bbox:
    """Without the line that leads to the point."""
    choice.update_positions(renderer)
    return Text.get_window_extent(choice, renderer)


def _hidden(box: Bbox, taken: Sequence[Bbox], inside: Bbox) -> float:
    """How much of ``taken`` a name would hide, and how much of it would stand outside, in square pixels."""
    shared = [Bbox.intersection(box, other) for other in (*taken, inside)]
    *hidden, seen = (0.0 if each is None else each.width * each.height for each in shared)
    return sum(hidden) + box.width * box.height - seen
