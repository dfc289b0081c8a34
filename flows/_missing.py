"""Which stages need not run although what they made elsewhere is not on this machine.

``dvc.lock`` says what has been run, wherever that was. A stage is missing if it is as there, and so is all that it
reads and writes as far as that lies on this disk. It counts as done, as a clean one does, unless a stage that has to
run reads what is not there of it.
"""

from collections.abc import Collection, Iterable

import networkx as nx
from dvc.fs import localfs
from dvc.output import Output
from dvc.stage import Stage

from flows._status import Items, is_changed, unchanged, used


def done(graph: nx.DiGraph, named: Collection[Stage], items: Items) -> set[Stage]:
    """The clean stages, and the missing ones that nothing needs. ``named``: those that shall have their outputs."""
    kept = unchanged(graph, lambda stage: _is_as_locked(stage, graph.successors(stage), items))
    asked = {stage for stage in named if any(map(items.is_absent, stage.outs))}
    return set(graph) - _with_missing(graph, set(graph) - kept | asked, items)


def _with_missing(graph: nx.DiGraph, running: Iterable[Stage], items: Items) -> set[Stage]:
    """Those that run, with the producers of what they read that is not there, and of what those read in turn."""
    found = set(running)
    for stage in nx.topological_sort(graph):
        if stage in found:
            found.update(producer for producer in graph.successors(stage) if _has_to_give(producer, stage, items))
    return found


def _has_to_give(producer: Stage, consumer: Stage, items: Items) -> bool:
    absent = filter(items.is_absent, producer.outs)
    return any(localfs.overlaps(out.fs_path, dep.fs_path) for out in absent for dep in used(consumer))


def _is_as_locked(stage: Stage, producers: Iterable[Stage], items: Items) -> bool:
    """Whether the stage is clean or missing, if all its producers are."""
    if is_changed(stage) or any(items.change(out) and not items.is_absent(out) for out in stage.outs):
        return False
    differing = [dep for dep in used(stage) if items.change(dep)]
    absent = [out for producer in producers for out in producer.outs if items.is_absent(out)] if differing else []
    return all(_is_explained(dep, absent) for dep in differing)


def _is_explained(dep: Output, absent: Iterable[Output]) -> bool:
    """Whether a dependency differs from ``dvc.lock`` by no more than outputs that are not there.

    An output that is the dependency itself must have the same hash in both paragraphs. Of a folder that several
    stages write into, DVC has one hash for all of it, which says nothing of its parts: each producer answers for its
    own.
    """
    parts = [out for out in absent if localfs.overlaps(out.fs_path, dep.fs_path)]
    same = all(out.hash_info == dep.hash_info for out in parts if out.fs_path == dep.fs_path)
    return bool(dep.hash_info) and bool(parts) and same
