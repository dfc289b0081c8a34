"""DVC's graph as plain data: the stages that some targets need, upstream first, and which of them are up to date."""

import difflib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import networkx as nx
from dvc.exceptions import DvcException
from dvc.fs import localfs
from dvc.output import Output
from dvc.repo import Repo, lock_repo
from dvc.repo.reproduce import get_active_graph
from dvc.stage import Stage as DvcStage

from flows._locks import mend
from pnc.base.errors import PncError, bad


@dataclass(frozen=True)
class Stage:
    """A stage by DVC's name; ``clean`` where it and everything upstream is as ``dvc.lock`` says."""

    name: str
    upstream: tuple[str, ...]
    outputs: tuple[str, ...]
    clean: bool


Graph = dict[str, Stage]


def read_graph(targets: Sequence[str]) -> Graph:
    """``targets`` (stages, groups of stages, outputs; none: everything) and all that they depend on.

    Raises PncError for an unknown target, naming near ones, and for a project that DVC cannot read.
    """
    with _opened() as repo:
        edges = get_active_graph(repo.index.graph)  # consumer → producer
        wanted = {stage for target in targets for stage in _collect(repo, target)} or set(edges)
        needed = edges.subgraph(wanted.union(*(nx.descendants(edges, stage) for stage in wanted)))
        status = _Status(mend(repo.tmp_dir))
        graph: Graph = {}
        for stage in reversed(list(nx.topological_sort(needed))):
            upstream = tuple(used.addressing for used in needed.successors(stage))
            clean = all(graph[name].clean for name in upstream) and status.is_clean(stage)
            graph[stage.addressing] = Stage(stage.addressing, upstream, tuple(str(out) for out in stage.outs), clean)
        return graph


@contextmanager
def _opened() -> Iterator[Repo]:
    """The repository, locked: ``dvc.lock`` is written in place, so nobody may write while it is read."""
    try:
        with Repo(_wait_for_lock=True) as repo, lock_repo(repo):
            yield repo
    except DvcException as error:
        raise PncError(" ".join(f"DVC: {error}".split())) from None


def _collect(repo: Repo, target: str) -> list[DvcStage]:
    try:
        return [found.stage for found in repo.stage.collect_granular(target)]
    except DvcException:
        near = difflib.get_close_matches(target, _names(repo), n=3) or ["dvc stage list names them"]
        expected = f"a stage, a group of stages or an output ({', '.join(near)})"
        raise bad("target", expected=expected, found=repr(target)) from None


def _names(repo: Repo) -> list[str]:
    names = [stage.addressing for stage in repo.index.stages]
    groups = [name.partition("@")[0] for name in names]
    return list(dict.fromkeys([*groups, *names, *(str(out) for out in repo.index.outs)]))


class _Status:
    """What ``stage.status()`` says, at a fifth of the cost: without taking DVC's locks on paths for each stage, and
    looking at a dependency that many stages share once. ``busy``: paths that another run is writing.
    """

    def __init__(self, busy: Collection[str]) -> None:
        self._busy = busy
        self._changed: dict[tuple[str, ...], bool] = {}

    def is_clean(self, stage: DvcStage) -> bool:
        if stage.is_callback or stage.always_changed or stage.changed_stage():
            return False
        used = [] if stage.frozen else stage.deps
        return not any(self._has_changed(item) for item in (*used, *stage.outs))

    def _has_changed(self, item: Output) -> bool:
        key = (type(item).__name__, item.fs_path, repr(item.hash_info), *getattr(item, "params", ()))
        if key not in self._changed:
            busy = any(localfs.overlaps(item.fs_path, path) for path in self._busy)
            self._changed[key] = busy or bool(item.status())
        return self._changed[key]
