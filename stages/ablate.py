"""A variant of the settings, another pair or another task: clone at all of its R in one pass, choose R*, evaluate."""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.work.cli import run
from bench.work.experiment import Experiment
from bench.work.measure import Clones
from bench.work.scored import Record, write_scores
from bench.work.scratch import scratch
from bench.work.store import SETTINGS, Store
from bench.work.suite import Variant, seeds_of
from pnc.base.files import write_json
from pnc.base.mapping import from_mapping
from pnc.base.train import Schedule
from pnc.cloning.search import converged_losses
from pnc.cloning.selection import best_position


def main(arguments: argparse.Namespace) -> None:
    """Train and measure one variant of one clone for a group of seeds; ``--grid`` is the folder for its scores."""
    store = Store.open(arguments.suite)
    suite = store.suite
    variant: Variant = suite.entry(Variant, f"variants.{arguments.variant}")
    names = (arguments.source, arguments.target, arguments.task, arguments.regime, arguments.seeds)
    experiments = [Experiment(store, *names, seed) for seed in seeds_of(arguments.seeds)]
    cloned = experiments[0].plain(variant.clone)
    finetune = {"finetune": suite.read("finetune")} if variant.finetune else {}
    folder = suite.ablated(arguments.grid, arguments.variant, *names)
    found: list[Record] = []
    with scratch("ablate", vars(arguments), cloned, variant, finetune) as unfinished:
        for experiment in experiments:
            clones = _clones(experiment, variant, arguments.variant, unfinished)
            clones.packages[clones.chosen].save(folder / f"seed{experiment.seed}.pnc")
            found += _measured(clones, finetune, cloned["clone"], unfinished)
    write_json(folder / SETTINGS, cloned)
    settings = {**experiments[0].made_with, **cloned, **finetune}
    write_scores(suite.scores(arguments.grid, arguments.variant, *names), found, settings)


def _clones(experiment: Experiment, variant: Variant, name: str, unfinished: Path) -> Clones:
    packages = experiment.packages(unfinished, variant.positions, variant.clone)
    losses = converged_losses(packages)
    shown = name if variant.clone else ""  # nothing changed: as chosen
    return Clones(experiment, packages, losses, best_position(losses), shown)


def _measured(
    clones: Clones, finetune: dict[str, dict[str, float]], own: Mapping[str, Any], unfinished: Path
) -> Iterator[Record]:
    yield from clones.measure()
    if finetune:
        schedule = from_mapping(Schedule, finetune["finetune"], "finetune")
        yield from clones.measure_finetuned(schedule, own, unfinished)


if __name__ == "__main__":
    run(main, "grid", "variant", "source", "target", "task", "regime", "seeds")
