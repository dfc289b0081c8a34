"""Accuracy over cost: every row of a table as a named point, and what no row of its regime beats."""

import itertools
from collections.abc import Iterator, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from bench.report.drawing import COLOURS, GRID, panel_title, regime_handles, some
from bench.report.metrics import METRICS
from bench.report.query import Table

COST, GAIN = "added_macs_m", "avg"
_SIDES = tuple(itertools.product((0, 1, -1), (1, -1, 0)))[:-1]  # where a name may stand beside its point, best first
_GAPS = (5, 12, 20)  # points between the two


def pareto(table: Table, cells: pd.DataFrame) -> Figure:
    """Avg over the multiply-accumulates added, on a logarithmic axis; one panel per column.

    The line is the best that each regime has for a cost, its Pareto front. Rows that add nothing at all have no place
    on such an axis. Raises PncError where no row has both numbers.
    """
    points = some(_points(cells), f"cells of {table.title} with {METRICS[GAIN].heading} and {METRICS[COST].heading}")
    columns = [column for column in table.columns if column in set(points["scale"])]
    figure = Figure(figsize=(max(6, 1 + 4.2 * len(columns)), 4.6), layout="constrained")
    panels = figure.subplots(1, len(columns), sharex=True, sharey=True, squeeze=False)[0]
    for axes, column in zip(panels, columns, strict=True):
        own = points[points["scale"] == column]
        axes.set(title=panel_title(own, column), xlabel=f"{METRICS[COST].heading} added per picture", xscale="log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.grid(**GRID)
        axes.set_axisbelow(True)
        axes.margins(x=0.12, y=0.1)
        for regime in [regime for regime in COLOURS if regime in set(own["regime"])]:
            _draw(axes, own[own["regime"] == regime], COLOURS[regime])
    panels[0].set_ylabel(METRICS[GAIN].axis)
    handles = regime_handles(points, "o")
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    _name(figure, {axes: points[points["scale"] == column] for axes, column in zip(panels, columns, strict=True)})
    return figure


def _points(cells: pd.DataFrame) -> pd.DataFrame:
    """A line for each row, column and regime that has both: its ``mean`` Avg with ``std``, and its ``cost``."""
    keys = ["dataset", "scale", "row", "regime"]
    measured = cells[~cells["quoted"]]
    costs = measured.loc[(measured["metric"] == COST) & (measured["mean"] > 0), [*keys, "mean"]]
    gains = measured.loc[measured["metric"] == GAIN, [*keys, "mean", "std"]]
    return gains.merge(costs.rename(columns={"mean": "cost"}), on=keys)


def _draw(axes: Axes, points: pd.DataFrame, colour: str) -> None:
    spread = points["std"].fillna(0)
    axes.errorbar(points["cost"], points["mean"], yerr=spread, fmt="o", color=colour, markersize=6, elinewidth=0.8)
    front = list(_front(points))
    axes.plot(*zip(*front, strict=True), color=colour, linewidth=1, alpha=0.5, drawstyle="steps-post")


def _front(points: pd.DataFrame) -> Iterator[tuple[float, float]]:
    """Cost and gain of the points that none beats at the same cost or less, from the cheapest on."""
    best = float("-inf")
    for cost, gain in sorted(zip(points["cost"], points["mean"], strict=True), key=lambda each: (each[0], -each[1])):
        if gain > best:
            yield cost, gain
            best = gain


def _name(figure: Figure, panels: dict[Axes, pd.DataFrame]) -> None:
    """Write each row's name beside its point, where it hides no other name or point."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()  # what is where is known only then
    figure.set_layout_engine("none")
    for axes, points in panels.items():
        places = axes.transData.transform(points[["cost", "mean"]].to_numpy())
        taken = [Bbox.from_bounds(x - 6, y - 6, 12, 12) for x, y in places]
        for row, cost, mean in zip(points["row"], points["cost"], points["mean"], strict=True):
            choices = [_beside(axes, row, (cost, mean), side, gap) for gap, side in itertools.product(_GAPS, _SIDES)]
            boxes = [choice.get_window_extent(renderer) for choice in choices]
            hidden = [_hidden(box, taken, axes.get_window_extent(renderer)) for box in boxes]
            best = hidden.index(min(hidden))
            for choice in choices[:best] + choices[best + 1 :]:
                choice.remove()
            taken.append(boxes[best])


def _beside(axes: Axes, text: str, place: tuple[float, float], side: tuple[int, int], gap: int) -> Annotation:
    across, up = side
    return axes.annotate(
        text,
        place,
        (gap * across, gap * up),
        textcoords="offset points",
        fontsize=8,
        ha=("center", "left", "right")[across],
        va=("center", "bottom", "top")[up],
    )


def _hidden(box: Bbox, taken: Sequence[Bbox], inside: Bbox) -> float:
    """How much of ``taken`` a name would hide, and how much of it would stand outside, in square pixels."""
    shared = [Bbox.intersection(box, other) for other in (*taken, inside)]
    *hidden, seen = (0.0 if each is None else each.width * each.height for each in shared)
    return sum(hidden) + box.width * box.height - seen
