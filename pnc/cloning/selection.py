"""Which position R wins (Algorithm 1, line 22)."""

from collections.abc import Mapping


def best_position(losses: Mapping[int, float]) -> int:
    """R* = argmin loss^R (Algorithm 1, line 22); of equal losses the larger R, the smaller module."""
    return min(losses, key=lambda position: (losses[position], -position))
