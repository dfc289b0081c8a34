"""Which packages the clones of a pair have left: of the grid main at every R, of others at each seed's R*."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from bench.work.makers import FOLDERS
from bench.work.measure import BEST
from bench.work.store import SETTINGS
from bench.work.suite import Suite, seeds_of
from pnc.base.files import read_json
from pnc.cloning.package import ClonePackage

GRIDS = ("unmasked", "kept")  # beside main: the kept fractions
Names = tuple[str, ...]


@dataclass(frozen=True)
class Pair:
    """A source and a target by their names, with a group of seeds."""

    source: str
    target: str
    seeds: str


@dataclass(frozen=True)
class Left:
    """A package's file, and what scores of it say of themselves; ``at`` are the position R and, if it is R*, "best".

    ``stage`` is what made it, and the item that it is of.
    """

    task: str
    regime: str
    variant: str
    seed: int
    at: Names
    path: Path
    stage: Names

    @property
    def own(self) -> Names:
        """Where its scores belong, those of all seeds and positions together."""
        return (self.variant or "clones", self.task, self.regime)

    @property
    def settings(self) -> dict[str, Any]:
        """All that it was made with, the networks aside."""
        found: dict[str, Any] = read_json(self.path.with_name(SETTINGS))
        return found

    def load(self) -> ClonePackage:
        return ClonePackage.load(self.path)


def left(suite: Suite, pair: Pair) -> list[Left]:
    """Those that are there: what no stage has made yet is passed over."""
    found = [*_main(suite, pair), *(each for grid in GRIDS for each in _ablated(suite, grid, pair))]
    return [each for each in found if each.path.is_file()]


def _main(suite: Suite, pair: Pair) -> Iterator[Left]:
    grid = suite.read("grids.main")
    for task, regime in _meetings(grid, pair, "task", "regime"):
        folder = suite.clones(pair.source, pair.target, task, regime, pair.seeds)
        with suite.rebuilt_by("select", pair.source, pair.target, task, regime, pair.seeds):
            chosen = read_json(path) if (path := folder / "chosen.json").is_file() else {}
        for position, seed in product(map(int, grid["R"]), seeds_of(pair.seeds)):
            best = chosen.get(str(seed), {}).get("position") == position
            path = folder / "at" / f"R{position}" / f"seed{seed}.pnc"
            stage = ("localize_insert", pair.source, pair.target, task, regime, str(position), pair.seeds)
            yield Left(task, regime, "", seed, (str(position), *[BEST] * best), path, stage)


def _ablated(suite: Suite, name: str, pair: Pair) -> Iterator[Left]:
    group = FOLDERS.get(name, name)
    for variant, task, regime in _meetings(suite.read(f"grids.{name}"), pair, "variant", "task", "regime"):
        item = (group, variant, pair.source, pair.target, task, regime, pair.seeds)
        for seed in seeds_of(pair.seeds):
            path = suite.ablated(*item) / f"seed{seed}.pnc"
            yield Left(task, regime, variant, seed, (BEST,), path, (f"ablate_{name}", *item))


def _meetings(grid: Mapping[str, list[Any]], pair: Pair, *keys: str) -> Iterator[Names]:
    """Of a grid that has the pair in it."""
    there = pair.source in map(str, grid["source"]) and pair.target in map(str, grid["target"])
    return product(*(map(str, grid[key]) for key in keys)) if there else iter(())
