"""Sim: a cosine, and the pairing of outputs in front of it."""

from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pnc.base.errors import PncError
from pnc.base.seeds import generator
from pnc.cloning.local.local_models import LocalModels
from pnc.cloning.local.similarity import Alignment, align, similarity

seeds = st.integers(0, 2**31)


def models(seed: int, classes: int = 4, count: int = 3, patches: int = 4) -> LocalModels:
    draw = generator(seed, "theta")
    theta = torch.randn(count, patches + 1, classes, generator=draw)
    return LocalModels(theta, torch.randint(0, 2, (6, patches), generator=draw).float())


def scaled(given: LocalModels, factor: float) -> LocalModels:
    return LocalModels(given.theta * factor, given.masks)


def columns(given: LocalModels, order: list[int]) -> LocalModels:
    return LocalModels(given.theta[:, :, order], given.masks)


@settings(max_examples=25)
@given(seeds, st.floats(0.01, 100))
def test_a_network_is_like_itself_whatever_its_scale_and_unlike_its_negative(seed: int, factor: float) -> None:
    one = models(seed)
    assert similarity(one, scaled(one, factor)) == pytest.approx(1, abs=1e-6)
    assert similarity(one, scaled(one, -factor)) == pytest.approx(-1, abs=1e-6)


@settings(max_examples=25)
@given(seeds, seeds)
def test_similarity_is_the_cosine_of_all_parameters_and_symmetric(first: int, second: int) -> None:
    a, b = models(first), models(second)
    x, y = a.theta.double().flatten(), b.theta.double().flatten()
    assert similarity(a, b) == pytest.approx(float(x @ y / x.norm() / y.norm()), abs=1e-6)
    assert similarity(a, b) == pytest.approx(similarity(b, a), abs=1e-6)


@pytest.mark.parametrize("alignment", ["greedy", "optimal"])
def test_alignment_undoes_a_permutation_of_the_outputs(alignment: Alignment) -> None:
    one = models(0)
    turned = columns(one, [2, 0, 3, 1])
    assert similarity(one, turned) < 0.9
    assert similarity(one, turned, alignment) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("alignment", ["greedy", "optimal"])
def test_heads_of_different_size_are_compared_on_the_pairs_there_are(alignment: Alignment) -> None:
    one = models(0, classes=5)
    part = columns(one, [4, 1])
    assert similarity(part, one, alignment) == pytest.approx(1, abs=1e-6)
    assert similarity(one, part, alignment) == pytest.approx(1, abs=1e-6)


def total(left: Tensor, right: Tensor, pairs: tuple[list[int], list[int]]) -> float:
    return float((left[pairs[0]].double() - right[pairs[1]].double()).norm(dim=1).sum())


@settings(max_examples=25)
@given(seeds, st.integers(1, 4), st.integers(1, 4))
def test_alignments_pair_each_output_once_and_the_optimal_one_is_the_best(seed: int, rows: int, others: int) -> None:
    draw = generator(seed, "columns")
    left, right = torch.randn(rows, 6, generator=draw), torch.randn(others, 6, generator=draw)
    greedy, optimal = align(left, right, "greedy"), align(left, right, "optimal")
    for pairs in (greedy, optimal):
        assert all(len(set(side)) == len(side) == min(rows, others) for side in pairs)
    small, large = (left, right) if rows <= others else (right, left)
    best = min(
        total(small, large, (list(range(len(small))), list(p))) for p in permutations(range(len(large)), len(small))
    )
    assert total(left, right, optimal) == pytest.approx(best, abs=1e-6)
    assert total(left, right, greedy) >= best - 1e-6


def test_greedy_takes_the_nearest_pair_first_even_where_that_costs_more() -> None:
    left, right = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.6], [2.0]])
    assert align(left, right, "greedy") == ([1, 0], [0, 1])  # 0.4 + 2.0
    assert align(left, right, "optimal") == ([0, 1], [0, 1])  # 0.6 + 1.0


def test_models_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(PncError, match="outputs to compare without alignment: expected 4, found 3"):
        similarity(models(0), models(1, classes=3))
    with pytest.raises(PncError, match=r"local models to compare: expected \(3, 5\), found \(2, 5\)"):
        similarity(models(0), models(1, count=2))
    with pytest.raises(PncError, match=r"local models to compare: expected \(3, 5\), found \(3, 10\)"):
        similarity(models(0), models(1, patches=9), "greedy")
    with pytest.raises(PncError, match="alignment: expected one of none, greedy, optimal, found 'best'"):
        similarity(models(0), models(1), "best")  # type: ignore[arg-type]
