"""One Parquet file of a data set, read with Arrow."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pnc.base.errors import bad

PICTURE_COLUMNS = ("image", "img")
LABEL_COLUMNS = ("label", "fine_label")


@dataclass(frozen=True)
class Shard:
    """One file's rows: encoded pictures, labels and what the labels stand for; ``name`` is for errors."""

    name: str
    pictures: Sequence[bytes]
    labels: Sequence[int]
    class_names: tuple[str, ...]


def read_shard(path: Path, name: str) -> Shard:
    """The rows of one Parquet file, pictures still encoded. Raises PncError as the source does."""
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
