"""The widened neighbourhood: pictures of the same kind and range, made from nothing but D_t and the generator."""

import pytest
import torch
import torch.nn.functional as F
from _tiny import pictures
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pnc.base.seeds import generator
from pnc.cloning import widen as module
from pnc.cloning.widen import widen

seeds = st.integers(0, 2**31)


def draw(seed: int = 0) -> torch.Generator:
    return generator(seed, "widen")


@settings(max_examples=30)
@given(seeds, st.integers(1, 9), st.sampled_from([1, 3]), st.integers(1, 20), st.integers(1, 20))
def test_shape_and_range_stay(seed: int, count: int, channels: int, high: int, wide: int) -> None:
    given = torch.rand(count, channels, high, wide, generator=draw(seed))
    found = widen(given, draw(seed))
    assert found.shape == given.shape and found.dtype == given.dtype
    assert found.min() >= 0 and found.max() <= 1 + 1e-6


def test_the_generator_alone_decides_and_the_pictures_stay() -> None:
    given = pictures(6)
    before = given.clone()
    torch.manual_seed(1)
    one = widen(given, draw())
    torch.manual_seed(2)
    state = torch.random.get_rng_state()
    assert torch.equal(widen(given, draw()), one)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not torch.equal(widen(given, draw(1)), one)
    assert torch.equal(given, before)


def test_pictures_become_others_and_differ_from_each_other() -> None:
    given = pictures(1).expand(64, -1, -1, -1)
    found = widen(given, draw())
    assert (found - given).abs().amax(dim=(1, 2, 3)).min() > 0.05
    assert len(found.flatten(1).unique(dim=0)) == 64


def test_black_stays_black_and_nothing_comes_from_elsewhere() -> None:
    assert not widen(torch.zeros(8, 3, 8, 8), draw()).any()
    found = widen(torch.full((8, 1, 8, 8), 0.5), draw())
    assert found.max() <= 0.5 + 1e-6


def test_pictures_are_mixed_with_each_other() -> None:
    given = torch.zeros(200, 1, 8, 8)
    given[::2] = 1
    found = widen(given, draw())
    assert 0.1 < found[1::2].flatten(1).any(1).double().mean() < 0.4  # half are mixed, half of those with a white one


def stages(given: Tensor, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Warped, mixed, averaged: the three steps with draws of their own."""
    warped = module._warp(given, draw(seed))
    mixed = module._mix(given, given.flip(0), draw(seed))
    return warped, mixed, module._average_patches(given, draw(seed))


def test_about_half_are_mixed_and_every_mixed_pixel_is_from_one_of_two() -> None:
    given = pictures(400)
    _, mixed, _ = stages(given, 0)
    from_own, from_other = mixed == given, mixed == given.flip(0)
    assert (from_own | from_other).all()
    touched = (~from_own).flatten(1).any(1).float().mean()
    assert 0.25 < touched < 0.5  # half have a rate above zero; low rates may choose no patch


def test_averaged_patches_have_the_mean_colour_and_keep_the_pictures_mean() -> None:
    given = pictures(400, size=16)
    averaged = stages(given, 0)[2]
    changed = (averaged != given).any(dim=1, keepdim=True)
    means = F.interpolate(F.adaptive_avg_pool2d(given, 8), size=(16, 16), mode="nearest")
    torch.testing.assert_close(averaged, torch.where(changed, means, given))
    assert 0.25 < changed.flatten(1).any(1).float().mean() < 0.5
    torch.testing.assert_close(averaged.mean((2, 3)), given.mean((2, 3)))


@pytest.mark.parametrize("seed", range(3))
def test_warping_turns_some_a_little_and_mirrors_about_a_quarter(seed: int) -> None:
    """A dot right of the centre tells where a picture was turned to."""
    given = torch.zeros(600, 1, 33, 33)
    given[:, :, 16, 24] = 1
    warped = stages(F.avg_pool2d(given, 3, 1, 1) * 9, seed)[0]
    assert warped.flatten(1).amax(1).gt(0.2).float().mean() > 0.9  # few dots are lost
    columns = warped.sum((1, 2)).argmax(1)
    left = (columns < 16).float().mean()
    assert 0.3 < left < 0.5  # a quarter mirrored of the half that turns little, half of those that turn freely
