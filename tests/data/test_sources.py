"""The other sources: digits, folders of pictures, torchvision; and how sources are found."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pnc.base.errors import PncError
from pnc.base.images import Images
from pnc.data import SOURCES, DataSpec, data_source, load


def test_every_source_is_found_by_name() -> None:
    assert {"digits", "folder", "parquet", "torchvision"} <= set(SOURCES.names())


def test_a_new_source_is_one_registered_function(monkeypatch: pytest.MonkeyPatch) -> None:
    SOURCES.names()
    monkeypatch.setattr(SOURCES, "_entries", dict(SOURCES._entries))

    @data_source("two-greys")
    def two_greys(spec: DataSpec, split: str, root: Path | None) -> Images:
        pixels = torch.tensor([10, 90], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 1, 8, 8)
        return Images(pixels, torch.tensor([0, 1]), ("dark", split))

    images = load(DataSpec("two-greys", resolution=16, channels=3), "train")
    assert images.pixels.shape == (2, 3, 16, 16)
    assert images.pixels[1].unique().tolist() == [90]
    assert images.class_names == ("dark", "train")


@pytest.mark.parametrize("settings", [{"resolution": 0}, {"resolution": -3}, {"channels": 2}])
def test_bad_settings_are_refused(settings: dict) -> None:
    with pytest.raises(PncError, match=r"resolution|channels"):
        DataSpec("digits", **settings)


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(PncError, match=r"unknown data source: expected one of digits, folder, parquet.*'parket'"):
        load(DataSpec("parket"), "test")
    with pytest.raises(PncError, match=r"split: expected one of train, test, found 'valid'"):
        load(DataSpec("digits"), "valid")  # type: ignore[arg-type]


def test_the_root_is_asked_for_and_must_exist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PNC_DATA", raising=False)
    with pytest.raises(PncError, match="PNC_DATA"):
        load(DataSpec("folder"), "test")
    monkeypatch.setenv("PNC_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(PncError, match=r"nowhere: expected the folder of the data, found no such folder"):
        load(DataSpec("folder"), "test")
    monkeypatch.setenv("PNC_DATA", str(picture_folder(tmp_path)))
    assert len(load(DataSpec("folder"), "test")) == 2


def test_digits_are_scikit_learns() -> None:
    from sklearn.datasets import load_digits

    spec = DataSpec("digits", resolution=8)
    train, test = load(spec, "train"), load(spec, "test")
    both = torch.cat([train.pixels, test.pixels])
    expected = torch.from_numpy(load_digits().images * 255 / 16).round().to(torch.uint8).unsqueeze(1)
    assert sorted(map(bytes, both.flatten(1).numpy())) == sorted(map(bytes, expected.flatten(1).numpy()))
    assert both.max() == 255
    assert train.class_names == tuple("0123456789")
    labels = torch.cat([train.labels, test.labels])
    lookup = dict(zip(map(bytes, expected.flatten(1).numpy()), load_digits().target.tolist(), strict=True))
    assert [lookup[bytes(row)] for row in both.flatten(1).numpy()] == labels.tolist()


def test_digits_are_split_by_class_and_always_alike() -> None:
    spec = DataSpec("digits")
    train, test = load(spec, "train"), load(spec, "test")
    shares = test.labels.bincount() / (train.labels.bincount() + test.labels.bincount())
    assert torch.allclose(shares, torch.tensor(1 / 3), atol=0.005)
    assert train.pixels.shape[1:] == (1, 32, 32)
    assert load(spec, "test").sha256() == test.sha256()
    with pytest.raises(PncError, match="only one"):
        load(dataclasses.replace(spec, dataset="mnist"), "test")


def save_picture(path: Path, *shape: int) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.random.default_rng(len(str(path))).integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(array).save(path)
    return array


def picture_folder(root: Path) -> Path:
    """train: two bees and an ant; test: a bee and a cat. In colour, 6 × 6."""
    for name in ("train/bee/1.png", "train/bee/2.png", "train/ant/1.png", "test/bee/1.bmp", "test/cat/1.png"):
        save_picture(root / name, 6, 6, 3)
    return root


def test_folders_give_sorted_classes_and_labels_that_agree(tmp_path: Path) -> None:
    array = save_picture(picture_folder(tmp_path / "pets") / "train/ant/0.png", 6, 6, 3)
    (tmp_path / "pets/train/.hidden").write_text("not a picture")
    (tmp_path / "pets/train/ant/.hidden").write_text("not a picture")
    spec = DataSpec("folder", "pets", resolution=None)
    train, test = load(spec, "train", tmp_path), load(spec, "test", tmp_path)
    assert train.class_names == test.class_names == ("ant", "bee", "cat")
    assert train.labels.tolist() == [0, 0, 1, 1]
    assert test.labels.tolist() == [1, 2]
    assert torch.equal(train.pixels[0], torch.from_numpy(array).permute(2, 0, 1))


def empty_class(root: Path) -> None:
    (root / "test/dog").mkdir()


def damaged_picture(root: Path) -> None:
    path = root / "test/cat/1.png"
    path.write_bytes(path.read_bytes()[:60])


def not_a_picture(root: Path) -> None:
    (root / "test/cat/notes.txt").write_text("not a picture")


def other_size(root: Path) -> None:
    save_picture(root / "test/cat/2.png", 6, 7, 3)


def no_test(root: Path) -> None:
    (root / "test").rename(root / "valid")


def no_classes(root: Path) -> None:
    (root / "test").rename(root / "valid")
    (root / "test").mkdir()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (empty_class, r"test/dog: expected at least one picture"),
        (damaged_picture, r"test/cat/1.png: expected a whole picture"),
        (not_a_picture, r"test/cat/notes.txt: expected a picture \(PNG, .*other or damaged bytes"),
        (other_size, r"test/cat/2.png: expected 6×6 pixels like the first picture, found 6×7"),
        (no_test, r"expected a folder 'test', found train, valid"),
        (no_classes, r"test: expected a folder of pictures for each class, found none"),
    ],
)
def test_spoilt_folders_are_named(tmp_path: Path, spoil: Any, message: str) -> None:
    spoil(picture_folder(tmp_path))
    with pytest.raises(PncError, match=message):
        load(DataSpec("folder", resolution=None), "test", tmp_path)


def fake_sets(monkeypatch: pytest.MonkeyPatch, **sets: Any) -> None:
    from torchvision import datasets

    for name, builder in sets.items():
        monkeypatch.setattr(datasets, name, builder)


def test_torchvision_sets_are_read_through_torchvision(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls = []
    grey = torch.arange(2 * 28 * 28).view(2, 28, 28).to(torch.uint8)
    colour = np.arange(2 * 32 * 32 * 3).reshape(2, 32, 32, 3).astype(np.uint8)

    def mnist(root: str, train: bool, download: bool) -> SimpleNamespace:
        calls.append((root, train, download))
        return SimpleNamespace(data=grey, targets=torch.tensor([1, 0]), classes=["0 - zero", "1 - one"])

    def cifar10(root: str, train: bool, download: bool) -> SimpleNamespace:
        return SimpleNamespace(data=colour, targets=[0, 1], classes=["airplane", "automobile"])

    fake_sets(monkeypatch, MNIST=mnist, CIFAR10=cifar10)
    digits = load(DataSpec("torchvision", "mnist"), "train", tmp_path)
    assert calls == [(str(tmp_path), True, True)]
    assert torch.equal(digits.pixels[:, 0, 2:30, 2:30], grey)
    assert digits.labels.tolist() == [1, 0]
    assert digits.class_names == ("0", "1")
    vehicles = load(DataSpec("torchvision", "cifar10"), "test", tmp_path)
    assert torch.equal(vehicles.pixels, torch.from_numpy(colour).permute(0, 3, 1, 2))
    assert vehicles.class_names == ("airplane", "automobile")


def test_torchvision_failures_are_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def corrupted(root: str, train: bool, download: bool) -> None:
        raise RuntimeError("File not found\nor corrupted.")

    fake_sets(monkeypatch, CIFAR100=corrupted)
    with pytest.raises(PncError, match=r"cifar100 in .*: expected a download that is whole, found File not found or"):
        load(DataSpec("torchvision", "cifar100"), "test", tmp_path)
    with pytest.raises(PncError, match=r"one of cifar10, cifar100, mnist, found 'svhn'"):
        load(DataSpec("torchvision", "svhn"), "test", tmp_path)
