"""A suite of the benchmark: its params.yaml, typed, and where its artefacts lie. No torch is imported here.

A data set is a suite. It names networks, tasks, variants and methods; grids say which of them meet, and each meeting
is one stage whose artefacts lie at a path made of those names. What is shown of them stands in tables.yaml, which a
stage that computes numbers never opens. The digits suite is in the project's root, every other one in ``suites``.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from pnc.base.errors import PncError, bad
from pnc.base.mapping import from_mapping

DEFAULT = "digits"
PARAMS, TABLES = "params.yaml", "tables.yaml"
SHOWN = ("tables", "figures")  # the keys of tables.yaml
READ: set[str] = set()  # every key that this process has asked for: a test holds stages to what they declare


@dataclass(frozen=True)
class NetworkEntry:
    """A network to train: ``classes`` are labels of the data set in the order of its outputs ("0-4": all of them),
    ``recipe`` is a name in ``recipes``, or one of its own.
    """

    arch: str
    classes: str | tuple[int, ...]
    recipe: str | dict[str, Any]
    width: float = 1.0

    @property
    def labels(self) -> tuple[int, ...]:
        return spelled_out(self.classes)


@dataclass(frozen=True)
class TaskEntry:
    """T_s: outputs of the source ("0-9": all of these), and the share of their pictures (None: ``samples.share``)."""

    classes: str | tuple[int, ...]
    share: float | None = None

    @property
    def outputs(self) -> tuple[int, ...]:
        return spelled_out(self.classes)


@dataclass(frozen=True)
class Variant:
    """Changes to the settings of a clone, the positions R to search (None: all), and whether PNC-F is wanted too."""

    clone: dict[str, Any] = field(default_factory=dict)
    positions: tuple[int, ...] | None = None
    finetune: bool = False


@dataclass(frozen=True)
class MethodEntry:
    """A baseline: its function in pnc.methods (None: of the same name), its regime and its own settings."""

    function: str | None = None
    regime: str = ""
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SequenceEntry:
    """Clones that one target gets after one another, each named SOURCE/TASK."""

    target: str
    steps: tuple[str, ...]

    @property
    def parts(self) -> list[tuple[str, str]]:
        """Source and task of each step."""
        return [_parts(step) for step in self.steps]

    @property
    def source(self) -> str:
        """How cells call its sources: each once, "sub2+sub3"."""
        return "+".join(dict.fromkeys(source for source, _ in self.parts))


@dataclass(frozen=True)
class Suite:
    """One suite; ``values`` is the params.yaml in its ``folder`` as plain values."""

    name: str
    values: dict[str, Any]
    folder: Path = Path()

    @cached_property
    def shown(self) -> dict[str, Any]:
        """Its tables.yaml, which is read when it is asked for."""
        return _load(self.folder / TABLES, SHOWN)

    def read(self, key: str) -> Any:
        """The value at a dotted key. Raises PncError naming the key and its neighbours."""
        READ.add(key)
        value: Any = self.shown if key.partition(".")[0] in SHOWN else self.values
        for depth, name in enumerate(parts := key.split("."), start=1):
            if not isinstance(value, dict) or name not in value:
                known = ", ".join(map(str, value)) if isinstance(value, dict) else type(value).__name__
                raise bad(f"{self.name}: {'.'.join(parts[:depth])}", expected=f"one of {known}", found=repr(name))
            value = value[name]
        return value

    def names(self, section: str) -> list[str]:
        """What a section lists, as texts; none without such a section."""
        return list(map(str, (self.shown if section in SHOWN else self.values).get(section) or ()))

    def entry(self, kind: type, key: str) -> Any:
        """The value at a dotted key as a ``kind`` of this module; an unknown key in it is refused by name."""
        return from_mapping(kind, self.read(key) or {}, f"{self.name}: {key}")

    @property
    def dataset(self) -> str:
        return str(self.read("dataset"))

    @property
    def seeds(self) -> list[str]:
        """Groups of seeds; those of a group, such as ``0_1_2``, share a process."""
        return [str(group) for group in self.read("seeds")]

    @property
    def at(self) -> Path:
        return Path("artifacts", self.name)

    @property
    def results(self) -> Path:
        return Path("results", self.name)

    def arch(self, network: str) -> str:
        return str(self.read(f"networks.{network}.arch"))

    def recipe(self, entry: NetworkEntry) -> dict[str, Any]:
        own: dict[str, Any] = self.read(f"recipes.{entry.recipe}") if isinstance(entry.recipe, str) else entry.recipe
        return own

    def stage(self, kind: str, *item: str) -> str:
        """How DVC calls one of this suite's stages."""
        file = "" if self.name == DEFAULT else f"suites/{self.name}/dvc.yaml:"
        return f"{file}{kind}@{'-'.join(item)}" if item else f"{file}{kind}"

    @contextmanager
    def rebuilt_by(self, stage: str, *item: str) -> Iterator[None]:
        """Errors about the artefact that is read meanwhile name the command that makes it anew."""
        try:
            yield
        except PncError as error:
            command = f"dvc repro --force --single-item {self.stage(stage, *item)}"
            raise PncError(f"{error}; to make it anew: {command}") from None

    def data(self, name: str) -> Path:
        return self.at / "data" / name

    def network(self, name: str, seeds: str) -> Path:
        return self.at / seeds / "networks" / name

    def local_models(self, source: str, seeds: str) -> Path:
        return self.at / seeds / "local_models" / source

    def clones(self, source: str, target: str, task: str, regime: str, seeds: str) -> Path:
        return self.at / seeds / "clones" / source / target / task / regime

    def ablated(self, grid: str, variant: str, source: str, target: str, task: str, regime: str, seeds: str) -> Path:
        return self.at / seeds / "ablated" / grid / variant / source / target / task / regime

    def scores(self, group: str, *item: str) -> Path:
        """A score file; the last of ``item`` is its group of seeds."""
        *outer, name, seeds = item
        return self.results.joinpath("scores", group, seeds, *outer, f"{name}.json")

    def score_files(self, table: str) -> list[Path]:
        """What a table may show: the scores of its own group and the main ones, of this suite's seeds."""
        groups = dict.fromkeys(("main", str(self.read(f"tables.{table}")["scores"])))
        folders = [self.results / "scores" / group for group in groups]
        found = [path for folder in folders for seeds in self.seeds for path in (folder / seeds).rglob("*.json")]
        return sorted(found)


def spelled_out(classes: str | tuple[int, ...]) -> tuple[int, ...]:
    """``"5-9"`` → (5, 6, 7, 8, 9); a tuple as it is."""
    if not isinstance(classes, str):
        return tuple(classes)
    first, _, last = classes.partition("-")
    if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last)):
        raise bad("classes", expected="a list of numbers, or FIRST-LAST", found=repr(classes))
    return tuple(range(int(first), int(last) + 1))


def _parts(step: str) -> tuple[str, str]:
    source, slash, task = step.partition("/")
    if not slash:
        raise bad("step of a sequence", expected="SOURCE/TASK", found=repr(step))
    return source, task


def seeds_of(group: str) -> list[int]:
    """``"0_1_2"`` → [0, 1, 2]."""
    try:
        return [int(seed) for seed in str(group).split("_")]
    except ValueError:
        raise bad("seeds", expected="numbers joined by _", found=repr(group)) from None


def suite_files() -> dict[str, Path]:
    """The params.yaml of every suite, by name."""
    others = {path.parent.name: path for path in sorted(Path("suites").glob(f"*/{PARAMS}"))}
    return {DEFAULT: Path(PARAMS), **others}


def load_suite(name: str) -> Suite:
    """Read one suite. Raises PncError for an unknown one, naming those that are there."""
    files = suite_files()
    if name not in files:
        raise bad("suite", expected=f"one of {', '.join(files)}", found=repr(name))
    return Suite(name, _load(files[name], ("dataset", "seeds")), files[name].parent)


def changed(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` with ``changes``; where both have a mapping, just the keys that the change names."""
    result = dict(values)
    for key, change in changes.items():
        old = result.get(key)
        result[key] = changed(old, change) if isinstance(old, dict) and isinstance(change, dict) else change
    return result


def _load(path: Path, needed: tuple[str, ...]) -> dict[str, Any]:
    try:
        values = yaml.load(path.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except FileNotFoundError:
        raise bad(str(path), expected="a file of parameters", found="no file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise bad(str(path), expected="YAML", found=f"{type(error).__name__} {error}") from None
    if not isinstance(values, dict) or not set(needed) <= values.keys():
        found = ", ".join(map(str, values)) if isinstance(values, dict) else repr(values)
        raise bad(str(path), expected=f"the keys {', '.join(needed)}", found=found)
    return values
