"""Parquet files in the layout of the Hugging Face hub.

``dataset`` is a folder under the root with ``train.parquet`` and ``test.parquet``, or the hub's shards
(``train-00000-of-00002.parquet``, ..., there or under ``data/``); or an http(s) URL with ``{split}`` in it.
Page checksums are verified where a file has them.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from pnc.base.errors import bad
from pnc.base.images import Images
from pnc.data._download import downloaded
from pnc.data._extra import extra
from pnc.data._registry import DataSpec, Split, data_source, dataset_folder


@data_source("parquet")
def parquet(spec: DataSpec, split: Split, root: Path | None) -> Images:
    """Read one split. Raises PncError for a file that is missing, damaged, empty or without labels or names."""
    with extra("parquet"):
        from pnc.data._arrow import read_shard
        from pnc.data._decode import decode
    with _files(spec, split, root) as files:
        shards = [read_shard(path, name) for path, name in files]
    first = shards[0]
    for shard in shards:
        if shard.class_names != first.class_names:
            raise bad(f"{shard.name}: class names", expected=f"those of {first.name}", found="others")
    encoded = [(f"{shard.name}, row {row}", data) for shard in shards for row, data in enumerate(shard.pictures)]
    labels = torch.tensor([label for shard in shards for label in shard.labels])
    return Images(decode(encoded, spec.resolution), labels, first.class_names)


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
