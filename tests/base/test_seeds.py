"""Draws that depend on the seed and the purpose, and on nothing else."""

import random

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from pnc.base.seeds import derive, generator

words = st.text(st.characters(codec="utf-8"), max_size=12)
purposes = st.lists(words | st.integers(), max_size=3).map(lambda parts: tuple(map(str, parts)))


def test_derived_seeds_are_the_same_in_every_version() -> None:
    """A change here would silently change every recorded result."""
    assert derive(0) == 8170554543527309031
    assert derive(0, "pretrain", "epoch", 3) == 8388595583111850537


@given(st.integers(), purposes)
def test_a_derived_seed_fits_63_bits(seed: int, purpose: tuple[str, ...]) -> None:
    assert 0 <= derive(seed, *purpose) < 2**63


@given(st.integers(), st.integers(), purposes, purposes)
def test_seeds_differ_unless_seed_and_purpose_agree(
    seed: int, other_seed: int, purpose: tuple[str, ...], other_purpose: tuple[str, ...]
) -> None:
    same = (seed, purpose) == (other_seed, other_purpose)
    assert (derive(seed, *purpose) == derive(other_seed, *other_purpose)) == same


def test_a_generator_draws_the_same_again() -> None:
    first, again, other = (torch.rand(8, generator=generator(7, "masks", step)) for step in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_purposes_give_unrelated_draws() -> None:
    draws = torch.stack([torch.randn(2000, generator=generator(0, "epoch", epoch)) for epoch in range(10)])
    correlation = torch.corrcoef(draws) - torch.eye(10)
    assert correlation.abs().max() < 0.1


def test_global_generators_are_neither_read_nor_changed() -> None:
    expected = torch.rand(4, generator=generator(0, "x"))
    torch.manual_seed(99)
    before = torch.get_rng_state(), random.getstate(), str(np.random.get_state())
    assert torch.equal(torch.rand(4, generator=generator(0, "x")), expected)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), str(np.random.get_state())) == before[1:]


def test_a_generator_lives_on_the_device_asked_for() -> None:
    assert generator(0, "x").device == torch.device("cpu")
    assert generator(0, "x", device=torch.device("cpu")).initial_seed() == derive(0, "x")
