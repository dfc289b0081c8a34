"""A whole run of a small suite that has every kind of stage, and what each of them said and used."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _fresh import Ended, python
from _graph import Graph, Stage, opened, read
from _project import Params, Project, lay_out, small


@dataclass(frozen=True)
class Finished:
    """A project after a whole run, recorded by DVC, with what each stage said and used."""

    project: Project
    graph: Graph
    ended: dict[str, Ended]


def finish(folder: Path) -> Finished:
    """Run every stage. DVC only records it: it would start an interpreter for each."""
    project = lay_out(folder, everything)
    with opened(project.folder, project.environment()) as repo:
        graph = read(repo)
        ended = {name: run(project, stage) for name, stage in graph.items()}
        repo.commit(force=True)
    project.commit("Results")
    return Finished(project, graph, ended)


def run(project: Project, stage: Stage) -> Ended:
    """What a stage did. AssertionError if it failed."""
    ended = python(project.folder, f"stages.{stage.kind}", *stage.words, environment=project.environment())
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
    values["figures"] = [*values["figures"], "kept"]
    return values | {"tables": values["tables"] | {"kept": kept, "T3": steps, "S4": more}}


def calibrated(function: str) -> dict[str, Any]:
    return {"function": function, "regime": "strict", "settings": {"q": 0.9, "rest_weight": 0.5}}
