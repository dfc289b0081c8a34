"""The real data sets, where they are at hand: complete, with their names, in the shapes the networks expect."""

from pathlib import Path

import pytest
import torch

from pnc.data import DataSpec, load


def test_mnist_is_whole(real_data: Path) -> None:
    images = load(DataSpec("parquet", "mnist"), "test", real_data)
    assert images.pixels.shape == (10_000, 1, 32, 32)
    assert images.class_names == tuple("0123456789")
    assert images.labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert images.pixels[:, :, :2].eq(0).all()
    mean, std = images.resized(32).mean_std()
    assert mean == pytest.approx((0.1325 * 28**2 / 32**2,), abs=1e-3)  # MNIST's well-known test mean, padded
    assert std[0] > 0.27


def test_tiny_imagenet_is_colour_and_64_pixels_wide(real_data: Path) -> None:
    if not (real_data / "tinyimagenet").is_dir():
        pytest.skip("no tinyimagenet in the data folder")
    images = load(DataSpec("parquet", "tinyimagenet", resolution=64), "test", real_data)
    assert images.pixels.shape == (2_000, 3, 64, 64)
    assert torch.equal(images.labels.bincount(), torch.full((200,), 10))
    assert images.class_names[0] == "n01443537"
    assert load(DataSpec("parquet", "tinyimagenet"), "test", real_data).pixels.shape == (2_000, 3, 32, 32)
