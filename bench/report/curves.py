"""Metrics over a number that the rows stand for, such as the position R or the share of filters kept."""

import itertools
from collections.abc import Mapping, Sequence, Sized
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.report.drawing import COLOURS, GRID, panel_title, regime_handles, some
from bench.report.labels import position_of
from bench.report.metrics import METRICS
from bench.report.query import Table

Styles = dict[str, tuple[Any, str]]  # metric → line and marker
_STYLES: tuple[tuple[Any, str], ...] = ((":", "^"), ("--", "s"), ("-", "o"))
_DASHES = {"": (0, (4, 4)), "strict": (0, (4, 4)), "rehearsal": (4, (4, 4))}  # two that lie on each other alternate
_BETWEEN_METRICS, _BETWEEN_REGIMES = 0.08, 0.04  # of the smallest step, so that no error bar hides another


def positions(table: Table, cells: pd.DataFrame) -> Figure:
    """Every R, by the rows that name one; the R* that other rows chose as dashed lines.

    Where seeds chose different R, R* is their mean. Raises PncError without a row that names its R.
    """
    found = {row: position_of(row) for row in dict.fromkeys(cells["row"])}
    places = {row: float(position) for row, position in found.items() if position is not None}
    chosen = cells[~cells["row"].isin(list(places)) & (cells["metric"] == "position")]
    chosen = chosen[chosen["row"] == chosen["row"].iloc[0]] if len(chosen) else chosen  # by the first rule alone
    return _curves(table, cells, places, "position R", chosen)


def curve(table: Table, cells: pd.DataFrame) -> Figure:
    """The metrics of the table's first section over its ``x``. Raises PncError where none was measured."""
    return _curves(table, cells, table.x, table.xlabel, cells[:0])


def _curves(
    table: Table, cells: pd.DataFrame, places: Mapping[str, float], xlabel: str, chosen: pd.DataFrame
) -> Figure:
    """One panel per column and unit: percentages share one, every other metric has its own."""
    wanted = [metric for metric in table.first_metrics if metric != "position"]
    shown = cells[cells["row"].isin(list(places)) & cells["metric"].isin(wanted) & ~cells["quoted"]]
    shown = some(shown, f"cells of {table.title} whose row stands for a number")
    shown = shown.assign(place=shown["row"].map(places))
    columns = [column for column in table.columns if column in set(shown["scale"])]
    units = _units([metric for metric in wanted if metric in set(shown["metric"])])
    figure, panels = _panels(columns, units)
    step = _smallest_step(sorted(set(shown["place"])))
    for column, along in zip(columns, panels.T, strict=True):
        own = shown[shown["scale"] == column]
        for axes, styles in zip(along, units.values(), strict=True):
            axes.grid(**GRID)
            _mark(axes, chosen[chosen["scale"] == column])
            _lines(axes, own, styles, step)
        along[0].set_title(panel_title(shown, column))
        along[-1].set_xlabel(xlabel)
    panels[0, 0].set_xticks(sorted(set(shown["place"])))
    panels[0, 0].set_xlim(shown["place"].min() - 0.3 * step, shown["place"].max() + 0.3 * step)
    _legend(figure, units, shown, chosen)
    return figure


def _units(metrics: Sequence[str]) -> dict[str, Styles]:
    """What each panel's axis is called, and the metrics in it with their line and marker."""
    names: dict[str, list[str]] = {}
    for metric in metrics:
        known = METRICS[metric]
        names.setdefault("per cent" if known.unit == "%" else known.axis, []).append(metric)
    return {name: dict(zip(inside, _styles(len(inside)), strict=True)) for name, inside in names.items()}


def _styles(number: int) -> Sequence[tuple[Any, str]]:
    """As many as wanted; the last, which is Avg's, is a solid line."""
    return (_STYLES * number)[-number:]


def _panels(columns: Sequence[str], units: Mapping[str, Styles]) -> tuple[Figure, Any]:
    """A figure with an array of axes, [unit, column]."""
    heights = [2 if len(styles) > 1 else 1 for styles in units.values()]
    figure = Figure(figsize=(max(7, 1 + 3.6 * len(columns)), 1.4 + 1.5 * sum(heights)), layout="constrained")
    panels = figure.subplots(
        len(units), len(columns), sharex=True, sharey="row", squeeze=False, height_ratios=heights
    )
    for axes, name in zip(panels[:, 0], units, strict=True):
        axes.set_ylabel(name)
    return figure, panels


def _smallest_step(places: Sequence[float]) -> float:
    return min((after - before for before, after in itertools.pairwise(places)), default=1)


def _lines(axes: Axes, cells: pd.DataFrame, styles: Styles, step: float) -> None:
    """One per metric and regime, shifted a little sideways."""
    regimes = [regime for regime in COLOURS if regime in set(cells["regime"])]
    for number, (metric, (line, marker)) in enumerate(styles.items()):
        for order, regime in enumerate(regimes):
            found = cells[(cells["metric"] == metric) & (cells["regime"] == regime)].sort_values("place")
            shift = _BETWEEN_METRICS * _from_middle(number, styles) + _BETWEEN_REGIMES * _from_middle(order, regimes)
            axes.errorbar(
                found["place"] + shift * step,
                found["mean"] / METRICS[metric].divisor,
                yerr=found["std"].fillna(0) / METRICS[metric].divisor,
                color=COLOURS[regime],
                linestyle=line,
                marker=marker,
                markersize=5,
                capsize=3,
            )


def _from_middle(number: int, all_of_them: Sized) -> float:
    return number - (len(all_of_them) - 1) / 2


def _mark(axes: Axes, chosen: pd.DataFrame) -> None:
    for regime, mean in zip(chosen["regime"], chosen["mean"], strict=True):
        axes.axvline(mean, color=COLOURS[regime], linestyle=_DASHES[regime], linewidth=1.2)


def _legend(figure: Figure, units: Mapping[str, Styles], shown: pd.DataFrame, chosen: pd.DataFrame) -> None:
    """Of metrics only those that share a panel: the others' axes name them."""
    shared = {metric: style for styles in units.values() if len(styles) > 1 for metric, style in styles.items()}
    handles = [
        Line2D([], [], color="black", linestyle=line, marker=marker, markersize=5, label=METRICS[metric].heading)
        for metric, (line, marker) in shared.items()
    ]
    handles += regime_handles(shown, "")
    if len(chosen):
        handles.append(Line2D([], [], color="black", linestyle=_DASHES[""], linewidth=1, label="chosen R*"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
