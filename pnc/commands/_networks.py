"""Networks as the command line names them.

FILE                     a network that pnc.save_network wrote
torchvision:NAME@FILE    torchvision's NAME with the weights in FILE, behind the preprocessing of its own weights
timm:NAME@FILE           timm's NAME, likewise
zoo:NAME@ZOO             the network NAME of a zoo (pnc zoo), a folder or an address

The two in between may go on with ,KEY=VALUE for networks that were trained otherwise: ``names`` is a file with a line
for each class, ``size`` the side of the pictures, ``mean`` and ``std`` are numbers by channel, 0.5/0.5/0.5.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from pnc.arch import BlockNet, load_network
from pnc.base.errors import bad
from pnc.commands._checkpoints import load_checkpoint
from pnc.wrapping.wrap import wrap
from pnc.zoo.reference import model_file

Move = Callable[[Path], Path]
LIBRARIES = ("torchvision", "timm")
OPTIONS = ("mean", "names", "size", "std")
FORMS = "a file that pnc.save_network wrote, torchvision:NAME@FILE or timm:NAME@FILE"


@dataclass(frozen=True)
class Reference:
    """Which network: of a ``library`` by ``name``, or pnc's own (both None), with the weights in ``path``."""

    path: Path
    library: str | None = None
    name: str | None = None
    options: tuple[tuple[str, str], ...] = ()

    @staticmethod
    def parse(text: str) -> "Reference":
        """Raises PncError for a text of no known form, or an option that there is not."""
        library, colon, rest = text.partition(":")
        if not colon or library not in LIBRARIES:
            return Reference(Path(text))
        name, _, place = rest.partition("@")
        path, *pairs = place.split(",")
        if not name or not path:
            expected = f"{library}:NAME@FILE, with the file of its weights"
            raise bad(f"network '{text}'", expected=expected, found="no name" if not name else "no file")
        options = tuple((key, value) for key, _, value in (pair.partition("=") for pair in pairs))
        for key, value in options:
            if key not in OPTIONS or not value:
                expected = f"KEY=VALUE behind a comma, with a key out of {', '.join(OPTIONS)}"
                raise bad(f"network '{text}'", expected=expected, found=f"'{key}{'=' + value if value else ''}'")
        return Reference(Path(path), library, name, options)

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that makes the network."""
        return (self.path, *(Path(value) for key, value in self.options if key == "names"))

    def moved(self, move: Move) -> "Reference":
        """The same with every file at ``move(path)``."""
        options = tuple((key, str(move(Path(value))) if key == "names" else value) for key, value in self.options)
        return replace(self, path=move(self.path), options=options)

    def __str__(self) -> str:
        if self.library is None:
            return str(self.path)
        return ",".join([f"{self.library}:{self.name}@{self.path}", *map("=".join, self.options)])


@dataclass(frozen=True, eq=False)
class Network:
    """A network and which pictures it takes: ``size`` × ``size`` pixels (None: not known) and ``channels``.

    ``adapts``: it brings others to these by itself.
    """

    reference: Reference
    network: BlockNet
    size: int | None
    channels: int
    adapts: bool

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each output, its number where the network has none."""
        return self.network.class_names or tuple(map(str, range(self.network.classes)))


def read_network(reference: str | Reference, device: str = "cpu") -> Network:
    """Raises PncError, one line, for a file that is missing or does not hold the network, and for other forms."""
    chosen = Reference.parse(model_file(reference)) if isinstance(reference, str) else reference
    if not chosen.path.is_file():
        raise bad(f"network '{chosen}'", expected=FORMS, found=f"no file {chosen.path}")
    wanted = device_named(device)
    found = _own(chosen) if chosen.library is None else _foreign(chosen)
    return replace(found, network=found.network.to(wanted))


def picture_kind(networks: list[Network], asked: int | None) -> tuple[int | None, int]:
    """Side (``asked``, if said) and channels of pictures for all of ``networks``: of one that takes no others."""
    fixed = [each for each in networks if not each.adapts]
    sides = [each.size for each in fixed or networks if each.size is not None]
    side = max(sides, default=None) if asked is None else asked
    return side, max((each.channels for each in fixed), default=3)


def device_named(name: str) -> torch.device:
    try:
        torch.empty(0, device=name)
        return torch.device(name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise bad("--device", expected="a device that is here, cpu or cuda", found=f"'{name}' ({reason})") from None


def _own(chosen: Reference) -> Network:
    suffix = chosen.path.suffix.lower()
    if suffix == ".pt2":
        found = "an exported program: its convolutions are bare operations, not layers with filters to choose among"
        raise bad(str(chosen), expected=FORMS, found=found)
    if suffix in (".pth", ".pt", ".bin", ".ckpt", ".tar"):
        raise bad(str(chosen), expected=FORMS, found="a checkpoint, without a word of which network it is of")
    network, spec = load_network(chosen.path)
    return Network(chosen, network, spec.size, spec.channels, adapts=False)


def _foreign(chosen: Reference) -> Network:
    options = dict(chosen.options)
    model, usual = load_checkpoint(str(chosen.library), str(chosen.name), chosen.path)
    size = None if "size" not in options else _numbers(chosen, "size", options["size"], r"\d+")[0]
    normalise: Mapping[str, Any] = usual
    for key in ("mean", "std"):
        if key in options:
            normalise = {**normalise, key: _numbers(chosen, key, options[key], r"\d*\.?\d+(/\d*\.?\d+)*")}
    names = _lines(Path(options["names"])) if "names" in options else None
    network = wrap(model, normalise=normalise, size=None if size is None else int(size), names=names)
    spec = network.preprocessing
    side = spec.size[0] if spec.size is not None and spec.size[0] == spec.size[1] else None
    return Network(chosen, network, side, len(spec.mean), adapts=True)


def _numbers(chosen: Reference, key: str, text: str, form: str) -> list[float]:
    if not re.fullmatch(form, text):
        raise bad(f"{key} of '{chosen}'", expected="a number" if key == "size" else "0.5/0.5/0.5", found=text)
    return [float(part) for part in text.split("/")]


def _lines(file: Path) -> list[str]:
    """A name a line."""
    try:
        return [line.strip() for line in file.read_text().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no text"
        raise bad(str(file), expected="a file with a name for each class, one a line", found=reason) from None


def relative_to(folder: Path) -> Move:
    """A function from paths to those paths as seen from ``folder``."""
    return lambda path: Path(os.path.relpath(path, folder))
