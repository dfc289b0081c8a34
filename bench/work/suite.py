"""A suite of the benchmark: its part of params.yaml, typed, and where its artefacts lie. No torch is imported here.

``params.yaml`` is cut along the stages, so that each stage can depend on just the keys that it reads.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import yaml

from pnc.base.errors import bad

KEYS = {
    "dataset",
    "data",
    "networks",
    "pretrain",
    "samples",
    "scales",
    "regimes",
    "local_models",
    "clone",
    "positions",
    "finetune",
    "methods",
    "sensitivity",
    "seeds",
}
_INNER = {  # where no stage would notice a wrong key by name
    "networks": {"source", "target"},
    "networks.source": {"arch", "width"},
    "networks.target": {"arch", "width"},
    "samples": {"share", "held_out"},
    "local_models": {"ridge", "neighbourhood"},
    "sensitivity": {"position", "readings"},
}


@dataclass(frozen=True)
class Suite:
    """One suite; ``values`` is its part of params.yaml as plain values."""

    name: str
    values: dict[str, Any]

    @property
    def dataset(self) -> str:
        return self.values["dataset"]

    @property
    def source_arch(self) -> str:
        return self.values["networks"]["source"]["arch"]

    @property
    def target_arch(self) -> str:
        return self.values["networks"]["target"]["arch"]

    @property
    def scales(self) -> dict[str, list[int]]:
        """The classes cloned at each scale, as outputs of the source; the mean of S0, S1, … is reported as S."""
        return self.values["scales"]

    @property
    def methods(self) -> dict[str, str]:
        """Methods that need no clone, with the regime that their samples belong to (empty: D_t or everything)."""
        return self.values["methods"]

    @property
    def readings(self) -> dict[str, dict[str, Any]]:
        """For the sensitivity table: changes to the settings of a clone, by name."""
        return self.values["sensitivity"]["readings"]

    @property
    def positions(self) -> list[int]:
        return self.values["positions"]

    @property
    def folder(self) -> Path:
        return Path("artifacts") / self.name

    def data(self, split: str) -> Path:
        return self.folder / "data" / f"{split}.safetensors"

    def network(self, role: str, seed: int) -> Path:
        return self.folder / "networks" / f"{role}-{self.group(seed)}" / f"seed{seed}.safetensors"

    def local_models(self, scale: str, seed: int) -> Path:
        return self.folder / "local_models" / f"{scale}-{self.group(seed)}" / f"seed{seed}.safetensors"

    def clones(self, scale: str, regime: str, seeds: str) -> Path:
        return self.folder / "clones" / f"{scale}-{regime}-{seeds}"

    def package(self, scale: str, regime: str, position: int, seed: int) -> Path:
        return self.clones(scale, regime, self.group(seed)) / f"R{position}" / f"seed{seed}.pnc"

    def selection(self, scale: str, regime: str, seeds: str) -> Path:
        return self.folder / "selected" / f"{scale}-{regime}-{seeds}.json"

    def scores(self, stage: str, *item: str) -> Path:
        return self.folder / "scores" / stage / f"{'-'.join(item)}.json"

    def group(self, seed: int) -> str:
        """The group of seeds that one process works through, named ``0_1_2`` in params.yaml."""
        for group in self.values["seeds"]:
            if seed in seeds_of(group):
                return group
        raise bad("seed", expected=f"one of the groups {self.values['seeds']}", found=seed)

    def check(self, item: Mapping[str, str]) -> None:
        """Raise PncError for a role, method, reading, scale, regime, position R or seeds that the suite lacks."""
        known: dict[str, Iterable[Any]] = {
            "role": self.values["networks"],
            "method": self.methods,
            "scale": self.scales,
            "reading": self.readings,
            "regime": self.values["regimes"],
            "position": self.positions,
            "seeds": self.values["seeds"],
        }
        for name in filter(item.__contains__, known):
            choices = list(map(str, known[name]))
            if item[name] not in choices:
                where = f"{name} of the suite '{self.name}'"
                raise bad(where, expected=f"one of {', '.join(choices)}", found=repr(item[name]))


def seeds_of(group: str) -> list[int]:
    """``"0_1_2"`` → [0, 1, 2]."""
    try:
        return [int(seed) for seed in str(group).split("_")]
    except ValueError:
        raise bad("seeds", expected="numbers joined by _", found=repr(group)) from None


def load_suite(name: str, path: str | Path = "params.yaml") -> Suite:
    """Read one suite. Raises PncError for an unknown suite or key, naming the known ones."""
    try:
        suites = dict(yaml.safe_load(Path(path).read_text())["suites"])
    except FileNotFoundError:
        raise bad(str(path), expected="a file of parameters", found="no file") from None
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise bad(str(path), expected="YAML with a key 'suites'", found=f"{type(error).__name__} {error}") from None
    if name not in suites:
        raise bad("suite", expected=f"one of {', '.join(sorted(suites))}", found=repr(name))
    values, where = suites[name], f"suites.{name}"
    _check_keys(values, KEYS, where)
    for inner, keys in _INNER.items():
        _check_keys(reduce(getitem, inner.split("."), values), keys, f"{where}.{inner}")
    _check_scales(values["scales"], f"{where}.scales")
    return Suite(name, values)


def scale_of(name: str) -> str:
    """``"S3"`` → ``"S"``: experiments that differ in their classes alone are one scale."""
    return name.rstrip("0123456789")


def _check_scales(scales: Any, where: str) -> None:
    if not isinstance(scales, dict) or not {scale_of(str(name)) for name in scales} <= {"S", "M"}:
        raise bad(where, expected="classes by scale: S or S0, S1, …, and M likewise", found=repr(scales))


def _check_keys(values: Any, keys: set[str], where: str) -> None:
    if not isinstance(values, dict):
        raise bad(where, expected=f"the keys {sorted(keys)}", found=repr(values))
    found = set(map(str, values))
    if found != keys:
        wrong = f"unknown {sorted(found - keys)}, missing {sorted(keys - found)}"
        raise bad(where, expected=f"the keys {sorted(keys)}", found=wrong)


def expected_scores(suite: Suite) -> list[Path]:
    """The score files that params.yaml asks for; others may linger in the folder."""
    return list(_expected(suite))


def _expected(suite: Suite) -> Iterator[Path]:
    for seeds in suite.values["seeds"]:
        for scale in suite.scales:
            for method in suite.methods:
                yield suite.scores("baseline", method, scale, seeds)
            for reading in suite.readings:
                yield suite.scores("sensitivity", reading, scale, seeds)
            for regime in suite.values["regimes"]:
                yield suite.scores("evaluate", scale, regime, seeds)
                yield suite.scores("ablate", scale, regime, seeds)
