"""Made-up similarity matrices drawn."""

import numpy as np
import pytest
from _figures import assert_readable

from bench.report.similarity import similarity
from pnc.base.errors import PncError


def test_both_matrices_share_one_scale_and_say_their_locality() -> None:
    left, right = np.full((3, 3), 0.5), np.full((3, 3), -0.1)
    np.fill_diagonal(left, 1)
    np.fill_diagonal(right, 0.9)
    figure = similarity(left, right, ["a", "b", "c"])
    source, modules = figure.axes[:2]
    assert source.get_title() == "source\nlocality 0.50"
    assert modules.get_title() == "transferable modules\nlocality 1.00"
    for axes, matrix in ((source, left), (modules, right)):
        np.testing.assert_array_equal(axes.images[0].get_array(), matrix)
        assert axes.images[0].get_clim() == (-0.1, 1)
    assert [text.get_text() for text in modules.texts] == [".90", "-.10", "-.10", "-.10", ".90", *["-.10"] * 3, ".90"]


def test_many_classes_are_drawn_without_numbers() -> None:
    matrix = np.eye(13)
    assert not similarity(matrix, matrix, list("abcdefghijklm")).axes[0].texts


@pytest.mark.parametrize("names", [["airplane", "automobile", "bird", "cat", "deer"], list("0123456789")])
def test_texts_do_not_overlap_or_leave_the_figure(names: list[str]) -> None:
    matrix = np.random.default_rng(0).random((len(names), len(names)))
    assert_readable(similarity(matrix, matrix, names))


@pytest.mark.parametrize(
    ("left", "right", "names"),
    [
        (np.eye(3), np.eye(2), "abc"),
        (np.ones((3, 2)), np.eye(3), "abc"),
        (np.eye(3), np.eye(3), "ab"),
        (np.eye(2), np.full((2, 2), np.nan), "ab"),
        (np.eye(1), np.eye(1), "a"),
    ],
)
def test_matrices_that_do_not_fit_are_refused(left: np.ndarray, right: np.ndarray, names: str) -> None:
    with pytest.raises(
        PncError, match=r"similarities of the (source|transferable modules): expected a finite matrix"
    ):
        similarity(left, right, list(names))
