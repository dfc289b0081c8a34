"""Similarity matrices as a figure, as in the paper's Fig. 4."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pnc.base.errors import bad

_LARGEST_ANNOTATED = 12


def similarity(matrix_left: NDArray[np.floating], matrix_right: NDArray[np.floating], names: Sequence[str]) -> Figure:
    """Sim of every pair of classes: the source's on the left, the modules' on the right.

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


def _annotate(axes: Axes, matrix: NDArray[np.floating], dark: float) -> None:
    for (row, column), number in np.ndenumerate(matrix):
        text = f"{number:.2f}".replace("0.", ".", 1)
        colour = "white" if number > dark else "black"
        axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)


def _locality(matrix: NDArray[np.floating]) -> float:
    diagonal = np.eye(len(matrix), dtype=bool)
    return float(matrix[diagonal].mean() - matrix[~diagonal].mean())
