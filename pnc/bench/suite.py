"""A suite of the benchmark: its part of params.yaml, typed, and where its artefacts lie. No torch is imported here.

``params.yaml`` is cut along the stages, so that each stage can depend on just the keys that it reads.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pnc.errors import bad

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
    "seeds",
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
        """The classes cloned at each scale, as outputs of the source."""
        return self.values["scales"]

    @property
    def methods(self) -> dict[str, str]:
        """Methods that need no clone, with the regime that their samples belong to (empty: D_t or everything)."""
        return self.values["methods"]

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


def seeds_of(group: str) -> list[int]:
    """``"0_1_2"`` → [0, 1, 2]."""
    try:
        return [int(seed) for seed in str(group).split("_")]
    except ValueError:
        raise bad("seeds", expected="numbers joined by _", found=repr(group)) from None


def load_suite(name: str, path: str | Path = "params.yaml") -> Suite:
    """Read one suite. Raises PncError for an unknown suite or key, naming the known ones."""
    try:
        suites = yaml.safe_load(Path(path).read_text())["suites"]
    except FileNotFoundError:
        raise bad(str(path), expected="a file of parameters", found="no file") from None
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise bad(str(path), expected="YAML with a key 'suites'", found=f"{type(error).__name__} {error}") from None
    if name not in suites:
        raise bad("suite", expected=f"one of {', '.join(sorted(suites))}", found=repr(name))
    found = set(suites[name])
    if found != KEYS:
        wrong = f"unknown {sorted(found - KEYS)}, missing {sorted(KEYS - found)}"
        raise bad(f"suites.{name}", expected=f"the keys {sorted(KEYS)}", found=wrong)
    return Suite(name, suites[name])


def expected_scores(suite: Suite) -> list[Path]:
    """The score files that params.yaml asks for; others may linger in the folder."""
    return list(_expected(suite))


def _expected(suite: Suite) -> Iterator[Path]:
    for seeds in suite.values["seeds"]:
        for scale in suite.scales:
            for method in suite.methods:
                yield suite.scores("baseline", method, scale, seeds)
            for regime in suite.values["regimes"]:
                yield suite.scores("evaluate", scale, regime, seeds)
                yield suite.scores("ablate", scale, regime, seeds)
