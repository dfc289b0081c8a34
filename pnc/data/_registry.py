"""Data sources by name: one file, one registered loader each."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from pnc.base.errors import bad
from pnc.base.images import Images
from pnc.base.registry import Registry

ROOT_VARIABLE = "PNC_DATA"
Split = Literal["train", "test"]


@dataclass(frozen=True)
class DataSpec:
    """Which pictures to load.

    ``source`` is a registered source and ``dataset`` the name of a data set there (see each source);
    pictures are brought to ``resolution`` × ``resolution`` pixels, and grey ones to RGB by ``channels`` = 3; None
    keeps what is found.
    """

    source: str
    dataset: str | None = None
    resolution: int | None = 32
    channels: int | None = None

    def __post_init__(self) -> None:
        if self.resolution is not None and self.resolution < 1:
            raise bad(
                "resolution of the pictures", expected="a positive number of pixels or None", found=self.resolution
            )
        if self.channels not in (None, 1, 3):
            raise bad("channels of the pictures", expected="1, 3 or None", found=self.channels)


Loader = Callable[[DataSpec, Split, Path | None], Images]
SOURCES: Registry[Loader] = Registry("data source", "pnc.data")
data_source = SOURCES.register


def load(spec: DataSpec, split: Split, root: str | Path | None = None) -> Images:
    """The pictures of one split, on the CPU.

    ``root`` is the folder that holds the data; by default the environment variable PNC_DATA names it.
    Raises PncError for an unknown source, data set or split, and for data that are missing or damaged.
    """
    if split not in get_args(Split):
        raise bad("split", expected=f"one of {', '.join(get_args(Split))}", found=repr(split))
    loader = SOURCES.get(spec.source)
    place = root if root is not None else os.environ.get(ROOT_VARIABLE) or None
    images = loader(spec, split, None if place is None else Path(place).expanduser())
    if spec.resolution is not None:
        images = images.resized(spec.resolution)
    return images if spec.channels is None else images.with_channels(spec.channels)


def root_folder(root: Path | None) -> Path:
    """``root``, once it is known to be a folder. Raises PncError if it is not, or not given."""
    if root is None:
        raise bad("folder of the data", expected=f"a path in {ROOT_VARIABLE} or as root", found="neither")
    if not root.is_dir():
        raise bad(str(root), expected="the folder of the data", found="no such folder")
    return root


def dataset_folder(spec: DataSpec, root: Path | None) -> Path:
    """The data set's own folder: ROOT/DATASET, or ROOT where no data set is named.

    Raises PncError listing the folders there are.
    """
    place = root_folder(root)
    folder = place / (spec.dataset or "")
    if not folder.is_dir():
        found = ", ".join(sorted(path.name for path in place.iterdir() if path.is_dir())) or "no folders"
        raise bad(str(place), expected=f"a data set '{spec.dataset}'", found=found)
    return folder
