"""Pictures of no data set: folders with a folder for each class, FOLDER/CLASS/*, and single Parquet files."""

from collections.abc import Collection, Sequence
from pathlib import Path

import torch

from pnc.base.errors import bad
from pnc.base.images import Images
from pnc.data._extra import extra

Labelled = tuple[str, str, bytes | Path]  # class, what errors call the picture, its bytes or file


def by_class(places: Sequence[str | Path], wanted: Collection[str] | None = None, size: int | None = None) -> Images:
    """The pictures of all ``places`` whose class is ``wanted`` (all, if not said), classes sorted by name.

    They are brought to ``size`` × ``size``; without it all must be of one size. Hidden files are passed over.
    Raises PncError for a place that is missing or damaged, and where there is no picture of a wanted class.
    """
    found = [each for place in places for each in _read(Path(place), wanted)]
    names = tuple(sorted({kind for kind, _, _ in found}))
    if not names:
        there = "none" if wanted is None else f"none of {', '.join(sorted(wanted))}"
        raise bad(", ".join(map(str, places)), expected="pictures of a class that is asked for", found=there)
    with extra("folder"):
        from pnc.data._decode import decode
    labels = torch.tensor([names.index(kind) for kind, _, _ in found])
    return Images(decode([(name, content) for _, name, content in found], size), labels, names)


def class_names(places: Sequence[str | Path]) -> tuple[str, ...]:
    """The classes that ``places`` have pictures of, sorted. Raises as ``by_class``."""
    return tuple(sorted({kind for place in places for kind, _, _ in _read(Path(place), None)}))


def _read(place: Path, wanted: Collection[str] | None) -> list[Labelled]:
    if place.is_dir():
        return [each for kind in _visible(place) if kind.is_dir() for each in _folder(kind, wanted)]
    if not place.is_file():
        raise bad(str(place), expected="a folder with a folder for each class, or a Parquet file", found="neither")
    return _parquet(place, wanted)


def _folder(kind: Path, wanted: Collection[str] | None) -> list[Labelled]:
    if wanted is not None and kind.name not in wanted:
        return []
    if not (files := _visible(kind)):
        raise bad(str(kind), expected="at least one picture", found="an empty folder")
    return [(kind.name, str(file), file) for file in files]


def _parquet(file: Path, wanted: Collection[str] | None) -> list[Labelled]:
    with extra("parquet"):
        from pnc.data._arrow import read_shard
    shard = read_shard(file, str(file))
    rows = enumerate(zip(shard.labels, shard.pictures, strict=True))
    named = [(shard.class_names[label], f"{file}, row {row}", picture) for row, (label, picture) in rows]
    return [each for each in named if wanted is None or each[0] in wanted]


def _visible(place: Path) -> list[Path]:
    return sorted(path for path in place.iterdir() if not path.name.startswith("."))
