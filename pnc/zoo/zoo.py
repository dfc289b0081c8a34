"""A zoo: networks and clones by name, at a place that fsspec reaches."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from pnc.arch import BlockNet, NetworkSpec, fingerprint, load_network, save_network
from pnc.base.errors import PncError, bad
from pnc.base.images import Images
from pnc.cloning.package import ClonePackage
from pnc.repairing import Damage, digests, find_damage
from pnc.zoo import _index
from pnc.zoo._index import Index, PackageEntry
from pnc.zoo._names import check_name
from pnc.zoo._place import LostError, MissingError, Place
from pnc.zoo.card import Card, Content
from pnc.zoo.signature import EACH, Signature, sign

CONFIG, README, BLOBS, SIGNATURES = "config.json", "README.md", "blobs", "signatures"
FOLDERS = {".lock", BLOBS, SIGNATURES, "models", "packages"}


class Zoo:
    """The zoo at ``location``: a folder, or any address that fsspec knows; http(s):// is read-only.

    ``cache`` is the folder for remote weights and signatures (by default PNC_CACHE or ~/.cache/pnc); what is read
    from it is checked by its SHA-256 each time. Every method raises PncError, one line, for a place that does not
    answer, an unknown name, and content that does not match its name or the index. Nothing that is there is changed.
    """

    def __init__(self, location: str | Path, cache: str | Path | None = None) -> None:
        self._place = Place(location, cache)
        self.location = self._place.name

    def __repr__(self) -> str:
        return f"Zoo({self.location!r})"

    def models(self) -> dict[str, Card]:
        """The card of every model, by name."""
        index = self._index()
        return {name: self._card(name, index) for name in sorted(index.models)}

    def packages(self) -> dict[str, PackageEntry]:
        """Every clone, by name, but for those whose file is gone: they are revoked."""
        return {name: entry for name, entry in sorted(self._index().packages.items()) if self._package(name)}

    def show(self, name: str) -> Card:
        """The card of one model."""
        return self._card(name, self._index())

    def load(self, name: str) -> tuple[BlockNet, NetworkSpec]:
        """A model, in eval mode, and how it was built."""
        card = self.show(name)
        network, spec = load_network(self._weights(card))
        if (found := fingerprint(network)) != card.fingerprint or spec != card.spec:
            raise bad(f"model '{name}' of {self.location}", expected=f"the network {card.fingerprint}", found=found)
        return network, spec

    def weights(self, name: str) -> Path:
        """The file of a model's weights on this machine, as ``pnc.load_network`` reads it; its hash was checked."""
        return self._weights(self.show(name))

    def signature(self, name: str) -> Signature:
        """G of a model, without its weights. Raises PncError for one that was added without pictures."""
        card = self.show(name)
        if card.signature is None:
            raise bad(f"signature of model '{name}'", expected="one (add the model with samples)", found="none")
        return Signature.load(self._place.content(SIGNATURES, card.signature.sha256))

    def named(self, fingerprint: str) -> str:
        """The name of the model that a package calls ``fingerprint``."""
        for name, card in self.models().items():
            if card.fingerprint == fingerprint:
                return name
        raise bad(f"network in {self.location}", expected=f"one with the SHA-256 {fingerprint}", found="none")

    def entry(self, name: str) -> PackageEntry:
        """What the index says of a clone, be it revoked or not."""
        packages = self._index().packages
        if name not in packages:
            raise self._unknown("package", name, packages)
        return packages[name]

    def package(self, name: str) -> ClonePackage:
        """A clone, whole. Raises PncError for a damaged one (``damage`` says where), and for one that was revoked."""
        content = self._whole_package(name)
        with TemporaryDirectory() as folder:
            path = Path(folder, f"{name}.pnc")
            path.write_bytes(content)
            return ClonePackage.load(path)

    def package_file(self, name: str) -> Path:
        """The file of a clone on this machine: the zoo's own, or a copy of it. Raises as ``package``."""
        path = self._place.file(_package_path(name), self._whole_package(name))
        ClonePackage.load(path)
        return path

    def damage(self, name: str) -> Damage:
        """A clone as it is, and which of its tensors are damaged."""
        entry, content = self._entry_and_content(name)
        return find_damage(content, entry.digests)

    def add(
        self,
        name: str,
        network: BlockNet,
        spec: NetworkSpec,
        *,
        accuracy: float | None = None,
        dataset: str | None = None,
        samples: Images | None = None,
        each: int | None = EACH,
    ) -> Card:
        """Add a network, which ``spec`` must rebuild. The same again changes nothing; a taken name is refused.

        ``accuracy`` is in per cent, on ``dataset``. ``samples`` are pictures with the network's outputs as labels:
        with them there is a signature, around ``each`` of every class; these pictures become part of the zoo.
        """
        check_name(name, "model")
        if accuracy is not None and not 0 <= accuracy <= 100:
            raise bad(f"accuracy of model '{name}'", expected="per cent, 0…100", found=accuracy)
        own = fingerprint(network)
        contents = {BLOBS: _weights(network, spec, own)}
        if samples is not None:
            contents[SIGNATURES] = sign(network, spec, samples, each=each).content()
        named = {folder: _content(content) for folder, content in contents.items()}
        card = Card(
            name=name,
            spec=spec,
            fingerprint=own,
            weights=named[BLOBS],
            signature=named.get(SIGNATURES),
            accuracy=accuracy,
            dataset=dataset,
        )
        files = {README: card.readme(), CONFIG: card.config()}
        hashes = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
        with self._place.alone():
            index = self._index_or_new(name)
            if index.models.get(name) != hashes:
                _check_free(name, "model", index.models)
            for folder, content in contents.items():
                self._place.write_content(folder, named[folder].sha256, content)
            for file, content in files.items():
                self._place.write(_model_path(name, file), content)
            self._place.write(_index.PATH, Index({**index.models, name: hashes}, index.packages).content())
        return card

    def add_package(self, name: str, package: ClonePackage) -> PackageEntry:
        """Add a clone. The same again changes nothing; a taken name is refused unless its file is gone or damaged."""
        check_name(name, "package")
        with TemporaryDirectory() as folder:
            package.save(Path(folder, "package"))
            content = Path(folder, "package").read_bytes()
        info, own = package.info, _content(content)
        entry = PackageEntry(own.sha256, own.bytes, info.names, info.source, info.target, digests(content))
        with self._place.alone():
            index = self._index_or_new(name)
            there = self._package(name) if name in index.packages else None
            if there is None or _content(there).sha256 != index.packages[name].sha256:
                index.packages.pop(name, None)
            if index.packages.get(name) != entry:
                _check_free(name, "package", index.packages)
            self._place.write(_package_path(name), content)
            self._place.write(_index.PATH, Index(index.models, {**index.packages, name: entry}).content())
        return entry

    def verify(self) -> list[str]:
        """A line for each file that is missing, damaged, or not what its name or the index says; none if all is well.

        Content is read from the zoo itself, not from the cache. A package whose file is gone was revoked, which is
        no fault. Raises PncError if the zoo cannot be reached or has no index.
        """
        index = self._index()
        contents = self._listed_contents()
        faults = [*self._faults_of_models(index, contents), *self._faults_of_packages(index)]
        for folder, sha256 in contents:
            faults += self._faults(f"{folder}/sha256-{sha256}", sha256)
        return sorted({*faults})

    def _faults_of_models(self, index: Index, contents: set[tuple[str, str]]) -> Iterator[str]:
        """Those of small files; what their cards name is added to ``contents``."""
        for name, files in index.models.items():
            for file, expected in files.items():
                yield from self._faults(_model_path(name, file), expected)
            try:
                card = self._card(name, index)
            except LostError:
                raise
            except PncError as error:
                yield str(error)
                continue
            contents.add((BLOBS, card.weights.sha256))
            if card.signature is not None:
                contents.add((SIGNATURES, card.signature.sha256))

    def _faults_of_packages(self, index: Index) -> Iterator[str]:
        for name, entry in index.packages.items():
            if self._package(name) is not None:
                yield from self._faults(_package_path(name), entry.sha256)

    def _listed_contents(self) -> set[tuple[str, str]]:
        """Folder and SHA-256 of all content, be it named by a model or not, where the place can be listed."""
        found = [(folder, name) for folder in (BLOBS, SIGNATURES) for name in self._place.listed(folder)]
        return {(folder, name.removeprefix("sha256-")) for folder, name in found if name.startswith("sha256-")}

    def _faults(self, path: str, sha256: str) -> Iterator[str]:
        try:
            _check(self._place.read(path), sha256, f"{self.location}/{path}")
        except LostError:
            raise
        except PncError as error:
            yield str(error)

    def _index(self) -> Index:
        try:
            content = self._place.read(_index.PATH)
        except MissingError:
            raise bad(f"zoo {self.location}", expected="an index.json", found="none") from None
        return Index.read(content, f"{self.location}/{_index.PATH}")

    def _index_or_new(self, name: str) -> Index:
        """The index; an empty one where there is nothing yet but what an add of ``name`` that was cut short left."""
        try:
            return self._index()
        except LostError:
            raise
        except PncError:
            there = [set(self._place.listed(folder)) for folder in ("", "models", "packages")]
            if not (there[0] <= FOLDERS and there[1] <= {name} and there[2] <= {f"{name}.pnc"}):
                raise
            return Index()

    def _card(self, name: str, index: Index) -> Card:
        if name not in index.models:
            raise self._unknown("model", name, index.models)
        path = _model_path(name, CONFIG)
        content = self._place.read(path)
        _check(content, index.models[name].get(CONFIG, ""), f"{self.location}/{path}")
        card = Card.read(content, f"{self.location}/{path}")
        if card.name != name:
            raise bad(f"{self.location}/{path}", expected=f"the model '{name}'", found=f"'{card.name}'")
        return card

    def _weights(self, card: Card) -> Path:
        return self._place.content(BLOBS, card.weights.sha256)

    def _entry_and_content(self, name: str) -> tuple[PackageEntry, bytes]:
        """Of a clone that is there, damaged or whole."""
        entry, content = self.entry(name), self._package(name)
        if content is None:
            raise bad(f"package '{name}' of {self.location}", expected="its file", found="none: it was revoked")
        return entry, content

    def _whole_package(self, name: str) -> bytes:
        entry, content = self._entry_and_content(name)
        _check(content, entry.sha256, f"{self.location}/{_package_path(name)}")
        return content

    def _package(self, name: str) -> bytes | None:
        """The file of a package; None if it is gone."""
        try:
            return self._place.read(_package_path(name))
        except MissingError:
            return None

    def _unknown(self, kind: str, name: str, known: Iterable[str]) -> PncError:
        names = f"one of {', '.join(sorted(known))}" if known else "one (there are none)"
        return bad(f"{kind} of the zoo {self.location}", expected=names, found=repr(name))


def _weights(network: BlockNet, spec: NetworkSpec, own: str) -> bytes:
    """The file of a network, once it has been read back as that very network, which is called ``own``."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "network")
        save_network(path, network, spec)
        again, _ = load_network(path)
        if (found := fingerprint(again)) != own:
            raise bad("network that was read back", expected=own, found=found)
        return path.read_bytes()


def _content(content: bytes) -> Content:
    return Content(hashlib.sha256(content).hexdigest(), len(content))


def _check(content: bytes, sha256: str, what: str) -> None:
    if (found := _content(content)).sha256 != sha256:
        raise bad(what, expected=f"the SHA-256 {sha256}", found=f"{found.bytes} bytes with {found.sha256}")


def _check_free(name: str, kind: str, taken: Iterable[str]) -> None:
    """Raise PncError for a name that is there, be it in other capitals, which some disks do not tell apart."""
    for other in taken:
        if other.lower() == name.lower():
            raise bad(f"name of a new {kind}", expected="one that the zoo does not have", found=repr(other))


def _model_path(name: str, file: str) -> str:
    return f"models/{name}/{file}"


def _package_path(name: str) -> str:
    return f"packages/{name}.pnc"
