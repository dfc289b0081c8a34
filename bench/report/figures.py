"""Cells and similarity matrices as figures. Without pyplot: no global state, and no display is needed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from bench.report.cells import ACCURACIES, POSITIONS
from bench.report.labels import CHOSEN, label, ordered
from bench.report.metrics import position_of
from pnc.base.errors import bad
from pnc.base.files import replacing

DPI = 150
COLOURS = {"": "#555555", "strict": "#0072B2", "rehearsal": "#D55E00"}  # Okabe and Ito: safe for colour-blind readers
_STYLES: dict[str, tuple[Any, str]] = {"ori": (":", "^"), "tar": ("--", "s"), "avg": ("-", "o")}  # line and marker
_PAPER: dict[str, Any] = {"marker": "D", "color": "black", "fillstyle": "none", "linestyle": "none", "markersize": 6}
_DASHES = {"": (0, (4, 4)), "strict": (0, (4, 4)), "rehearsal": (4, (4, 4))}  # two that lie on each other alternate
_SHIFTS = {"": 0.0, "strict": -0.02, "rehearsal": 0.02, "ori": -0.08, "tar": 0.08, "avg": 0.0, "loss": 0.0}
_GRID: dict[str, Any] = {"color": "#DDDDDD", "linewidth": 0.8}
_LARGEST_ANNOTATED = 12


def accuracy_by_row(cells: pd.DataFrame) -> Figure:
    """Avg of every row of Table 1, one panel per scale: ours with its standard deviation, and the paper's.

    Raises PncError where ``cells`` has no such cell.
    """
    shown = _some(cells[(cells["table"] == "T1") & (cells["metric"] == "avg")], "cells with Table 1's Avg")
    rows, scales = ordered(shown), _scales(shown)
    figure = Figure(figsize=(3 + 3.2 * len(scales), 1.6 + 0.28 * len(rows)), layout="constrained")
    panels = figure.subplots(1, len(scales), sharex=True, sharey=True, squeeze=False)[0]
    for axes, scale in zip(panels, scales, strict=True):
        _dots(axes, shown[shown["scale"] == scale], rows)
        axes.set(title=_panel(shown, scale), xlabel="Avg accuracy (%)")
    panels[0].set_yticks(range(len(rows)), [label(*pair) for pair in rows])
    panels[0].set_ylim(len(rows) - 0.5, -0.5)
    handles = _regime_handles(shown[shown["mean"].notna()], "o")
    if shown["paper"].notna().any():
        handles.append(Line2D([], [], label="paper", **_PAPER))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    return figure


def positions(cells: pd.DataFrame) -> Figure:
    """Accuracies and loss of every R, one column per scale, with the chosen R* as a dashed line.

    Where seeds chose different R, R* is their mean. Raises PncError where ``cells`` has no cell of a single R.
    """
    every = _some(cells[cells["table"] == POSITIONS], "cells of every R")
    every = every.assign(position=every["row"].map(position_of))
    scales = _scales(every)
    heights = {"accuracy (%)": 2, "loss": 1} if (every["metric"] == "loss").any() else {"accuracy (%)": 2}
    figure = Figure(figsize=(max(7, 1 + 3.6 * len(scales)), 1 + 1.6 * sum(heights.values())), layout="constrained")
    panels = figure.subplots(
        len(heights), len(scales), sharex=True, sharey="row", squeeze=False, height_ratios=list(heights.values())
    )
    for column, scale in zip(panels.T, scales, strict=True):
        _positions_of_scale(column, every[every["scale"] == scale], cells[cells["scale"] == scale])
        column[0].set_title(_panel(every, scale))
    for axes, name in zip(panels[:, 0], heights, strict=True):
        axes.set_ylabel(name)
    panels[0, 0].set_xticks(sorted(set(every["position"])))
    panels[0, 0].set_xlim(every["position"].min() - 0.3, every["position"].max() + 0.3)
    handles = [*_metric_handles(every), *_regime_handles(every, "")]
    handles.append(Line2D([], [], color="black", linestyle=_DASHES[""], linewidth=1, label="chosen R*"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    return figure


def similarity(matrix_left: NDArray[np.floating], matrix_right: NDArray[np.floating], names: Sequence[str]) -> Figure:
    """Sim of every pair of classes, as in the paper's Fig. 4: the source's on the left, the modules' on the right.

    Both matrices are [C, C] in the order of ``names`` and share one scale, where deeper is more alike. Above each
    stands its locality, the mean of the diagonal less the mean of the rest. Raises PncError for other shapes.
    """
    matrices = {"source": np.asarray(matrix_left, float), "transferable modules": np.asarray(matrix_right, float)}
    for title, matrix in matrices.items():
        if matrix.shape != (len(names), len(names)) or not np.isfinite(matrix).all() or len(names) < 2:
            expected = f"a finite matrix of {len(names)} × {len(names)}, at least 2 × 2"
            raise bad(f"similarities of the {title}", expected=expected, found=f"shape {matrix.shape}")
    low = min(matrix.min() for matrix in matrices.values())
    longest = max(map(len, names))
    size, margin = 0.42 * len(names), 0.3 + 0.08 * longest
    figure = Figure(figsize=(2 * size + margin + 1.5, size + margin + 0.6), layout="compressed")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (title, matrix) in zip(panels, matrices.items(), strict=True):
        image = axes.imshow(matrix, cmap="Blues", vmin=low, vmax=1)
        axes.set_title(f"{title}\nlocality {_locality(matrix):.2f}", fontsize=10)
        axes.set_xticks(range(len(names)), names, rotation=90 if longest > 2 else 0)
        axes.set_yticks(range(len(names)), names)
        if len(names) <= _LARGEST_ANNOTATED:
            _annotate(axes, matrix, dark=low + 0.65 * (1 - low))
    figure.colorbar(image, ax=panels, label="Sim", shrink=0.9)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write ``figure`` as a PNG: the same figure gives the same bytes."""
    with replacing(path) as scratch:
        figure.savefig(scratch, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})


def _dots(axes: Axes, cells: pd.DataFrame, rows: list[tuple[str, str]]) -> None:
    """One row of dots each for ``rows``, from the top."""
    axes.grid(axis="both", **_GRID)
    axes.set_axisbelow(True)
    places = [rows.index(pair) for pair in zip(cells["row"], cells["regime"], strict=True)]
    axes.plot(cells["paper"], places, **_PAPER)
    for place, regime, mean, std in zip(places, cells["regime"], cells["mean"], cells["std"].fillna(0), strict=True):
        axes.errorbar(mean, place, xerr=std, fmt="o", color=COLOURS[regime], markersize=5, capsize=3)


def _positions_of_scale(panels: Sequence[Axes], every: pd.DataFrame, cells: pd.DataFrame) -> None:
    """Accuracies in the first of ``panels``, losses in the second if there is one; R* in all."""
    for axes in panels:
        axes.grid(**_GRID)
        _mark_chosen(axes, cells[cells["regime"].isin(every["regime"])])
    for metric in ACCURACIES:
        _curves(panels[0], every, metric, *_STYLES[metric])
    for axes in panels[1:]:
        _curves(axes, every, "loss", *_STYLES["avg"])
    panels[-1].set_xlabel("position R")


def _curves(axes: Axes, cells: pd.DataFrame, metric: str, line: str, marker: str) -> None:
    """One curve per regime, shifted a little sideways so that no error bar hides another."""
    for regime, group in cells[cells["metric"] == metric].groupby("regime"):
        by_position = group.sort_values("position")
        axes.errorbar(
            by_position["position"] + _SHIFTS[metric] + _SHIFTS[str(regime)],
            by_position["mean"],
            yerr=by_position["std"].fillna(0),
            color=COLOURS[str(regime)],
            linestyle=line,
            marker=marker,
            markersize=5,
            capsize=3,
        )


def _mark_chosen(axes: Axes, cells: pd.DataFrame) -> None:
    chosen = cells[(cells["table"] == "T1") & (cells["row"] == CHOSEN) & (cells["metric"] == "position")]
    for regime, mean in zip(chosen["regime"], chosen["mean"], strict=True):
        axes.axvline(mean, color=COLOURS[regime], linestyle=_DASHES[regime], linewidth=1.2)


def _annotate(axes: Axes, matrix: NDArray[np.floating], dark: float) -> None:
    for (row, column), number in np.ndenumerate(matrix):
        text = f"{number:.2f}".replace("0.", ".", 1)
        colour = "white" if number > dark else "black"
        axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)


def _locality(matrix: NDArray[np.floating]) -> float:
    diagonal = np.eye(len(matrix), dtype=bool)
    return float(matrix[diagonal].mean() - matrix[~diagonal].mean())


def _regime_handles(cells: pd.DataFrame, marker: str) -> list[Line2D]:
    names = {"": "baseline"}
    line: Any = "none" if marker else "-"
    return [
        Line2D([], [], color=colour, marker=marker, linestyle=line, label=names.get(regime, regime))
        for regime, colour in COLOURS.items()
        if regime in set(cells["regime"])
    ]


def _metric_handles(cells: pd.DataFrame) -> list[Line2D]:
    return [
        Line2D([], [], color="black", linestyle=line, marker=marker, markersize=5, label=metric.capitalize())
        for metric, (line, marker) in _STYLES.items()
        if metric in set(cells["metric"])
    ]


def _panel(cells: pd.DataFrame, scale: str) -> str:
    return ", ".join(part for part in (*sorted(set(cells["dataset"])), scale) if part)


def _scales(cells: pd.DataFrame) -> list[str]:
    return [scale for scale in ("S", "M", "") if scale in set(cells["scale"])]


def _some(cells: pd.DataFrame, what: str) -> pd.DataFrame:
    if cells.empty:
        raise bad("cells to draw", expected=what, found="none")
    return cells
