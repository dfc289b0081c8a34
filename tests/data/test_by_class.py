"""Pictures of a folder by class, or of a Parquet file, without a data set around them."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from _commands import named_images, write_pictures

from pnc.base.errors import PncError
from pnc.data.by_class import by_class, class_names

NAMES = ("ant", "bee", "cat")


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    (folder := write_pictures(tmp_path / "pets", named_images(NAMES, 3, 0))).joinpath(".hidden").mkdir()
    return folder


def in_parquet(folder: Path) -> Path:
    files = [(file.read_bytes(), NAMES.index(file.parent.name)) for file in sorted(folder.glob("*/*.png"))]
    rows = pa.table({"image": [data for data, _ in files], "label": [label for _, label in files]})
    pq.write_table(rows.replace_schema_metadata({"names": ",".join(NAMES)}), folder.with_suffix(".parquet"))
    return folder.with_suffix(".parquet")


def test_a_folder_and_a_parquet_file_give_the_same_pictures(pets: Path) -> None:
    expected = named_images(NAMES, 3, 0)
    for place in (pets, in_parquet(pets)):
        found = by_class([place])
        assert torch.equal(found.pixels, expected.pixels)
        assert (found.labels.tolist(), found.class_names) == (expected.labels.tolist(), NAMES)
        assert class_names([place]) == NAMES


def test_only_what_is_wanted_is_read(pets: Path) -> None:
    (pets / "ant" / "000.png").write_text("no picture at all")
    for place in (pets, in_parquet(pets)):
        found = by_class([place], {"cat", "bee", "dog"})
        assert (found.class_names, found.labels.tolist()) == (("bee", "cat"), [0, 0, 0, 1, 1, 1])
        with pytest.raises(PncError, match="expected a picture"):
            by_class([place])


def test_several_places_are_one_set(pets: Path, tmp_path: Path) -> None:
    more = write_pictures(tmp_path / "more", named_images(("bee", "dog"), 2, 1))
    found = by_class([pets, more], {"bee", "dog"})
    assert (found.class_names, found.labels.bincount().tolist()) == (("bee", "dog"), [5, 2])


def test_sizes_must_agree_unless_one_is_asked_for(pets: Path, tmp_path: Path) -> None:
    big = write_pictures(tmp_path / "big", named_images(("dog",), 1, 1).resized(16))
    with pytest.raises(PncError, match=r"dog/000.png: expected 8×8 pixels like the first picture, found 16×16"):
        by_class([pets, big])
    assert by_class([pets, big], size=16).pixels.shape == (10, 3, 16, 16)


def test_what_is_missing_is_named(pets: Path, tmp_path: Path) -> None:
    (pets / "dog").mkdir()
    with pytest.raises(PncError, match=r"pets/dog: expected at least one picture, found an empty folder"):
        by_class([pets])
    with pytest.raises(
        PncError, match=r"pets: expected pictures of a class that is asked for, found none of eel, fox"
    ):
        by_class([pets], {"fox", "eel"})
    with pytest.raises(PncError, match=r"nowhere: expected a folder with a folder for each class, or a Parquet file"):
        by_class([tmp_path / "nowhere"])
