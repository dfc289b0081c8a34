"""Attach clones to one target, one after another, and test it after each on all classes that it has by then."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from bench.work.cli import run
from bench.work.measure import Record, write_scores
from bench.work.store import SETTINGS, Store, class_names, of_names
from bench.work.suite import SequenceEntry, Suite, seeds_of
from pnc.base.errors import bad
from pnc.base.evaluate import joint, scores
from pnc.base.files import read_json
from pnc.cloned.model import attach
from pnc.cloning.package import ClonePackage

METHODS = ("pnc", "pnc_joint")  # each package calibrated against the target alone, and across packages
# The grids whose clones are made with the settings as chosen, besides ``main``, and the folder that each shares.
GRIDS = {"rest": "main", "steps": "steps", "substeps": "steps"}


def main(arguments: argparse.Namespace) -> None:
    """Measure one sequence in one regime for a group of seeds.

    Each clone is calibrated against the target alone; the method "pnc_joint" are the same clones with the offsets
    across packages (pnc.cloned.joint).
    """
    store, seeds = Store.open(arguments.suite), arguments.seeds
    entry: SequenceEntry = store.suite.entry(SequenceEntry, f"sequences.{arguments.sequence}")
    steps = [Step(store, source, entry.target, task, arguments.regime, seeds) for source, task in entry.parts]
    own = {"source": entry.source, "target": entry.target, "task": arguments.sequence, "variant": ""}
    own |= {"regime": arguments.regime}
    found = [
        {**own, **measured, "seed": seed}
        for seed in seeds_of(seeds)
        for measured in _measured(store, entry.target, steps, seeds, seed)
    ]
    path = store.suite.scores("sequences", arguments.sequence, arguments.regime, seeds)
    write_scores(path, found, {"steps": [step.settings for step in steps]})


@dataclass(frozen=True)
class Step:
    """A clone that another stage has trained: of ``main``, where R* was chosen, or of ``GRIDS``."""

    store: Store
    source: str
    target: str
    task: str
    regime: str
    seeds: str

    def package(self, seed: int) -> ClonePackage:
        stage, folder = self._trained(seed)
        with self._suite.rebuilt_by(*stage):
            return ClonePackage.load(folder / f"seed{seed}.pnc")

    @property
    def settings(self) -> dict[str, Any]:
        """All that it was made with."""
        stage, folder = self._trained(seeds_of(self.seeds)[0])
        with self._suite.rebuilt_by(*stage):
            cloned = read_json(folder / SETTINGS)
        return {**self.store.made_with({"source": self.source, "target": self.target}, self.seeds), **cloned}

    def _trained(self, seed: int) -> tuple[tuple[str, ...], Path]:
        """The stage that has made it, and where it lies."""
        names = (self.source, self.target, self.task, self.regime)
        if self._is_in("main"):
            folder = self._suite.clones(*names, self.seeds)
            with self._suite.rebuilt_by("select", *names, self.seeds):
                position = str(read_json(folder / "chosen.json")[str(seed)]["position"])
            return ("localize_insert", *names, position, self.seeds), folder / "at" / f"R{position}"
        for grid in [grid for grid in GRIDS if self._is_in(grid)]:
            variant = str(self._suite.read(f"grids.{grid}.variant")[0])
            stage = (f"ablate_{grid}", GRIDS[grid], variant, *names, self.seeds)
            return stage, self._suite.ablated(GRIDS[grid], variant, *names, self.seeds)
        expected = f"a clone for '{self.target}', {self.regime}, of a grid of {', '.join(('main', *GRIDS))}"
        raise bad("step of a sequence", expected=expected, found=f"{self.source}/{self.task}")

    def _is_in(self, grid: str) -> bool:
        names = {"source": self.source, "target": self.target, "task": self.task, "regime": self.regime}
        return all(name in map(str, self._suite.read(f"grids.{grid}")[key]) for key, name in names.items())

    @property
    def _suite(self) -> Suite:
        return self.store.suite


def _measured(store: Store, target: str, steps: list[Step], seeds: str, seed: int) -> Iterator[Record]:
    """A record for each step, calibration and metric; ``acc_mean`` is the mean of the averages after each step."""
    network, _ = store.network(target, seeds, seed)
    groups, averages = [of_names(store.test, class_names(network))[0]], {method: list[float]() for method in METHODS}
    cloned: nn.Module = network
    for number, step in enumerate(steps, start=1):
        package = step.package(seed)
        cloned = attach(cloned, store.network(step.source, seeds, seed)[0], package)
        groups.append(of_names(store.test, package.info.names)[0])
        for method, model in zip(METHODS, (cloned, cloned.calibrated(joint=True)), strict=True):
            values, so_far = scores(joint(model, network.classes), *groups), averages[method]
            so_far.append(values["avg"])
            values |= {"acc_final": values["avg"], "acc_mean": sum(so_far) / len(so_far)}
            at = {"method": method, "at": str(number)}
            yield from ({**at, "metric": metric, "value": value} for metric, value in values.items())


if __name__ == "__main__":
    run(main, "sequence", "regime", "seeds")
