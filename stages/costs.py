"""What clones cost, in work, parameters, bytes and time, beside both networks whole and joint training."""

import argparse
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import torch

from bench.costs.count import HOW, Shapes, costs
from bench.costs.left import Left, Pair, left
from bench.costs.rivals import REGIMES, rivals
from bench.work.cli import run
from bench.work.experiment import Experiment
from bench.work.measure import BEST, records
from bench.work.provenance import device_name, made
from bench.work.scored import Record, write_scores
from bench.work.store import SETTINGS, Store
from bench.work.suite import Suite
from pnc.arch import BlockNet
from pnc.base.files import read_json
from pnc.base.seeds import generator
from pnc.cloned.model import ClonedModel, attach

GROUP, OTHER = "costs", "kept"  # the folder of these scores; that of the kept fractions' own
ACCURACIES = ("ori", "tar", "avg", "position", "package_bytes")  # which are carried over from there
Scores = tuple[tuple[str, ...], list[Record], Mapping[str, Any]]  # where they belong, and their settings


def main(arguments: argparse.Namespace) -> None:
    """Count what every clone of a pair costs whose package is there; what was not cloned yet is passed over."""
    store, pair = Store.open(arguments.suite), Pair(arguments.source, arguments.target, arguments.seeds)
    folder = store.suite.results.joinpath("scores", GROUP, pair.seeds, pair.source, pair.target)
    folder.mkdir(parents=True, exist_ok=True)
    networks, files = _networks(store.suite, pair), dict[Shapes, int]()
    found, settings = defaultdict[Path, list[Record]](list), dict[Path, dict[str, Any]]()
    items = sorted(left(store.suite, pair), key=lambda item: (item.task, item.seed))
    for (_, seed), own in groupby(items, key=lambda item: (item.task, item.seed)):
        for place, scores, behind in _counted(store, pair, seed, list(own), files):
            path = store.suite.scores(GROUP, pair.source, pair.target, *place, pair.seeds)
            found[path] += scores
            settings[path] = {"networks": networks, **behind, "costs": HOW}
    of = made() | {"device": device_name()}  # the CPU's: all of it is counted there, whatever else there is
    for path, scores in found.items():
        write_scores(path, scores, settings[path], of)
    for variant, task, regime in dict.fromkeys(item.own for item in items if item.variant):
        accuracies = store.suite.scores(OTHER, variant, pair.source, pair.target, task, regime, pair.seeds)
        if accuracies.is_file():
            place = (OTHER, variant, task, regime)
            _carry(accuracies, store.suite.scores(GROUP, pair.source, pair.target, *place, pair.seeds))


def _counted(store: Store, pair: Pair, seed: int, items: list[Left], files: dict[Shapes, int]) -> Iterator[Scores]:
    """Scores of one task and seed."""
    target, spec = store.network(pair.target, pair.seeds, seed)
    source, target = store.network(pair.source, pair.seeds, seed)[0].cpu(), target.cpu()
    clones = {str(item.path): _attached(store.suite, target, source, item) for item in items}
    classes = next(iter(clones.values())).packages[0].info.classes
    picture = torch.rand(1, spec.channels, spec.size, spec.size, generator=generator(seed, "picture"))
    found = costs(target, clones | rivals(target, spec, source, classes), picture, files)
    task = items[0].task
    for method, regime in REGIMES.items():
        of = Experiment(store, pair.source, pair.target, task, regime, pair.seeds, seed)
        yield ("rivals", task), list(records(of, found[method], method)), {"task": {"classes": list(classes)}}
    for item in items:
        of = Experiment(store, pair.source, pair.target, task, item.regime, pair.seeds, seed)
        (package,) = clones[str(item.path)].packages
        more = {"position": package.info.position, "package_bytes": package.nbytes}
        for at in item.at:  # at R* the stage that chose it has measured the other two
            values = found[str(item.path)] | (more if at != BEST else {})
            with store.suite.rebuilt_by(*item.stage):
                yield item.own, list(records(of, values, "pnc", at, item.variant)), item.settings


def _attached(suite: Suite, target: BlockNet, source: BlockNet, item: Left) -> ClonedModel:
    with suite.rebuilt_by(*item.stage):
        return attach(target, source, item.load())


def _networks(suite: Suite, pair: Pair) -> dict[str, Any]:
    """What both were trained with."""
    found = {}
    for role, name in (("source", pair.source), ("target", pair.target)):
        with suite.rebuilt_by("pretrain", name, pair.seeds):
            found[role] = read_json(suite.network(name, pair.seeds) / SETTINGS)
    return found


def _carry(accuracies: Path, path: Path) -> None:
    """Scores as they are, with all that is said of them: a table reads the main ones and those of one more group."""
    content = read_json(accuracies)
    kept = [score for score in content["scores"] if score["metric"] in ACCURACIES]
    write_scores(path, kept, content["settings"], content["made"])


if __name__ == "__main__":
    run(main, "source", "target", "seeds")
