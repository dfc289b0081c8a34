"""Which position R wins: by the paper's rule (Algorithm 1, line 22), or by held-out accuracy."""

from collections.abc import Mapping


def best_position(losses: Mapping[int, float]) -> int:
    """R* = argmin loss^R (Algorithm 1, line 22); of equal losses the larger R, the smaller module."""
    return min(losses, key=lambda position: (losses[position], -position))


def most_accurate(accuracies: Mapping[int, float]) -> int:
    """The R with the highest held-out accuracy; of equal ones the larger R, the smaller module."""
    return max(accuracies, key=lambda position: (accuracies[position], position))
