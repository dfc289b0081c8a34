"""Splits are disjoint, complete, stratified, nested and repeatable; batches hold every index once."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pnc.base.batches import batches
from pnc.base.errors import PncError
from pnc.base.images import Images
from pnc.base.splits import fraction, fraction_rows, holdout, holdout_rows

COUNTS = st.lists(st.integers(2, 12), min_size=1, max_size=4)
SHARES = st.floats(0.01, 0.99)
SEEDS = st.integers(0, 50)


def numbered(counts: list[int]) -> Images:
    """``counts[k]`` pictures of class k, mixed; the two pixels of a picture hold its row."""
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))]
    rows = torch.arange(len(labels))
    pixels = torch.stack([rows // 256, rows % 256], dim=1).to(torch.uint8).view(-1, 1, 1, 2)
    return Images(pixels, labels, tuple(f"class {k}" for k in range(len(counts))))


def rows_of(images: Images) -> list[int]:
    return (images.pixels[:, 0, 0, 0].long() * 256 + images.pixels[:, 0, 0, 1].long()).tolist()


@given(COUNTS, SHARES, SEEDS)
def test_holdout_parts_are_disjoint_complete_and_stratified(counts: list[int], share: float, seed: int) -> None:
    rest, held = holdout(numbered(counts), share, seed)
    assert sorted(rows_of(rest) + rows_of(held)) == list(range(sum(counts)))
    for part in (rest, held):
        assert rows_of(part) == sorted(rows_of(part))
    for label, count in enumerate(counts):
        size = int((held.labels == label).sum())
        assert 1 <= size <= count - 1
        assert abs(size - share * count) <= 1


@given(COUNTS, SHARES, SHARES, SEEDS)
def test_fractions_are_stratified_and_nested(counts: list[int], one: float, other: float, seed: int) -> None:
    images = numbered(counts)
    small, large = (fraction(images, share, seed) for share in sorted((one, other)))
    assert set(rows_of(small)) <= set(rows_of(large))
    for label, count in enumerate(counts):
        assert int((small.labels == label).sum()) == max(1, round(min(one, other) * count))


@given(COUNTS, SHARES, SEEDS)
def test_a_class_is_chosen_alike_whatever_stands_beside_it(counts: list[int], share: float, seed: int) -> None:
    images, last = numbered(counts), len(counts) - 1
    from_all = fraction(images, share, seed, "D_t").of_classes([last])
    assert rows_of(fraction(images.relabelled([last]), share, seed, "D_t")) == rows_of(from_all)


def test_draws_depend_on_seed_and_purpose_and_on_nothing_else() -> None:
    images = numbered([40, 40])
    first = rows_of(fraction(images, 0.3, 0, "a"))
    torch.manual_seed(5)
    assert rows_of(fraction(images, 0.3, 0, "a")) == first
    assert rows_of(fraction(images, 0.3, 1, "a")) != first
    assert rows_of(fraction(images, 0.3, 0, "b")) != first
    held = rows_of(holdout(images, 0.3, 0)[1])
    assert rows_of(holdout(images, 0.3, 0)[1]) == held
    assert rows_of(holdout(images, 0.3, 0, "other")[1]) != held


def test_classes_are_drawn_apart() -> None:
    images = numbered([40, 40])
    chosen = torch.isin(torch.arange(80), torch.tensor(rows_of(fraction(images, 0.3, 0))))
    assert not torch.equal(chosen[images.labels == 0], chosen[images.labels == 1])


@given(COUNTS, SHARES, SEEDS)
def test_rows_are_those_of_the_pictures_that_are_taken(counts: list[int], share: float, seed: int) -> None:
    images = numbered(counts)
    assert fraction_rows(images, share, seed, "D_t").tolist() == rows_of(fraction(images, share, seed, "D_t"))
    parts = zip(holdout_rows(images, share, seed), holdout(images, share, seed), strict=True)
    assert all(rows.tolist() == rows_of(part) for rows, part in parts)


def test_all_of_it_is_all_of_it() -> None:
    images = numbered([3, 7])
    assert fraction(images, 1, 0).sha256() == images.sha256()


@pytest.mark.parametrize("share", [0, -0.1, 1.1, float("nan")])
def test_shares_outside_are_refused(share: float) -> None:
    with pytest.raises(PncError, match=r"share.*\(0, 1\]"):
        fraction(numbered([5]), share, 0)
    with pytest.raises(PncError, match=r"share.*\(0, 1\)"):
        holdout(numbered([5]), share, 0)


def test_holdout_refuses_all_and_a_class_of_one() -> None:
    with pytest.raises(PncError, match="share"):
        holdout(numbered([5]), 1, 0)
    with pytest.raises(PncError, match=r"'class 1'.*at least two, found 1"):
        holdout(numbered([5, 1]), 0.5, 0)


@given(st.integers(0, 50), st.integers(1, 20), SEEDS)
def test_batches_hold_every_index_once(n: int, size: int, seed: int) -> None:
    parts = list(batches(n, size, torch.Generator().manual_seed(seed)))
    assert sorted(torch.cat(parts).tolist() if parts else []) == list(range(n))
    assert all(len(part) == size for part in parts[:-1])
    assert all(1 <= len(part) <= size for part in parts[-1:])
    again = batches(n, size, torch.Generator().manual_seed(seed))
    assert all(torch.equal(one, other) for one, other in zip(parts, again, strict=True))


def test_batches_are_shuffled_and_refuse_bad_sizes() -> None:
    g = torch.Generator().manual_seed(0)
    first, second = (torch.cat(list(batches(100, 32, g))).tolist() for _ in range(2))
    assert len({tuple(first), tuple(second), tuple(range(100))}) == 3
    for n, size in ((-1, 4), (4, 0)):
        with pytest.raises(PncError, match="batch size"):
            batches(n, size, g)
