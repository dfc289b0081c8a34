"""One metric over a table's columns, which are steps: a line for each row, as incremental learning is drawn."""

import pandas as pd
from matplotlib.figure import Figure

from bench.report.drawing import GRID, panel_title, some
from bench.report.labels import label, regimes_of
from bench.report.metrics import METRICS
from bench.report.query import Table

_LINES = {"": ":", "strict": "-", "rehearsal": "--"}  # by regime
_MARKERS = "osD^vP*X<>"  # by row
# By row: Tol's muted colours, safe for colour-blind readers, and black.
_COLOURS = (
    *("#332288", "#88CCEE", "#44AA99", "#117733", "#999933", "#DDCC77", "#CC6677", "#882255", "#AA4499"),
    "#000000",
)


def steps(table: Table, cells: pd.DataFrame) -> Figure:
    """The table's first metric, with its standard deviation. Raises PncError where none was measured."""
    metric = METRICS[table.first_metrics[0]]
    shown = cells[(cells["metric"] == metric.name) & ~cells["quoted"]]
    shown = some(shown, f"cells of {table.title} with {metric.heading}")
    columns = [column for column in table.columns if column in set(shown["scale"])]
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.grid(**GRID)
    for number, row in enumerate(dict.fromkeys(shown["row"])):
        for regime in regimes_of(shown, row):
            own = shown[(shown["row"] == row) & (shown["regime"] == regime)].set_index("scale").reindex(columns)
            axes.errorbar(
                range(len(columns)),
                own["mean"] / metric.divisor,
                yerr=own["std"].fillna(0) / metric.divisor,
                label=label(row, regime),
                color=_COLOURS[number % len(_COLOURS)],
                linestyle=_LINES[regime],
                marker=_MARKERS[number % len(_MARKERS)],
                markersize=5,
                capsize=3,
            )
    axes.set_xticks(range(len(columns)), columns)
    axes.set(title=panel_title(shown, ""), xlabel=table.xlabel, ylabel=metric.axis)
    figure.legend(loc="outside right upper", frameon=False)
    return figure
