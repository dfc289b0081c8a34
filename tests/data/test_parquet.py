"""Parquet in the hub's layout: round trips, every known shape of it, and no damage that goes unnamed."""

import functools
import io
import json
import tempfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pnc.base.errors import PncError
from pnc.base.images import Images
from pnc.data import DataSpec, load

NAMES = ("ant", "bee", "cat")
SPEC = DataSpec("parquet", "pets", resolution=None)
STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def random_array(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def encoded(array: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind, lossless=True)
    return buffer.getvalue()


def table(pictures: list, labels: list, **change: Any) -> pa.Table:
    """A table in the hub's layout; ``change`` renames columns, or changes picture type and metadata."""
    picture_type = change.get("picture_type", STRUCT)
    if picture_type == STRUCT:
        pictures = [{"bytes": data, "path": f"{row}.png"} for row, data in enumerate(pictures)]
    fields = [(change.get("picture", "image"), picture_type), (change.get("label", "label"), pa.int64())]
    metadata = change.get("metadata", {"names": ",".join(NAMES)})
    return pa.table([pa.array(pictures, picture_type), pa.array(labels, pa.int64())], pa.schema(fields, metadata))


def write(root: Path, content: pa.Table, name: str = "test.parquet") -> Path:
    path = root / "pets" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(content, path, write_page_checksum=True)
    return path


def small_table(n: int = 6, **change: Any) -> pa.Table:
    pictures = [encoded(random_array(4, 5, 3, seed=row)) for row in range(n)]
    return table(pictures, [row % 3 for row in range(n)], **change)


def channels_first(arrays: list[np.ndarray]) -> torch.Tensor:
    stacked = torch.from_numpy(np.stack(arrays))
    return stacked.unsqueeze(1) if stacked.dim() == 3 else stacked.permute(0, 3, 1, 2)


@st.composite
def picture_sets(draw: st.DrawFn) -> tuple[list[np.ndarray], list[int], str]:
    n, height, width = draw(st.integers(1, 8)), draw(st.integers(1, 9)), draw(st.integers(1, 9))
    shape = (height, width) if draw(st.booleans()) else (height, width, 3)
    seed = draw(st.integers(0, 10_000))
    arrays = [random_array(*shape, seed=seed + row) for row in range(n)]
    return arrays, draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)), draw(st.sampled_from(["PNG", "WEBP"]))


@given(picture_sets())
@settings(max_examples=40)
def test_what_was_written_is_read(content: tuple[list[np.ndarray], list[int], str]) -> None:
    arrays, labels, kind = content
    with tempfile.TemporaryDirectory() as root:
        write(Path(root), table([encoded(array, kind) for array in arrays], labels))
        images = load(SPEC, "test", root)
    assert torch.equal(images.pixels, channels_first(arrays))
    assert images.labels.tolist() == labels
    assert images.class_names == NAMES


@functools.cache
def whole_file() -> tuple[bytes, Images]:
    with tempfile.TemporaryDirectory() as root:
        path = write(Path(root), small_table())
        return path.read_bytes(), load(SPEC, "test", root)


def load_bytes(content: bytes) -> Images | None:
    """What loading a file of these bytes gives; None for the one error that is allowed, on one line."""
    with tempfile.TemporaryDirectory() as root:
        path = write(Path(root), small_table(1))
        path.write_bytes(content)
        try:
            return load(SPEC, "test", root)
        except PncError as error:
            assert "\n" not in str(error)
            return None


@given(st.data())
@settings(max_examples=60)
def test_a_truncated_file_is_refused(data: st.DataObject) -> None:
    content, _ = whole_file()
    assert load_bytes(content[: data.draw(st.integers(0, len(content) - 1))]) is None


@given(st.data())
@settings(max_examples=150)
def test_flipped_bytes_never_change_a_picture_or_a_label(data: st.DataObject) -> None:
    """The format has no checksum over class names and other metadata, so names may change; pages have one."""
    content, original = whole_file()
    damaged = bytearray(content)
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=5)):
        damaged[place] ^= data.draw(st.integers(1, 255))
    images = load_bytes(bytes(damaged))
    if images is not None:
        assert torch.equal(images.pixels, original.pixels)
        assert torch.equal(images.labels, original.labels)


def test_column_names_that_are_no_text_are_refused() -> None:
    content, _ = whole_file()
    assert load_bytes(content.replace(b"label", b"lab\xe8l")) is None


@pytest.mark.parametrize("column", [0, 2])  # image.bytes and label
def test_a_page_that_fails_its_checksum_is_refused(column: int) -> None:
    content, _ = whole_file()
    chunk = pq.ParquetFile(io.BytesIO(content)).metadata.row_group(0).column(column)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    damaged = bytearray(content)
    damaged[start + chunk.total_compressed_size - 1] ^= 1
    assert load_bytes(bytes(damaged)) is None


@pytest.mark.parametrize(
    "change",
    [
        {"picture_type": pa.binary()},
        {"picture_type": pa.large_binary()},
        {"picture": "img", "label": "fine_label"},
        {"metadata": {"huggingface": json.dumps({"info": {"features": {"label": {"names": list(NAMES)}}}})}},
        {
            "label": "fine_label",
            "metadata": {"huggingface": json.dumps({"info": {"features": {"fine_label": {"names": list(NAMES)}}}})},
        },
    ],
)
def test_every_layout_gives_the_same_pictures(tmp_path: Path, change: dict) -> None:
    write(tmp_path, small_table(**change))
    assert load(SPEC, "test", tmp_path).sha256() == whole_file()[1].sha256()


@pytest.mark.parametrize("place", ["", "data/"])
def test_shards_are_joined_in_order(tmp_path: Path, place: str) -> None:
    content = small_table()
    for shard, rows in enumerate([content.slice(0, 2), content.slice(2, 1), content.slice(3)]):
        write(tmp_path, rows, f"{place}test-{shard:05}-of-00003.parquet")
    assert load(SPEC, "test", tmp_path).sha256() == whole_file()[1].sha256()
    (tmp_path / "pets" / f"{place}test-00001-of-00003.parquet").unlink()
    with pytest.raises(PncError, match="every shard"):
        load(SPEC, "test", tmp_path)


def test_shards_must_agree_on_names_and_size(tmp_path: Path) -> None:
    write(tmp_path, small_table(), "test-00000-of-00002.parquet")
    write(tmp_path, small_table(metadata={"names": "x,y,z"}), "test-00001-of-00002.parquet")
    with pytest.raises(PncError, match=r"test-00001-of-00002.parquet: class names"):
        load(SPEC, "test", tmp_path)
    write(tmp_path, table([encoded(random_array(4, 6, 3))], [0]), "test-00001-of-00002.parquet")
    with pytest.raises(PncError, match=r"test-00001-of-00002.parquet, row 0: expected 4×5.*found 4×6"):
        load(SPEC, "test", tmp_path)


def test_mixed_sizes_and_modes_become_one(tmp_path: Path) -> None:
    shapes = [(4, 4), (8, 8, 3), (6, 3), (4, 4, 4)]
    arrays = [random_array(*shape) for shape in shapes]
    write(tmp_path, table([encoded(array) for array in arrays], [0, 1, 2, 0]))
    images = load(DataSpec("parquet", "pets", resolution=8), "test", tmp_path)
    assert images.pixels.shape == (4, 3, 8, 8)
    assert torch.equal(images.pixels[0, :, 2:6, 2:6], torch.from_numpy(arrays[0]).expand(3, 4, 4))
    assert torch.equal(images.pixels[1], torch.from_numpy(arrays[1]).permute(2, 0, 1))


def test_grey_pictures_become_rgb_on_request(tmp_path: Path) -> None:
    write(tmp_path, table([encoded(random_array(6, 6))], [2]))
    assert load(DataSpec("parquet", "pets", resolution=6), "test", tmp_path).channels == 1
    assert load(DataSpec("parquet", "pets", resolution=6, channels=3), "test", tmp_path).channels == 3


def damaged_row() -> pa.Table:
    pictures = [encoded(random_array(4, 5, 3, seed=row)) for row in range(600)]
    pictures[411] = pictures[411][:50]
    return table(pictures, [0] * 600)


def deep_picture() -> pa.Table:
    return table([encoded(random_array(4, 5)), encoded(np.zeros((4, 5), np.uint16))], [0, 0])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (damaged_row, "row 411: expected a whole picture"),
        (deep_picture, "row 1: expected a picture of 8 bits per channel"),
        (lambda: table([], []), "at least one row, found none"),
        (lambda: small_table(picture="photo"), "expected a column image or img, found columns photo, label"),
        (lambda: small_table(label="kind"), "expected a column label or fine_label, found columns image, kind"),
        (lambda: table([b""], [None]), "row 0: label: expected 0 to 2, found None"),
        (lambda: table([b"", b""], [0, 3]), "row 1: label: expected 0 to 2, found 3"),
        (lambda: table([b"", None], [0, 0]), "row 1: picture: expected its bytes, found null"),
        (lambda: table(["x"], [0], picture_type=pa.string()), "pictures: expected binary"),
        (
            lambda: small_table().set_column(1, "label", pa.array(["a"] * 6)),
            "labels: expected integers, found string",
        ),
        (lambda: small_table(metadata={}), "class names in the schema metadata.*found entries"),
        (lambda: small_table(metadata={"huggingface": '{"info": {}}'}), "class names in the schema metadata"),
        (lambda: small_table(metadata={"huggingface": "{"}), "class names in the schema metadata"),
        (lambda: small_table(metadata={"names": "a,a,b"}), "class names: expected different"),
    ],
)
def test_bad_content_is_named(tmp_path: Path, content: Any, message: str) -> None:
    write(tmp_path, content())
    with pytest.raises(PncError, match=message) as caught:
        load(SPEC, "test", tmp_path)
    assert "\n" not in str(caught.value)


def test_missing_files_and_data_sets_are_named_with_what_there_is(tmp_path: Path) -> None:
    write(tmp_path, small_table())
    with pytest.raises(PncError, match=r"expected train.parquet or train-00000-of-00001.parquet.*found test.parquet"):
        load(SPEC, "train", tmp_path)
    with pytest.raises(PncError, match="expected a data set 'birds', found pets"):
        load(DataSpec("parquet", "birds"), "test", tmp_path)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address at which ``tmp_path`` is served."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_url_is_downloaded(tmp_path: Path, served: str) -> None:
    write(tmp_path, small_table())
    images = load(DataSpec("parquet", f"{served}/pets/{{split}}.parquet", resolution=None), "test")
    assert images.sha256() == whole_file()[1].sha256()


def test_urls_that_cannot_be_read_are_named(tmp_path: Path, served: str) -> None:
    with pytest.raises(PncError, match=r"pets/train.parquet: expected a file to download, found .*404"):
        load(DataSpec("parquet", f"{served}/pets/{{split}}.parquet"), "train")
    with pytest.raises(PncError, match=r"'\{split\}' in it"):
        load(DataSpec("parquet", f"{served}/pets/test.parquet"), "test")
    write(tmp_path, small_table()).write_bytes(b"PAR1 and nothing more")
    with pytest.raises(PncError, match=r"pets/test.parquet: expected a whole Parquet file"):
        load(DataSpec("parquet", f"{served}/pets/{{split}}.parquet"), "test")
