"""Whether a change made the numbers worse: each measured cell, before and after.

A mean may differ by ``max(floor, t · SE)`` in either direction, as in Student's test of two means over n_b and n_n
seeds; the floor, and which direction is worse, are the metric's own. SE = s · √(1/n_b + 1/n_n), where
s² = ((n_b − 1) s_b² + (n_n − 1) s_n²) / ν pools the two variances and ν = n_b + n_n − 2; t is the quantile that
numbers which were only drawn anew exceed with probability ``RISK``, up or down: 2.78 for three seeds on either side.
Two single seeds say nothing of the spread: there the floor alone counts.
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from bench.report.cells import IDENTITY
from bench.report.metrics import METRICS, Metric

RISK = 0.05  # of calling a cell dropped or improved that was only drawn anew

DROPPED, VANISHED, IMPROVED, WITHIN, CHANGED, NEW = VERDICTS = (
    "dropped",
    "vanished",
    "improved",
    "within tolerance",
    "changed",  # a metric without a direction
    "new",
)
WORSE = (DROPPED, VANISHED)
COLUMNS = ("cell", "base", "now", "change", "tolerance", "verdict")

_MEASURED = ("mean", "std", "seeds")
_HEADER = ("Cell", "base", "now", "change", "tolerance", "verdict")
_NONE = "–"


def compare(suite: str, base: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """The measured cells of one suite that differ, worst verdict first, with ``COLUMNS``.

    ``base`` and ``now`` hold cells as ``read_cells`` gives them; cells quoted from the paper do not count. ``change``
    is now − base, empty (NaN) where one of the two is missing, as ``tolerance`` is where the metric has no direction.
    """
    both = _measured(base).add_suffix("_base").join(_measured(now).add_suffix("_now"), how="outer")
    change = (both["mean_now"] - both["mean_base"]).round(6)  # 32.2 − 31.7 is not quite 0.5
    metrics = [METRICS[name] for name in both.index.get_level_values("metric")]
    directions = np.array([metric.better or np.nan for metric in metrics], dtype=float)
    tolerance = _tolerances(both, _floors(both, metrics)).where(~np.isnan(directions) & change.notna())
    cells = pd.DataFrame(
        {
            "cell": [_label(suite, key) for key in both.index],
            "base": both["mean_base"],
            "now": both["mean_now"],
            "change": change,
            "tolerance": tolerance,
            "verdict": _verdicts(both, change * directions, tolerance),
        }
    )
    return sort(cells[change != 0])


def sort(cells: pd.DataFrame) -> pd.DataFrame:
    """Worst verdict first, else in the order given."""
    return cells.sort_values("verdict", key=lambda verdicts: verdicts.map(VERDICTS.index), ignore_index=True)


def is_worse(cells: pd.DataFrame) -> bool:
    """Whether any cell dropped beyond its tolerance or vanished."""
    return bool(cells["verdict"].isin(WORSE).any())


def to_markdown(cells: pd.DataFrame) -> str:
    """The table of a comparison; empty where nothing differs."""
    if cells.empty:
        return ""
    rows = [
        (
            cell["cell"].replace("|", r"\|"),
            _text(cell["base"]),
            _text(cell["now"]),
            _text(cell["change"], "+"),
            _text(round(cell["tolerance"], 2)),
            f"**{cell['verdict']}**" if cell["verdict"] in WORSE else cell["verdict"],
        )
        for cell in cells.to_dict("records")
    ]
    lines = [_line(_HEADER), _line(["---", *["---:"] * 4, "---"]), *map(_line, rows)]
    return "\n".join(lines)


def summary(cells: pd.DataFrame, revision: str, suites: Sequence[str]) -> str:
    """One line: how many cells of which suites got which verdict."""
    counts = cells["verdict"].value_counts()
    found = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if verdict in counts)
    return f"{', '.join(suites)} against {revision}: {found or 'no cell differs'}."


def hardware(base: pd.DataFrame, now: pd.DataFrame) -> str:
    """One line where cells of both were measured on different devices, else empty."""
    both = _indexed(base).add_suffix("_base").join(_indexed(now).add_suffix("_now"), how="inner")
    moved = both[both["device_base"] != both["device_now"]]
    if moved.empty:
        return ""
    before, after = (" or ".join(sorted(set(moved[name]))) for name in ("device_base", "device_now"))
    return f"Measured on other hardware: {before}, now {after}: last bits, and with them single pictures, may differ."


def _indexed(cells: pd.DataFrame) -> pd.DataFrame:
    return cells[~cells["quoted"].astype(bool)].set_index(list(IDENTITY))


def _measured(cells: pd.DataFrame) -> pd.DataFrame:
    return _indexed(cells)[list(_MEASURED)].astype(float)


def _floors(both: pd.DataFrame, metrics: Sequence[Metric]) -> np.ndarray:
    """What is noise for each cell's metric; where it is a share, of the larger mean."""
    largest = both[["mean_base", "mean_now"]].abs().max(axis="columns")
    shares = largest * [metric.relative for metric in metrics]
    return np.maximum(shares, [metric.floor for metric in metrics])


def _tolerances(both: pd.DataFrame, floors: np.ndarray) -> pd.Series:
    """Half the width of the confidence interval of a change of nothing, at least the floor."""
    n_base, n_now = both["seeds_base"], both["seeds_now"]
    freedom = n_base + n_now - 2
    squares = _squares(both["std_base"], n_base) + _squares(both["std_now"], n_now)
    error = (squares / freedom * (1 / n_base + 1 / n_now)) ** 0.5
    return (stdtrit(freedom, 1 - RISK / 2) * error).fillna(0).clip(lower=floors)


def _squares(std: pd.Series, seeds: pd.Series) -> pd.Series:
    """The sum of squared deviations from the mean; none for a single seed, whose ``std`` is unknown."""
    return ((seeds - 1) * std**2).where(seeds > 1, 0)


def _verdicts(both: pd.DataFrame, gain: pd.Series, tolerance: pd.Series) -> np.ndarray:
    """``gain`` is the change for the better; NaN where the metric has no direction."""
    cases = {
        NEW: both["mean_base"].isna(),
        VANISHED: both["mean_now"].isna(),
        CHANGED: gain.isna(),
        DROPPED: gain < -tolerance,
        IMPROVED: gain > tolerance,
    }
    return np.select(list(cases.values()), list(cases), default=WITHIN)


def _label(suite: str, key: tuple[str, ...]) -> str:
    """The suite and what identifies the cell, each text once: "digits, T1, PNC (full), new, old, S, strict, avg"."""
    return ", ".join(dict.fromkeys(text for text in (suite, *key) if text))


def _text(number: float, sign: str = "") -> str:
    """As many decimals as the cells have, at most 4."""
    return _NONE if math.isnan(number) else f"{round(number, 4):{sign}.12g}"


def _line(texts: Sequence[str]) -> str:
    return f"| {' | '.join(texts)} |"
