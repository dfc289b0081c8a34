"""A project's stages as DVC reads them from dvc.yaml and params.yaml."""

import os
import shlex
import warnings
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from unittest.mock import patch

import networkx as nx
from dvc.dependency import ParamsDependency
from dvc.repo import Repo
from dvc.utils.serialize import load_path

MADE = ("artifacts", "results")  # what stages write; all else is in git


@dataclass(frozen=True)
class Stage:
    """One stage; paths are from the project's folder."""

    name: str  # as in dvc.lock, behind "suites/NAME/dvc.yaml:" if it is another suite's
    command: str
    working: Path  # where it runs
    needs: tuple[Path, ...]
    params: Mapping[Path, tuple[str, ...]]  # keys that it depends on, by file
    outs: tuple[Path, ...]
    in_git: tuple[Path, ...]  # those of ``outs`` that DVC's cache does not have
    upstream: frozenset[str]

    @cached_property
    def kind(self) -> str:
        """``X`` of its ``python -m stages.X``."""
        python, flag, module, *_ = self.command.split()
        package, _, name = module.partition(".")
        assert (python, flag, package) == ("python", "-m", "stages")
        return name

    @cached_property
    def words(self) -> list[str]:
        """What follows that."""
        return shlex.split(self.command)[3:]

    @cached_property
    def arguments(self) -> dict[str, str]:
        pairs = zip(self.words[::2], self.words[1::2], strict=True)
        return {name.removeprefix("--"): value for name, value in pairs}

    @cached_property
    def code(self) -> tuple[Path, ...]:
        """What it needs and no stage makes."""
        return tuple(path for path in self.needs if path.parts[0] not in MADE)

    @cached_property
    def made(self) -> tuple[Path, ...]:
        """What it needs and stages make."""
        return tuple(path for path in self.needs if path.parts[0] in MADE)


Graph = dict[str, Stage]


@contextmanager
def opened(folder: Path, environment: Mapping[str, str]) -> Iterator[Any]:
    """DVC's view of a project, inside its folder. It would parse params.yaml anew for every stage."""
    parsed = patch("dvc.dependency.param.load_path", cache(load_path))
    with patch.dict(os.environ, environment), chdir(folder), warnings.catch_warnings(), parsed, Repo() as repo:
        warnings.filterwarnings("ignore", message="_NoneStep.value", category=DeprecationWarning)  # its own graph's
        yield repo


def read(repo: Any) -> Graph:
    """All stages, each behind those that it needs."""
    edges = repo.index.graph
    found: Graph = {}
    for stage in reversed(list(nx.topological_sort(edges))):
        parameters = [each for each in stage.deps if isinstance(each, ParamsDependency)]
        found[stage.addressing] = Stage(
            name=stage.addressing,
            command=stage.cmd,
            working=Path(stage.wdir).relative_to(repo.root_dir),
            needs=tuple(Path(each.def_path) for each in stage.deps if each not in parameters),
            params={Path(each.def_path): tuple(each.params) for each in parameters},
            outs=tuple(Path(each.def_path) for each in stage.outs),
            in_git=tuple(Path(each.def_path) for each in stage.outs if not each.use_cache),
            upstream=frozenset(used.addressing for used in edges.successors(stage)),
        )
    return found


def downstream(graph: Graph, names: set[str]) -> set[str]:
    """The stages that need one of ``names``, directly or not."""
    found: set[str] = set()
    for stage in graph.values():  # upstream first
        if stage.upstream & (names | found):
            found.add(stage.name)
    return found


def upstream(graph: Graph, names: set[str]) -> set[str]:
    """The stages that one of ``names`` needs, directly or not."""
    found: set[str] = set()
    for stage in reversed(graph.values()):
        if stage.name in names | found:
            found |= stage.upstream
    return found
