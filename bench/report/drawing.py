"""What the figures share. Without pyplot: no global state, and no display is needed."""

from typing import Any

import pandas as pd
from matplotlib.lines import Line2D

from pnc.base.errors import bad

COLOURS = {"": "#555555", "strict": "#0072B2", "rehearsal": "#D55E00"}  # Okabe and Ito: safe for colour-blind readers
GRID: dict[str, Any] = {"color": "#DDDDDD", "linewidth": 0.8}
_NAMES = {"": "no regime"}


def some(cells: pd.DataFrame, what: str) -> pd.DataFrame:
    """``cells``. Raises PncError where there are none of ``what`` should be drawn."""
    if cells.empty:
        raise bad("cells to draw", expected=what, found="none")
    return cells


def regime_handles(cells: pd.DataFrame, marker: str) -> list[Line2D]:
    """Entries of a legend for the regimes of ``cells``: dots, or lines where there is no ``marker``."""
    line: Any = "none" if marker else "-"
    return [
        Line2D([], [], color=colour, marker=marker, linestyle=line, label=_NAMES.get(regime, regime))
        for regime, colour in COLOURS.items()
        if regime in set(cells["regime"])
    ]


def panel_title(cells: pd.DataFrame, column: str) -> str:
    return ", ".join(part for part in (*sorted(set(cells["dataset"])), column) if part)
