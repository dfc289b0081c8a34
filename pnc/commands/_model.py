"""A target with clones beside it, as a small JSON file: networks, packages and the SHA-256 of every file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from pnc.arch import fingerprint
from pnc.base.errors import bad
from pnc.base.files import read_json, write_record
from pnc.cloned.model import ClonedModel, attach
from pnc.cloning.package import ClonePackage
from pnc.commands._networks import Network, Reference, read_network, relative_to
from pnc.commands._package import digest
from pnc.commands._pictures import numbered

KIND = "target with clones"


@dataclass(frozen=True, eq=False)
class Clone:
    """A package, the file that it is in, and the source that it was learned from."""

    path: Path
    package: ClonePackage
    source: Network


@dataclass(frozen=True, eq=False)
class Model:
    """``running`` is the target with ``clones`` attached in their order: a ClonedModel, or the target without any."""

    target: Network
    clones: tuple[Clone, ...]
    running: nn.Module

    @property
    def classes(self) -> tuple[str, ...]:
        """The target's own, then the cloned ones."""
        return self.target.names + tuple(name for clone in self.clones for name in clone.package.info.names)

    @property
    def outputs(self) -> dict[str, int]:
        """What pictures' classes may be called → output: ``classes``, and what sources call those that are cloned."""
        found, output = numbered(self.classes), len(self.target.names)
        for clone in self.clones:
            for own in clone.package.info.classes:
                found.setdefault(clone.source.names[own], output)
                output += 1
        return found

    @property
    def networks(self) -> list[Network]:
        return [self.target, *(clone.source for clone in self.clones)]


def attach_all(target: Network, sources: Sequence[Network], packages: Sequence[Path]) -> Model:
    """Plug every package in, each beside the one of ``sources`` that it was learned from.

    Raises PncError as ``pnc.attach``: for networks that no package was made for, and classes that come twice.
    """
    made_from = {fingerprint(source.network): source for source in sources}
    found = [(path, ClonePackage.load(path)) for path in packages]
    # For one that fits none, pnc.attach says so, with both hashes.
    return _model(target, [Clone(*each, made_from.get(each[1].info.source, sources[0])) for each in found])


def write_model(path: Path, target: Network, clones: Sequence[Clone]) -> None:
    """Write the JSON file; paths in it are seen from its folder, so that all can be moved together."""
    move = relative_to(path.parent)
    files = {file for network in [target, *(clone.source for clone in clones)] for file in network.reference.files}
    files |= {clone.path for clone in clones}
    record: dict[str, Any] = {
        "kind": KIND,
        "target": str(target.reference.moved(move)),
        "clones": [
            {"package": str(move(clone.path)), "source": str(clone.source.reference.moved(move))} for clone in clones
        ],
        "files": {str(move(file)): digest(file) for file in sorted(files)},
    }
    write_record(path, record)


def read_model(path: Path, device: str = "cpu") -> Model:
    """Read the JSON file and all that it names.

    Raises PncError for another file, and for one that it names and that is missing or was changed since.
    """
    record = read_json(path)
    if not isinstance(record, dict) or record.get("kind") != KIND:
        raise bad(str(path), expected="a file that pnc attach wrote", found="another JSON file")
    for name, expected in record["files"].items():
        _check(path.parent / name, expected)

    def network(text: str) -> Network:
        return read_network(Reference.parse(text).moved(lambda own: path.parent / own), device)

    sources = {text: network(text) for text in dict.fromkeys(clone["source"] for clone in record["clones"])}
    pairs = [(path.parent / clone["package"], sources[clone["source"]]) for clone in record["clones"]]
    clones = [Clone(file, ClonePackage.load(file), source) for file, source in pairs]
    return _model(network(record["target"]), clones)


def with_clones(running: nn.Module, what: str) -> ClonedModel:
    """``running``; ``what`` is what errors call it. Raises PncError for a target without clones."""
    if not isinstance(running, ClonedModel):
        raise bad(what, expected="at least one clone", found="the target alone")
    return running


def _model(target: Network, clones: Sequence[Clone]) -> Model:
    running: nn.Module = target.network
    for clone in clones:
        running = attach(running, clone.source.network, clone.package)
    return Model(target, tuple(clones), running)


def _check(file: Path, expected: str) -> None:
    if not file.is_file():
        raise bad(str(file), expected="the file that was attached", found="no file")
    if (found := digest(file)) != expected:
        raise bad(f"SHA-256 of {file}", expected=f"{expected}, as it was attached", found=found)
