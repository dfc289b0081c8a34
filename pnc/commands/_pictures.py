"""Labelled pictures for a network, from folders and Parquet files that name classes as the network does."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from pnc.base.errors import bad
from pnc.base.images import Images
from pnc.data.by_class import by_class


def read_pictures(
    places: Sequence[Path], outputs: Mapping[str, int], names: Sequence[str], size: int | None, channels: int
) -> Images:
    """The pictures of the classes in ``outputs`` (class in the files → output), labelled with the output.

    ``names`` are those of all outputs. Raises PncError for files that are missing or damaged, without pictures of
    these classes, or with colours that ``channels`` = 1 would lose.
    """
    found = by_class(places, set(outputs), size).with_channels(channels)
    label = torch.tensor([outputs[name] for name in found.class_names])
    return Images(found.pixels, label[found.labels], tuple(names))


def numbered(names: Sequence[str]) -> dict[str, int]:
    """Class → output, for files that call every class as the network does."""
    return {name: output for output, name in enumerate(names)}


def read_classes(items: Sequence[str], known: tuple[str, ...] | None, count: int) -> dict[int, str]:
    """``--classes``: names or outputs of the source, each perhaps with a new name (3=owl), as output → name.

    What is a name is one, and a number otherwise. Raises PncError for what is neither, and for one that comes twice.
    """
    found: dict[int, str] = {}
    for item in items:
        text, _, new = (item, "", "") if item in (known or ()) else item.partition("=")
        output = _output(text, known, count)
        if output in found:
            raise bad("--classes", expected="each once", found=f"'{item}' again")
        found[output] = new or (known[output] if known else text)
    return found


def folder_names(classes: Mapping[int, str], known: tuple[str, ...] | None) -> dict[str, int]:
    """What the files may call each of ``classes``: its new name, the network's, or its number if that has none."""
    own = {known[output] if known else str(output): output for output in classes}
    return own | {name: output for output, name in classes.items()}


def _output(text: str, known: tuple[str, ...] | None, count: int) -> int:
    if known and text in known:
        return known.index(text)
    if text.isdecimal() and int(text) < count:
        return int(text)
    names = f" or one of {', '.join(known)}" if known else " (it names no classes)"
    raise bad("--classes", expected=f"outputs of the source, 0…{count - 1}{names}", found=f"'{text}'")
