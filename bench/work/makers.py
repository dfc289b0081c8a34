"""Which stage makes which scores: read off a suite's grids, methods and sequences."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from bench.work.suite import MethodEntry, SequenceEntry, Suite, Variant

# Grids that share a folder of scores with others; each of the rest has one of its own name.
FOLDERS = {"unmasked": "main", "rest": "main", "substeps": "steps"}
_BASELINES = {
    "baselines": ("baseline", "main"),
    "rivals": ("baseline_rivals", "rivals"),
    "pair_baselines": ("baseline_pairs", "pairs"),
}
_NO_CLONES = ("main", *_BASELINES)
_PAIR = ("source", "target", "task")


@dataclass(frozen=True)
class Maker:
    """A stage with its file of scores, in the folder ``group``, and what these say of themselves.

    ``pair`` are source, target and task, ``methods`` those in the file with their regimes; ``variant`` is nothing
    where no setting is changed.
    """

    stage: str
    path: Path
    group: str
    pair: tuple[str, ...]
    methods: tuple[tuple[str, str], ...]
    variant: str = ""


def makers(suite: Suite) -> Iterator[Maker]:
    """Of every file of scores that the suite asks for."""
    grids = suite.read("grids")
    for seeds in suite.seeds:
        yield from _main(suite, grids["main"], seeds)
        for name in grids:
            if name not in _NO_CLONES:
                yield from _ablated(suite, name, grids[name], seeds)
        for name, (stage, group) in _BASELINES.items():
            yield from _baselines(suite, stage, group, grids[name], seeds)
        yield from _sequences(suite, grids["steps"]["regime"], seeds)


def scored(suite: Suite, table: str) -> list[Maker]:
    """Of every file of scores that a table may show: those of its own group and the main ones."""
    groups = ("main", str(suite.read(f"tables.{table}")["scores"]))
    return [maker for maker in makers(suite) if maker.group in groups]


def _main(suite: Suite, grid: dict[str, list[str]], seeds: str) -> Iterator[Maker]:
    for *pair, regime in _meetings(grid, *_PAIR, "regime"):
        item = (*pair, regime, seeds)
        path = suite.scores("main", "evaluate", *item)
        methods = (("pnc", regime), *_rows("pnc_f", regime))
        yield Maker(suite.stage("evaluate", *item), path, "main", tuple(pair), methods)


def _ablated(suite: Suite, name: str, grid: dict[str, list[str]], seeds: str) -> Iterator[Maker]:
    group = FOLDERS.get(name, name)
    for variant, *pair, regime in _meetings(grid, "variant", *_PAIR, "regime"):
        entry: Variant = suite.entry(Variant, f"variants.{variant}")
        methods = (("pnc", regime), *(_rows("pnc_f", regime) if entry.finetune else ()))
        item = (variant, *pair, regime, seeds)
        shown = variant if entry.clone else ""
        path = suite.scores(group, *item)
        yield Maker(suite.stage(f"ablate_{name}", group, *item), path, group, tuple(pair), methods, shown)


def _baselines(suite: Suite, stage: str, group: str, grid: dict[str, list[str]], seeds: str) -> Iterator[Maker]:
    for method, *pair in _meetings(grid, "method", *_PAIR):
        names = suite.read(f"methods.{method}")
        entries: dict[str, MethodEntry] = {
            name: suite.entry(MethodEntry, f"methods.{method}.{name}") for name in names
        }
        methods = tuple(row for name, entry in entries.items() for row in _rows(name, entry.regime))
        item = (method, *pair, seeds)
        yield Maker(
            suite.stage(stage, group, *item), suite.scores(group, "baseline", *item), group, tuple(pair), methods
        )


def _rows(method: str, regime: str) -> tuple[tuple[str, str], ...]:
    """What is trained may have a second row, with an offset on the new logits."""
    return (method, regime), (f"{method}_calibrated", regime)


def _sequences(suite: Suite, regimes: list[str], seeds: str) -> Iterator[Maker]:
    for name, regime in product(suite.read("sequences"), regimes):
        entry: SequenceEntry = suite.entry(SequenceEntry, f"sequences.{name}")
        path = suite.scores("sequences", name, regime, seeds)
        stage = suite.stage("sequence", name, regime, seeds)
        yield Maker(
            stage, path, "sequences", (entry.source, entry.target, name), (("pnc", regime), ("pnc_joint", regime))
        )


def _meetings(grid: dict[str, list[str]], *keys: str) -> Iterator[tuple[str, ...]]:
    return product(*(map(str, grid[key]) for key in keys))
