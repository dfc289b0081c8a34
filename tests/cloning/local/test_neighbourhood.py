"""b · x against a loop over patches, and the weights at known values."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pnc.base.errors import PncError
from pnc.base.seeds import generator
from pnc.cloning.local.neighbourhood import Neighbourhood, enlarge, perturb

shapes = st.tuples(
    st.integers(1, 3), st.sampled_from([1, 3]), st.integers(1, 5), st.integers(1, 4), st.integers(1, 4)
)


def by_loop(pictures: Tensor, masks: Tensor, grid: int) -> Tensor:
    """Supplement Eq. 2, patch by patch."""
    result = pictures.clone()
    high, wide = pictures.shape[2] // grid, pictures.shape[3] // grid
    for n, channel, row, column in torch.cartesian_prod(
        *(torch.arange(k) for k in (*pictures.shape[:2], grid, grid))
    ):
        patch = result[n, channel, row * high : (row + 1) * high, column * wide : (column + 1) * wide]
        if masks[n, row * grid + column] == 0:
            patch.fill_(patch.mean())
    return result


@settings(max_examples=40)
@given(shapes, st.integers(0, 2**31))
def test_perturbing_equals_a_loop_over_patches(shape: tuple[int, ...], seed: int) -> None:
    count, channels, grid, high, wide = shape
    draw = generator(seed, "pictures")
    pictures = torch.rand(count, channels, grid * high, grid * wide, generator=draw)
    masks = torch.randint(0, 2, (count, grid**2), generator=draw).float()
    torch.testing.assert_close(perturb(pictures, masks), by_loop(pictures, masks, grid), atol=1e-6, rtol=0)


def test_a_mask_that_keeps_all_leaves_the_picture_bit_for_bit() -> None:
    pictures = torch.rand(3, 3, 8, 8, generator=generator(0, "pictures"))
    assert torch.equal(perturb(pictures, torch.ones(3, 16)), pictures)


@pytest.mark.parametrize("size", [(8, 9), (10, 8), (3, 3)])
def test_a_grid_that_does_not_divide_the_picture_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(
        PncError, match=f"picture size: expected a multiple of the 4×4 grid, found {size[0]}×{size[1]}"
    ):
        perturb(torch.rand(1, 3, *size), torch.ones(1, 16))


@settings(max_examples=30)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 12), st.integers(1, 12))
def test_enlarging_is_interpolation_to_the_nearest(rows: int, columns: int, high: int, wide: int) -> None:
    patches = torch.rand(2, 3, rows, columns, generator=generator(0, "patches"))
    size = torch.Size([high, wide])
    assert torch.equal(enlarge(patches, size), F.interpolate(patches, size=size, mode="nearest"))


def test_the_mask_set_is_binary_balanced_and_repeatable() -> None:
    neighbourhood = Neighbourhood(grid=4, masks=1000)
    masks = neighbourhood.draw(7)
    assert masks.shape == (1000, 16) and set(masks.unique().tolist()) == {0.0, 1.0}
    assert abs(float(masks.mean()) - 0.5) < 0.02
    assert torch.equal(masks, neighbourhood.draw(7)) and not torch.equal(masks, neighbourhood.draw(8))


KEPT = torch.tensor([[0, 0, 0, 0], [0, 0, 0, 1], [0, 1, 1, 0], [1, 1, 1, 1]]).float()
COSINES = [0.0, 0.5, math.sqrt(0.5), 1.0]  # b · 1 / (|b| |1|) = √(share kept)


def test_the_lime_kernel_at_known_values() -> None:
    found = Neighbourhood(sigma=0.25).weights(KEPT)
    expected = [math.sqrt(math.exp(-((1 - cosine) ** 2) / 0.25**2)) for cosine in COSINES]
    torch.testing.assert_close(found, torch.tensor(expected))
    assert found.tolist() == sorted(found.tolist()) and found[-1] == 1


def test_the_literal_kernel_at_known_values_grows_with_the_distance() -> None:
    found = Neighbourhood(sigma=0.5, kernel="literal").weights(KEPT)
    torch.testing.assert_close(found, torch.tensor([math.exp(-math.sqrt(cosine / 0.25)) for cosine in COSINES]))
    assert found.tolist() == sorted(found.tolist(), reverse=True) and found[0] == 1


@pytest.mark.parametrize(
    ("field", "value"), [("grid", 0), ("masks", -1), ("sigma", 0.0), ("sigma", -0.25), ("kernel", "cosine")]
)
def test_a_bad_setting_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(PncError, match=f"{field}: expected .*, found '?{value}'?") as caught:
        Neighbourhood(**{field: value})
    assert "\n" not in str(caught.value)
