"""What a figure holds, read back from it."""

import itertools

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from bench.report.figures import DPI


def assert_readable(figure: Figure) -> None:
    """Every text lies inside the figure, and no two tick labels of one axis, titles or legend entries overlap."""
    figure.set_dpi(DPI)
    figure.draw_without_rendering()
    legends = [figure.legends[0].get_texts()] if figure.legends else []
    titles = [[axes.title for axes in figure.axes]]
    ticks = [_tick_labels(axis) for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
    groups: list[list[Text]] = [*legends, *titles, *ticks]
    for group in groups:
        boxes = [(text, text.get_window_extent()) for text in group if text.get_text()]
        for text, box in boxes:
            assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1, text
            assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1, text
        for (first, box), (second, other) in itertools.combinations(boxes, 2):
            assert not box.overlaps(other), (first, second)


def coordinates(line: Line2D) -> tuple[list[float], list[float]]:
    return np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist()


def error_bars(axes: Axes) -> list[tuple[list[float], list[float], str]]:
    """x, y and colour of each."""
    bars = [found for found in axes.containers if isinstance(found, ErrorbarContainer)]
    lines = [bar.lines[0] for bar in bars]
    return [(*coordinates(line), to_hex(line.get_color())) for line in lines]


def _tick_labels(axis: Axis) -> list[Text]:
    """Those that are drawn: matplotlib keeps some beyond the ends of the axis."""
    low, high = sorted(axis.get_view_interval())
    drawn = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    return [label for tick in drawn for label in (tick.label1, tick.label2) if label.get_visible()]
