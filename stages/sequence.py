"""Attach clones to one target, one after another, test it after each on all classes that it has by then; then take
them out again, the last one first."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bench.work.cli import run
from bench.work.scored import Record, write_scores
from bench.work.store import SETTINGS, Store, class_names, of_names
from bench.work.suite import SequenceEntry, Suite, seeds_of
from pnc.arch import BlockNet
from pnc.base.errors import bad
from pnc.base.evaluate import joint, predict, scores
from pnc.base.files import read_json
from pnc.base.images import as_float
from pnc.cloned.model import ClonedModel, attach
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
    sources = [store.network(step.source, seeds, seed)[0] for step in steps]
    packages = [step.package(seed) for step in steps]
    alone = list(_states(network, sources, packages))
    across = [model.calibrated(joint=True) for model in alone]
    sizes = list(_sizes(network, sources, packages, alone, store.test.pixels[:1]))
    for method, states in zip(METHODS, (alone, across), strict=True):
        recovered = _recovered(network, states, store.test.pixels)
        groups, averages = [of_names(store.test, class_names(network))[0]], list[float]()
        for number, (model, package) in enumerate(zip(states, packages, strict=True), start=1):
            groups.append(of_names(store.test, package.info.names)[0])
            values = scores(joint(model, network.classes), *groups)
            averages.append(values["avg"])
            values |= {"acc_final": values["avg"], "acc_mean": sum(averages) / len(averages)}
            values |= {"recoverable": recovered[number - 1], **sizes[number - 1]}
            at = {"method": method, "at": str(number)}
            yield from ({**at, "metric": metric, "value": value} for metric, value in values.items())


def _states(network: nn.Module, sources: list[BlockNet], packages: list[ClonePackage]) -> Iterator[ClonedModel]:
    """The target after each step."""
    model: nn.Module = network
    for source, package in zip(sources, packages, strict=True):
        model = attach(model, source, package)
        yield model


def _recovered(network: nn.Module, states: list[ClonedModel], pixels: Tensor) -> list[int]:
    """For each step, 1 if what there was before it comes back once it is taken out, bit for bit; else 0.

    Packages leave the last of ``states`` one by one, the last one first ("Recov." of the supplement's Table 6).
    """
    model, found = states[-1], list[int]()
    for package, earlier in zip(states[-1].packages[::-1], [*states[-2::-1], network], strict=True):
        left = model.detach(package)
        found.append(int(torch.equal(predict(left, pixels), predict(earlier, pixels))))
        if isinstance(left, ClonedModel):
            model = left
    return found[::-1]


def _sizes(
    network: BlockNet,
    sources: list[BlockNet],
    packages: list[ClonePackage],
    states: list[ClonedModel],
    example: Tensor,
) -> Iterator[dict[str, float]]:
    """Parameters after each step: as the paper counts them, as they are stored, and what is new in the packages.

    The paper counts the filters of the source that M keeps, whole; cut down, they also lose the inputs that M drops.
    """
    own = _numel(*network.parameters())
    kept = new = 0
    for source, package, model in zip(sources, packages, states, strict=True):
        layers = nn.ModuleDict({str(index): block for index, block in enumerate(source.blocks)})
        kept += sum(_numel(layers.get_parameter(f"{name}.weight")[mask]) for name, mask in package.masks.items())
        new += _numel(*package.adapter.values(), *package.rows.values(), *package.constants.values())
        stored = _numel(*model.sliced(as_float(example)).parameters())
        counts = {"params_m": own + kept + new, "stored_params_m": stored}
        yield {name: count / 1e6 for name, count in counts.items()} | {"extra_params": new / own}


def _numel(*tensors: Tensor) -> int:
    return sum(tensor.numel() for tensor in tensors)


if __name__ == "__main__":
    run(main, "sequence", "regime", "seeds")
