"""One run of every kind of stage, which the tests look at or start from a copy of."""

import os
import shlex
import warnings
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import networkx as nx
import pytest
from _fresh import Ended, python
from _project import Params, Project, lay_out, small
from dvc.repo import Repo

SEEDS = "0"
MAIN = {"source": "new", "target": "old", "task": "S", "regime": "strict"}  # the clone that most tests look at


@dataclass(frozen=True)
class Finished:
    """A project after a whole run, committed to DVC's cache, with what each stage said and used."""

    project: Project
    ended: dict[str, Ended]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Not to be changed. DVC only records the run: it would start an interpreter for each stage."""
    project = lay_out(tmp_path_factory.mktemp("finished") / "project", everything)
    with opened(project) as repo:
        graph = repo.index.graph
        commands = {stage.addressing: stage.cmd for stage in reversed(list(nx.topological_sort(graph)))}
        ended = {name: run(project, command) for name, command in commands.items()}
        repo.commit(force=True)
    return Finished(project, ended)


@pytest.fixture
def project(finished: Finished, tmp_path: Path) -> Project:
    """A copy of it, to be changed."""
    return finished.project.copy(tmp_path / "project")


@contextmanager
def opened(project: Project) -> Iterator[Any]:
    """DVC's view of a project, inside its folder."""
    environment = patch.dict(os.environ, project.environment())
    with environment, chdir(project.folder), warnings.catch_warnings(), Repo() as repo:
        warnings.filterwarnings("ignore", message="_NoneStep.value", category=DeprecationWarning)  # its own graph's
        yield repo


def run(project: Project, command: str) -> Ended:
    """What a stage's ``python -m …`` did. AssertionError if it failed."""
    interpreter, flag, *words = shlex.split(command)
    assert (interpreter, flag) == ("python", "-m")
    ended = python(project.folder, *words, environment=project.environment())
    assert ended.status == 0, ended.errors
    return ended


def everything(params: Params) -> Params:
    """The small suite with every kind of stage, both regimes, every method, every kind of figure, a variant with
    local models of its own, and a task with more pictures than there are local models for."""
    values = small(params)
    pair = {"source": ["new"], "target": ["old"], "regime": ["strict"]}
    brief = {"schedule": {"epochs": 2, "batch": 64}}
    values["tasks"]["more"] = {"classes": [2, 1], "share": 0.5}
    values["variants"] = {
        "chosen": {},
        "unmasked": {"clone": {"keep": 1.0}, "finetune": True},
        "kernel": {"clone": {"neighbourhood": {"kernel": "literal"}}, "positions": [2]},
    }
    values["methods"] = {
        "untrained": {"pretrained": {}, "direct_ensemble": {}, "cautious": calibrated("direct_ensemble_calibrated")},
        "joint": {"joint": {}, "joint_sampled": {"regime": "rehearsal"}},
        "continual": {
            "continual": {"regime": "strict", "settings": brief},
            "linear_probe": {"regime": "rehearsal", "settings": brief},
            "continual_kd": {"regime": "strict", "settings": brief},
            "continual_kd_calibrated": {"regime": "strict", "settings": brief | {"q": 0.9}},
        },
    }
    values["grids"]["main"]["regime"] = ["strict", "rehearsal"]
    values["grids"] |= {
        "readings": {**pair, "task": ["S"], "variant": ["kernel"]},
        "tasks": {**pair, "task": ["more"], "variant": ["chosen"]},
        "steps": {**pair, "task": ["S"], "variant": ["chosen"]},
        "baselines": {**pair, "task": ["S"], "method": list(values["methods"])},
    }
    values["sequences"] = {"s1": {"target": "old", "steps": ["new/S"]}}
    kept = {**params["tables"]["kept"], "scores": "main", "x": {"keep = 0.3": 0.3, "keep = 1": 1.0}}
    kept["rows"] = {"keep = 0.3": {}, "keep = 1": {"variant": "unmasked"}}
    steps = {**params["tables"]["T3"], "rows": {"after 1 class": {"at": "1"}}}
    more = {**params["tables"]["S4"], "rows": {"1": {"task": "S"}, "2": {"task": "more"}}}
    return values | {"tables": values["tables"] | {"kept": kept, "T3": steps, "S4": more}}


def calibrated(function: str) -> dict[str, Any]:
    return {"function": function, "regime": "strict", "settings": {"q": 0.9, "rest_weight": 0.5}}
