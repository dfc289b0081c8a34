"""Augmentation: each picture by draws of its own, the same for the same generator, and nothing when off."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pnc.base.augment import augment
from pnc.base.errors import PncError


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(n: int = 8, height: int = 12, width: int = 12) -> Tensor:
    return torch.rand(n, 3, height, width, generator=seeded(99))


def shifted(picture: Tensor, dy: int, dx: int) -> Tensor:
    """``picture`` [C, H, W] cut from a zero border, by plain indexing."""
    height, width = picture.shape[1:]
    border = torch.nn.functional.pad(picture, (4, 4, 4, 4))
    return border[:, 4 + dy : 4 + dy + height, 4 + dx : 4 + dx + width]


@given(st.integers(0, 99))
def test_with_everything_off_nothing_changes(seed: int) -> None:
    x, g = pictures(), seeded(seed)
    before = g.get_state()
    assert augment(x, g, crop=0, flip=False, rotation=0) is x
    assert torch.equal(g.get_state(), before)


@given(st.integers(0, 99), st.integers(0, 4), st.booleans(), st.sampled_from([0, 15]))
@settings(max_examples=30)
def test_same_state_same_output_and_global_generator_untouched(
    seed: int, crop: int, flip: bool, angle: float
) -> None:
    x, outside = pictures(), torch.get_rng_state()
    one, other = (augment(x, seeded(seed), crop=crop, flip=flip, rotation=angle) for _ in range(2))
    assert torch.equal(one, other)
    assert one.shape == x.shape
    assert torch.equal(torch.get_rng_state(), outside)


@given(st.integers(0, 99), st.integers(0, 7))
@settings(max_examples=30)
def test_a_picture_depends_on_no_other(seed: int, changed: int) -> None:
    x, y = pictures(), pictures()
    y[changed] = 0.5
    one, other = augment(x, seeded(seed)), augment(y, seeded(seed))
    same = [torch.equal(a, b) for a, b in zip(one, other, strict=True)]
    assert same == [row != changed for row in range(8)]


@given(st.integers(0, 99), st.sampled_from([(12, 12), (7, 16)]))
@settings(max_examples=30)
def test_without_rotation_it_is_an_exact_crop_or_mirror(seed: int, shape: tuple[int, int]) -> None:
    x = pictures(4, *shape)
    for picture, result in zip(x, augment(x, seeded(seed), crop=4, rotation=0), strict=True):
        sides = (picture, picture.flip(-1))
        found = [
            s for s in sides for dy in range(-4, 5) for dx in range(-4, 5) if torch.equal(shifted(s, dy, dx), result)
        ]
        assert found


def test_every_shift_and_both_mirrors_are_drawn() -> None:
    point = torch.zeros(1, 1, 5, 5)
    point[0, 0, 2, 2] = 1
    moved = augment(point.expand(500, -1, -1, -1), seeded(0), crop=2, flip=False, rotation=0)
    places = moved.flatten(1).argmax(1)
    assert torch.equal(moved.sum((1, 2, 3)), torch.ones(500))
    assert places.unique().tolist() == list(range(25))
    edge = torch.tensor([[1.0, 0.0]]).expand(500, 1, 1, 2)
    mirrored = augment(edge, seeded(0), crop=0, flip=True, rotation=0)[:, 0, 0, 1]
    assert 200 < int(mirrored.sum()) < 300


@pytest.mark.parametrize(("height", "width"), [(33, 33), (21, 41)])
@pytest.mark.parametrize("flip", [False, True])
def test_rotation_turns_about_the_centre_by_at_most_the_angle(height: int, width: int, flip: bool) -> None:
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    dy, dx = 8 * math.sin(0.3), 8 * math.cos(0.3)  # a spot 8 pixels from the centre, on a rectangle too
    spot = torch.exp(-((rows - height // 2 - dy) ** 2 + (columns - width // 2 - dx) ** 2) / 4.0)
    turned = augment(spot.expand(200, 1, -1, -1), seeded(1), crop=0, flip=flip, rotation=20)[:, 0]
    mass = turned.sum((1, 2))
    y = (turned * rows).sum((1, 2)) / mass - height // 2
    x = (turned * columns).sum((1, 2)) / mass - width // 2
    assert torch.allclose(torch.hypot(x, y), torch.full((200,), 8.0), atol=0.05)
    angles = torch.rad2deg(torch.atan2(y, x.abs())) - math.degrees(0.3)
    assert angles.abs().max() < 20.2
    assert angles.min() < -15
    assert angles.max() > 15


@pytest.mark.parametrize(
    ("x", "options"),
    [
        (torch.zeros(2, 3, 8, 8, dtype=torch.uint8), {}),
        (torch.zeros(3, 8, 8), {}),
        (torch.zeros(2, 3, 8, 8), {"crop": -1}),
        (torch.zeros(2, 3, 8, 8), {"rotation": -1}),
    ],
)
def test_other_input_is_refused(x: Tensor, options: dict) -> None:
    with pytest.raises(PncError, match=r"augment|crop"):
        augment(x, seeded(0), **options)
