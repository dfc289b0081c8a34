"""Distances to the paper as text and as bands of colours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.html.distance import BANDS, band, points, signed

PERCENT = st.floats(0, 100)
NAMES = [each.name for each in BANDS]


@given(PERCENT, PERCENT)
def test_a_distance_is_that_of_the_numbers_as_they_are_shown(ours: float, other: float) -> None:
    assert f"{points(ours, other):.1f}" == f"{float(f'{ours:.1f}') - float(f'{other:.1f}') + 0.0:.1f}".replace(
        "-0.0", "0.0"
    )


@given(PERCENT, PERCENT)
def test_as_far_above_as_below_is_the_opposite_band(ours: float, other: float) -> None:
    there, back = (NAMES.index(band(points(*pair))) for pair in ((ours, other), (other, ours)))
    assert there + back == len(NAMES) - 1


@given(PERCENT, PERCENT, PERCENT)
def test_more_points_are_never_in_a_lower_band(first: float, second: float, paper: float) -> None:
    low, high = sorted((points(first, paper), points(second, paper)))
    assert NAMES.index(band(low)) <= NAMES.index(band(high))


@pytest.mark.parametrize(
    ("distance", "name"),
    [
        (0, "near"),
        (1, "near"),
        (-1, "near"),
        (1.1, "little-above"),
        (-3, "little-below"),
        (3.1, "above"),
        (-10.1, "far-below"),
    ],
)
def test_the_limits_belong_to_the_nearer_band(distance: float, name: str) -> None:
    assert band(distance) == name


@pytest.mark.parametrize(("distance", "text"), [(1.3, "+1.3"), (-0.4, "−0.4"), (0.0, "±0.0")])
def test_a_distance_has_its_sign(distance: float, text: str) -> None:
    assert signed(distance) == text
