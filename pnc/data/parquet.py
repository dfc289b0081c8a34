"""Parquet files in the layout of the Hugging Face hub.

``dataset`` is a folder under the root with ``train.parquet`` and ``test.parquet``, or the hub's shards
(``train-00000-of-00002.parquet``, ..., there or under ``data/``); or an http(s) URL with ``{split}`` in it.
Page checksums are verified where a file has them.
"""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch

from pnc.base.errors import bad
from pnc.base.images import Images
from pnc.data._decode import decode
from pnc.data._download import downloaded
from pnc.data._registry import DataSpec, Split, data_source, dataset_folder

PICTURE_COLUMNS = ("image", "img")
LABEL_COLUMNS = ("label", "fine_label")


@dataclass(frozen=True)
class Shard:
    """One file's rows: encoded pictures, labels and what the labels stand for; ``name`` is for errors."""

    name: str
    pictures: Sequence[bytes]
    labels: Sequence[int]
    class_names: tuple[str, ...]


@data_source("parquet")
def parquet(spec: DataSpec, split: Split, root: Path | None) -> Images:
    """Read one split. Raises PncError for a file that is missing, damaged, empty or without labels or names."""
    with _files(spec, split, root) as files:
        shards = [read_shard(path, name) for path, name in files]
    first = shards[0]
    for shard in shards:
        if shard.class_names != first.class_names:
            raise bad(f"{shard.name}: class names", expected=f"those of {first.name}", found="others")
    encoded = [(f"{shard.name}, row {row}", data) for shard in shards for row, data in enumerate(shard.pictures)]
    labels = torch.tensor([label for shard in shards for label in shard.labels])
    return Images(decode(encoded, spec.resolution), labels, first.class_names)


def read_shard(path: Path, name: str) -> Shard:
    """The rows of one Parquet file, pictures still encoded. Raises PncError as ``parquet`` does."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            schema = file.schema_arrow
            columns = [_column(schema, choices, name) for choices in (PICTURE_COLUMNS, LABEL_COLUMNS)]
            table = file.read(columns=columns)
            table.validate(full=True)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise bad(name, expected="a whole Parquet file", found=f"a damaged one ({error})") from None
    if table.num_rows == 0:
        raise bad(name, expected="at least one row", found="none")
    class_names = _class_names(schema, columns[1], name)
    labels = _labels(table.column(columns[1]), len(class_names), name)
    return Shard(name, _pictures(table.column(columns[0]), name), labels, class_names)


@contextmanager
def _files(spec: DataSpec, split: Split, root: Path | None) -> Iterator[list[tuple[Path, str]]]:
    """The split's files, each with the name it has in errors."""
    dataset = spec.dataset or ""
    if dataset.startswith(("http://", "https://")):
        url = _url(dataset, split)
        with downloaded(url) as path:
            yield [(path, url)]
    else:
        yield [(path, str(path)) for path in _shard_paths(dataset_folder(spec, root), split)]


def _url(template: str, split: Split) -> str:
    if "{split}" not in template:  # one file for both splits would test on the training data
        raise bad("URL of a data set", expected="'{split}' in it, for train and test", found=template)
    return template.replace("{split}", split)


def _shard_paths(folder: Path, split: Split) -> list[Path]:
    whole = folder / f"{split}.parquet"
    if whole.is_file():
        return [whole]
    shards = sorted(path for place in (folder, folder / "data") for path in place.glob(f"{split}-*-of-*.parquet"))
    if not shards:
        found = ", ".join(sorted(path.name for path in folder.iterdir())) or "an empty folder"
        raise bad(str(folder), expected=f"{split}.parquet or {split}-00000-of-00001.parquet, ...", found=found)
    _check_complete(shards)
    return shards


def _check_complete(shards: list[Path]) -> None:
    numbers = [re.search(r"-(\d+)-of-(\d+)\.parquet$", path.name) for path in shards]
    found = [(int(match[1]), int(match[2])) for match in numbers if match]
    if found != [(index, len(shards)) for index in range(len(shards))]:
        names = ", ".join(path.name for path in shards)
        raise bad(str(shards[0].parent), expected="every shard of the data set once", found=names)


def _column(schema: pa.Schema, choices: tuple[str, ...], name: str) -> str:
    for choice in choices:
        if choice in schema.names:
            return choice
    raise bad(name, expected=f"a column {' or '.join(choices)}", found=f"columns {', '.join(schema.names)}")


def _labels(column: pa.ChunkedArray, classes: int, name: str) -> list[int]:
    if not pa.types.is_integer(column.type):
        raise bad(f"{name}: labels", expected="integers", found=column.type)
    labels = column.to_pylist()
    for row, label in enumerate(labels):
        if label is None or not 0 <= label < classes:
            raise bad(f"{name}, row {row}: label", expected=f"0 to {classes - 1}", found=label)
    return labels


def _pictures(column: pa.ChunkedArray, name: str) -> list[bytes]:
    if pa.types.is_struct(column.type) and column.type.get_field_index("bytes") >= 0:
        column = pc.struct_field(column, "bytes")
    if not (pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)):
        raise bad(f"{name}: pictures", expected="binary or struct<bytes: binary, ...>", found=column.type)
    pictures = column.to_pylist()
    if None in pictures:
        raise bad(f"{name}, row {pictures.index(None)}: picture", expected="its bytes", found="null")
    return pictures


def _class_names(schema: pa.Schema, label: str, name: str) -> tuple[str, ...]:
    """From the entry ``names``, joined by commas, or the ClassLabel in the entry ``huggingface``."""
    notes = schema.metadata or {}
    try:
        if b"names" in notes:
            return tuple(notes[b"names"].decode().split(","))
        return _hub_names(json.loads(notes[b"huggingface"]), label)
    except (KeyError, TypeError, ValueError):
        expected = "class names in the schema metadata: 'names', or a ClassLabel in 'huggingface'"
        raise bad(
            name, expected=expected, found=f"entries {[key.decode(errors='replace') for key in notes]}"
        ) from None


def _hub_names(notes: Any, label: str) -> tuple[str, ...]:
    return tuple(str(entry) for entry in notes["info"]["features"][label]["names"])
