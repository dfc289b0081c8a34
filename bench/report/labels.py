"""How rows and regimes of cells are called, the same in tables, figures and metrics."""

import re

import pandas as pd

REGIMES = {
    "": "",
    "strict": "strict learns from pictures of the cloned classes (D_t) alone",
    "rehearsal": "rehearsal also sees a stated part of the pictures of the target's own classes (D_o)",
}


def label(row: str, regime: str) -> str:
    """How a row is called in tables and figures."""
    return f"{row}, {regime}" if regime else row


def regimes_of(cells: pd.DataFrame, row: str) -> list[str]:
    """Those that a row was measured (or quoted) in; the empty one for a row without cells."""
    found = set(cells.loc[cells["row"] == row, "regime"])
    return [regime for regime in REGIMES if regime in found] or [""]


def position_of(row: str) -> int | None:
    """R of a row such as "PNC R=1", None for others."""
    found = re.search(r"R ?= ?(\d+)$", row)
    return int(found[1]) if found else None
