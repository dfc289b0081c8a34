"""One reading of the paper in place of ours: clone with it at a fixed R, everything else as chosen, and evaluate."""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.report.cells import SENSITIVITY
from bench.work.cli import run
from bench.work.store import Bench, Record, Setting, checkpoint, scratch
from bench.work.suite import seeds_of
from pnc.cloning.local.local_models import LocalModels, fit_local_models
from pnc.cloning.search import search
from pnc.cloning.settings import CloneSettings


def main(arguments: argparse.Namespace) -> None:
    """Measure one reading at one scale, in the strict regime, for a group of seeds."""
    bench, scale = Bench.open(arguments.suite), arguments.scale
    changes = bench.suite.readings[arguments.reading]
    train, test = bench.images("train"), bench.images("test")
    records: list[Record] = []
    with scratch("sensitivity", vars(arguments), bench.suite.values) as folder:
        for seed in seeds_of(arguments.seeds):
            setting = Setting(bench, scale, "strict", seed, train, test)
            records += _records(setting, changes, folder)
    path = bench.suite.scores("sensitivity", arguments.reading, scale, arguments.seeds)
    position = bench.suite.values["sensitivity"]["position"]
    bench.write_scores(path, records, scale, "local_models", position=position, changes=changes)


def _records(setting: Setting, changes: Mapping[str, Any], folder: Path) -> list[Record]:
    bench, task, seed = setting.bench, setting.task, setting.seed
    settings, position = bench.settings("strict", changes), bench.suite.values["sensitivity"]["position"]
    packages = search(
        task,
        _local_models(setting, settings),
        settings,
        task.samples.class_names,
        positions=[position],
        seed=seed,
        checkpoint=checkpoint(folder, seed),
        progress=True,
    )
    accuracies = setting.accuracies("pnc", folder, packages={"masked": packages}, chosen={"masked": position})
    return setting.records(_row(changes), accuracies, table=SENSITIVITY)


def _local_models(setting: Setting, settings: CloneSettings) -> LocalModels:
    """The suite's own G, or another one where the reading is about G."""
    chosen = setting.bench.settings("strict")
    if (settings.neighbourhood, settings.ridge) == (chosen.neighbourhood, chosen.ridge):
        return setting.bench.local_models(setting.scale, setting.seed)
    task = setting.task
    return fit_local_models(
        task.source, task.pixels, settings.neighbourhood, seed=setting.seed, ridge=settings.ridge, progress=True
    )


def _row(changes: Mapping[str, Any]) -> str:
    """``{"calibration": "none"}`` → "calibration = none"."""
    return ", ".join(f"{name} = {value}" for name, value in _flat(changes)) or "as chosen"


def _flat(changes: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in changes.items():
        yield from _flat(value) if isinstance(value, dict) else [(name, value)]


if __name__ == "__main__":
    run(main, "suite", "reading", "scale", "seeds")
