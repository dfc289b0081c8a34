"""Images in memory: what they refuse, how they are chosen from, resized and summed up."""

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pnc.base.errors import PncError
from pnc.base.images import Images, as_float, resize

NAMES = ("ant", "bee", "cat")


def random_images(n: int = 12, channels: int = 3, height: int = 5, width: int = 4, seed: int = 0) -> Images:
    g = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (n, channels, height, width), dtype=torch.uint8, generator=g)
    return Images(pixels, torch.arange(n) % len(NAMES), NAMES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pixels": torch.zeros(12, 3, 5, 4)}, "torch.uint8"),
        ({"pixels": torch.zeros(12, 3, 5, dtype=torch.uint8)}, r"\[12, 3, 5\]"),
        ({"pixels": torch.zeros(12, 2, 5, 4, dtype=torch.uint8)}, r"1 or 3"),
        ({"pixels": torch.zeros(12, 1, 0, 4, dtype=torch.uint8)}, "height"),
        ({"labels": torch.zeros(11, dtype=torch.int64)}, r"torch.int64 \[12\].*\[11\]"),
        ({"labels": torch.zeros(12)}, "torch.float32"),
        ({"labels": torch.arange(12) % 4}, "label of row 3: expected 0 to 2.*found 3"),
        ({"labels": torch.full((12,), -1)}, "label of row 0.*found -1"),
        ({"class_names": ["ant", "bee", "cat"]}, "tuple"),
        ({"class_names": ("ant", "bee", "")}, "not empty"),
        ({"class_names": ("ant", "bee", "bee")}, "different"),
        ({"class_names": ()}, "at least one"),
    ],
)
def test_parts_that_do_not_fit_are_refused(change: dict, message: str) -> None:
    with pytest.raises(PncError, match=message):
        dataclasses.replace(random_images(), **change)


def test_take_keeps_order_and_repeats() -> None:
    images = random_images()
    taken = images.take([7, 2, 2])
    assert torch.equal(taken.pixels, images.pixels[torch.tensor([7, 2, 2])])
    assert taken.labels.tolist() == [1, 2, 2]
    assert len(images.take([])) == 0


@pytest.mark.parametrize("indices", [[12], [-1], torch.tensor([True]), torch.tensor([0.0]), torch.tensor(0)])
def test_take_refuses_other_indices(indices: object) -> None:
    with pytest.raises(PncError, match=r"ind(ex|ices)"):
        random_images().take(indices)  # type: ignore[arg-type]


def test_of_classes_keeps_labels_and_relabelled_numbers_them_by_position() -> None:
    images = random_images()
    kept = images.of_classes([2, 0])
    assert kept.labels.tolist() == [0, 2] * 4
    assert kept.class_names == NAMES
    renamed = images.relabelled([2, 0])
    assert renamed.labels.tolist() == [1, 0] * 4
    assert renamed.class_names == ("cat", "ant")
    assert torch.equal(renamed.pixels, kept.pixels)


@pytest.mark.parametrize("classes", [[], [0, 0], [3], [-1]])
def test_classes_that_are_not_there_are_refused(classes: list[int]) -> None:
    with pytest.raises(PncError, match="class"):
        random_images().relabelled(classes)


def test_a_class_without_pictures_is_not_there() -> None:
    with pytest.raises(PncError, match=r"one of \[0, 1\] that have pictures, found 2"):
        random_images().of_classes([0, 1]).of_classes([2])


def test_28_pixels_are_padded_to_32() -> None:
    images = random_images(channels=1, height=28, width=28)
    padded = images.resized(32).pixels
    assert torch.equal(padded[:, :, 2:30, 2:30], images.pixels)
    assert int(padded.sum()) == int(images.pixels.sum())


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(0, 255))
def test_scaling_keeps_a_plain_colour(height: int, width: int, size: int, value: int) -> None:
    scaled = resize(torch.full((2, 3, height, width), value, dtype=torch.uint8), size)
    assert scaled.shape == (2, 3, size, size)
    assert scaled.dtype == torch.uint8
    if (height, width) != (size - 4, size - 4):
        assert scaled.eq(value).all()


def test_shrinking_sees_every_pixel_and_the_same_size_is_untouched() -> None:
    stripes = torch.tensor([200, 0, 0, 200] * 2, dtype=torch.uint8).expand(1, 1, 8, 8)
    shrunk = resize(stripes, 2)
    assert shrunk.min() > 60  # without antialiasing it would see the dark columns only
    assert shrunk.max() < 140
    assert resize(stripes, 8) is stripes
    with pytest.raises(PncError, match="size"):
        resize(stripes, 0)


def test_grey_becomes_rgb_but_colour_is_never_dropped() -> None:
    grey = random_images(channels=1)
    assert torch.equal(grey.with_channels(3).pixels, grey.pixels.expand(-1, 3, -1, -1))
    assert grey.with_channels(1) is grey
    with pytest.raises(PncError, match="expected 1, found 3"):
        random_images().with_channels(1)


@given(st.integers(2, 30), st.integers(0, 99), st.sampled_from([1, 3]))
def test_mean_and_std_are_those_of_the_floats(n: int, seed: int, channels: int) -> None:
    images = random_images(n, channels, seed=seed)
    mean, std = images.mean_std()
    values = images.pixels.double() / 255
    assert torch.allclose(torch.tensor(mean).double(), values.mean((0, 2, 3)), atol=1e-6)
    assert torch.allclose(torch.tensor(std).double(), values.std((0, 2, 3), correction=0), atol=1e-6)


def test_mean_and_std_need_pictures_that_vary() -> None:
    with pytest.raises(PncError, match="at least one"):
        random_images().take([]).mean_std()
    with pytest.raises(PncError, match="positive"):
        Images(torch.ones(2, 1, 3, 3, dtype=torch.uint8), torch.tensor([0, 1]), NAMES).mean_std()


def test_sha256_tells_pixels_labels_names_and_shape_apart() -> None:
    images = random_images()
    other_pixels = images.pixels.clone()
    other_pixels[3, 1, 2, 2] ^= 1
    versions = [
        images,
        dataclasses.replace(images, pixels=other_pixels),
        dataclasses.replace(images, labels=images.labels.flip(0)),
        dataclasses.replace(images, class_names=("ant", "bee", "dog")),
        dataclasses.replace(images, pixels=images.pixels.view(12, 3, 4, 5)),
    ]
    assert len({version.sha256() for version in versions}) == len(versions)
    assert images.sha256() == random_images().sha256()
    assert images.sha256() == images.to("cpu").take(list(range(12))).sha256()


def test_as_float_maps_0_to_255_onto_0_to_1() -> None:
    values = as_float(torch.tensor([0, 51, 255], dtype=torch.uint8))
    assert values.dtype == torch.float32
    assert values.tolist() == pytest.approx([0.0, 0.2, 1.0])
    with pytest.raises(PncError, match="uint8"):
        as_float(torch.zeros(3))
