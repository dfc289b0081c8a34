"""DVC's graph as plain data: the stages that some targets need, upstream first, and which of them are up to date.

A stage of ``suites/NAME/dvc.yaml`` is called ``NAME:STAGE`` here, which fits into a line of a terminal.
"""

import difflib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import networkx as nx
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.repo.index import Index
from dvc.repo.reproduce import get_active_graph
from dvc.stage import Stage as DvcStage

from flows import _missing
from flows._quick import quicken
from flows._status import Items, is_clean, unchanged, upstream_first
from flows.unlock import opened
from pnc.base.errors import bad

_SUITE = re.compile(r"^suites/([^/:]+)/dvc\.yaml:")


@dataclass(frozen=True)
class Stage:
    """A stage by its short name; ``address`` is DVC's. ``clean``: it and all upstream is as ``dvc.lock`` says (or is
    missing, where that is allowed, and nothing needs it).
    """

    name: str
    address: str
    upstream: tuple[str, ...]
    outputs: tuple[str, ...]
    clean: bool


Graph = dict[str, Stage]


def read_graph(targets: Sequence[str], allow_missing: bool = False) -> Graph:
    """``targets`` (stages, groups of stages, outputs; none: everything) and all that they depend on.

    ``allow_missing``: what was run elsewhere and is not on this machine is made only where something needs it.

    Raises PncError for an unknown target, naming near ones, and for a project that DVC cannot read.
    """
    quicken()
    with opened() as (repo, busy):
        index, chosen = _chosen(repo, targets)
        edges = get_active_graph(index.graph)  # consumer → producer
        wanted = chosen or set(edges)
        needed = edges.subgraph(wanted.union(*(nx.descendants(edges, stage) for stage in wanted)))
        items = Items(busy, cached=not allow_missing)
        if allow_missing:
            done = _missing.done(needed, chosen, items)
        else:
            done = unchanged(needed, lambda stage: is_clean(stage, items))
        stages = [_as_data(stage, needed, stage in done) for stage in upstream_first(needed)]
        return {stage.name: stage for stage in stages}


def _as_data(stage: DvcStage, graph: nx.DiGraph, clean: bool) -> Stage:
    upstream = tuple(_short(producer.addressing) for producer in graph.successors(stage))
    return Stage(_short(stage.addressing), stage.addressing, upstream, tuple(map(str, stage.outs)), clean)


def _short(address: str) -> str:
    return _SUITE.sub(r"\1:", address)


def _chosen(repo: Repo, targets: Sequence[str]) -> tuple[Index, set[DvcStage]]:
    """What DVC reads, and the targets' stages: of the root's file and the suites' own where all targets are stages,
    as no suite needs another; of all files (five times as many stages) for other targets and for none.
    """
    addresses = {target: _address(target) for target in targets}
    files = dict.fromkeys(["dvc.yaml", *(address.rpartition(":")[0] or "dvc.yaml" for address in addresses.values())])
    if targets and all(map(os.path.isfile, files)):
        index = Index.from_indexes(repo, (Index.from_file(repo, os.path.abspath(file)) for file in files))
        names = {target: {address, f"{address}@"} for target, address in addresses.items()}
        found = {
            target: [stage for stage in index.stages if {stage.addressing, _group(stage)} & own]
            for target, own in names.items()
        }
        if all(found.values()):
            return index, {stage for stages in found.values() for stage in stages}
    return repo.index, {stage for target in targets for stage in _collect(repo, target, addresses[target])}


def _group(stage: DvcStage) -> str:
    name, sign, _ = stage.addressing.partition("@")
    return name + sign


def _address(target: str) -> str:
    suite, _, stage = target.partition(":")
    file = Path("suites", suite, "dvc.yaml")
    return f"{file}:{stage}" if stage and file.is_file() else target


def _collect(repo: Repo, target: str, address: str) -> list[DvcStage]:
    try:
        return [found.stage for found in repo.stage.collect_granular(address)]
    except DvcException:
        near = difflib.get_close_matches(target, _names(repo), n=3) or ["dvc stage list --all names them"]
        expected = f"a stage, a group of stages or an output ({', '.join(near)})"
        raise bad("target", expected=expected, found=repr(target)) from None


def _names(repo: Repo) -> list[str]:
    names = [_short(stage.addressing) for stage in repo.index.stages]
    groups = [name.partition("@")[0] for name in names]
    return list(dict.fromkeys([*groups, *names, *(str(out) for out in repo.index.outs)]))
