"""How far a number of ours is from the one it is held against, in points: as text, and as a band of colours."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Band:
    """Distances above ``low`` and up to ``high`` points; ``name`` is the class of its cells."""

    name: str
    low: float
    high: float
    meaning: str


# Zero lies in the middle one; the limits belong to the band that is nearer to it.
BANDS = (
    Band("far-below", -math.inf, -10, "more than 10 below"),
    Band("below", -10, -3, "3 to 10 below"),
    Band("little-below", -3, -1, "1 to 3 below"),
    Band("near", -1, 1, "at most 1 apart"),
    Band("little-above", 1, 3, "1 to 3 above"),
    Band("above", 3, 10, "3 to 10 above"),
    Band("far-above", 10, math.inf, "more than 10 above"),
)


def points(ours: float, other: float) -> float:
    """The signed distance of both as they are shown, with one decimal: whoever subtracts them finds the same."""
    return round(round(ours, 1) - round(other, 1), 1) + 0.0  # not -0.0


def band(distance: float) -> str:
    """The name of the band, the same on either side of zero."""
    return next(each.name for each in BANDS if _inside(each, distance))


def signed(distance: float) -> str:
    """E.g. "+1.3", "−0.4" or "±0.0"."""
    sign = "±" if distance == 0 else "+" if distance > 0 else "−"
    return f"{sign}{abs(distance):.1f}"


def _inside(each: Band, distance: float) -> bool:
    if each.high < 0:
        return each.low <= distance < each.high
    if each.low > 0:
        return each.low < distance <= each.high
    return each.low <= distance <= each.high
