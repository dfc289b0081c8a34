"""Picture files sorted into folders: ROOT/DATASET/train/CLASS/*.png and ROOT/DATASET/test/CLASS/*.png.

Without ``dataset``, ROOT/train and ROOT/test. Any format that Pillow reads; hidden files are passed over.
"""

from pathlib import Path

import torch

from pnc.base.errors import bad
from pnc.base.images import Images
from pnc.data._extra import extra
from pnc.data._registry import DataSpec, Split, data_source, dataset_folder


@data_source("folder")
def folder(spec: DataSpec, split: Split, root: Path | None) -> Images:
    """Read one split. Classes are the folders of both splits, sorted by name, so that labels agree between them.

    Raises PncError for a missing split, a class folder without pictures, or a damaged picture.
    """
    with extra("folder"):
        from pnc.data._decode import decode
    place = dataset_folder(spec, root)
    if not (place / split).is_dir():
        found = ", ".join(path.name for path in _visible(place)) or "an empty folder"
        raise bad(str(place), expected=f"a folder '{split}'", found=found)
    names = tuple(sorted({path.name for side in ("train", "test") for path in _class_folders(place / side)}))
    files = [(path, names.index(kind.name)) for kind in _class_folders(place / split) for path in _pictures(kind)]
    if not files:
        raise bad(str(place / split), expected="a folder of pictures for each class", found="none")
    labels = torch.tensor([label for _, label in files])
    return Images(decode([(str(path), path) for path, _ in files], spec.resolution), labels, names)


def _class_folders(place: Path) -> list[Path]:
    return [path for path in _visible(place) if path.is_dir()] if place.is_dir() else []


def _pictures(kind: Path) -> list[Path]:
    found = _visible(kind)
    if not found:
        raise bad(str(kind), expected="at least one picture", found="an empty folder")
    return found


def _visible(place: Path) -> list[Path]:
    return sorted(path for path in place.iterdir() if not path.name.startswith("."))
