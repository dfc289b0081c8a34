"""How rows of cells are called and in which order they come, the same in tables, figures and metrics."""

import re

import pandas as pd

PAPER_ROWS = (
    "Pre-trained",
    "Joint + Full set",
    "Continual",
    "Direct Ensemble",
    "Continual + KD",
    "PNC-F (w/o Local)",
    "PNC-F (w/o Insert)",
    "PNC-F (full)",
    "PNC (w/o Local)",
    "PNC (w/o Insert)",
    "PNC (full)",
)
CHOSEN = "PNC (full)"  # the row of Table 1 whose R was searched for
REGIMES = {
    "": "",
    "strict": "strict learns from pictures of the cloned classes (D_t) alone",
    "rehearsal": "rehearsal also sees a stated part of the pictures of the target's own classes (D_o)",
}


def label(row: str, regime: str) -> str:
    """How a row is called in tables and figures."""
    return f"{row}, {regime}" if regime else row


def ordered(cells: pd.DataFrame) -> list[tuple[str, str]]:
    """The distinct (row, regime) of ``cells``: the paper's rows in its order, then the others."""
    pairs = set(zip(cells["row"], cells["regime"], strict=True))
    return sorted(pairs, key=lambda pair: (_rank(pair[0]), list(REGIMES).index(pair[1]), _natural(pair[0])))


def is_ours(row: str) -> bool:
    """Whether the paper has no such row in Table 1."""
    return row not in PAPER_ROWS


def _rank(row: str) -> int:
    return len(PAPER_ROWS) if is_ours(row) else PAPER_ROWS.index(row)


def _natural(row: str) -> list[tuple[int, str]]:
    """A key by which "R=10" comes after "R=2"."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", row)]
