"""A whole run of a small suite that has every kind of stage, and what each of them said and used."""

from dataclasses import dataclass
from pathlib import Path

from _fresh import Ended, python
from _graph import Graph, Stage, opened, read
from _project import Change, Params, Project, lay_out, small


@dataclass(frozen=True)
class Finished:
    """A project after a whole run, recorded by DVC, with what each stage said and used."""

    project: Project
    graph: Graph
    ended: dict[str, Ended]


def finish(folder: Path, change: Change | None = None, *, save_often: bool = False) -> Finished:
    """``lay_out`` (default: ``everything``) and run every stage. DVC only records it: it would start an interpreter
    for each."""
    project = lay_out(folder, change or everything, save_often=save_often)
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
    """The small suite with every kind of stage, every method and every kind of figure; a variant with local models of
    its own; and a task in the other regime, with more pictures than there are local models for."""
    values, brief = small(params), {"schedule": {"epochs": 2, "batch": 64}}
    pair = {"source": ["new"], "target": ["old"]}
    cautious = {"function": "direct_ensemble_calibrated", "regime": "strict", "settings": {"q": 0.9}}
    best = {"method": "pnc", "at": "best"}
    values["tasks"] |= {"more": {"classes": [2, 1], "share": 0.5}, "next": {"classes": [3]}}
    values["variants"] |= {
        "chosen": {},
        "whole": {"finetune": True},
        "kernel": {"clone": {"neighbourhood": {"kernel": "literal"}}, "positions": [2]},
        "keep50": {"clone": {"keep": 0.5}, "positions": [2]},
    }
    values["methods"] = {
        "untrained": {"pretrained": {}, "direct_ensemble": {}, "cautious": cautious},
        "joint": {"joint": {}, "joint_sampled": {"regime": "rehearsal"}},
        "continual": {
            "continual": {"regime": "strict", "settings": brief | {"grid": {"lwf": [0.5, 1.0]}}},
            "linear_probe": {"regime": "rehearsal", "settings": brief},
            "continual_kd": {"regime": "strict", "settings": brief},
            "lwf": {"regime": "strict", "settings": brief | {"q": 0.9}},
            "replay": {"regime": "strict", "settings": brief | {"pictures": 10, "steps": 2}},
        },
    }
    values["grids"] |= {
        "kept": {**pair, "task": ["S"], "regime": ["strict"], "variant": ["keep50"]},
        "readings": {**pair, "task": ["S"], "regime": ["strict"], "variant": ["kernel"]},
        "rest": {**pair, "task": ["more"], "regime": ["strict", "rehearsal"], "variant": ["whole"]},
        "steps": {**pair, "task": ["S", "next"], "regime": ["strict"], "variant": ["chosen"]},
        "baselines": {**pair, "task": ["S"], "method": list(values["methods"])},
    }
    values["sequences"] = {"s1": {"target": "old", "steps": ["new/S", "new/more", "new/next"]}}
    values["learners"] = {
        "forgetful": {"lwf": {"settings": brief | {"grid": {"weight": [0.5, 1.0]}}}},
        "rehearsing": {
            "icarl": {"memory": 40, "settings": brief},
            "small_der": {"function": "der", "memory": 20, "settings": brief | {"balanced_epochs": 2}},
        },
    }
    values["increments"] = {"s1": {"source": "new", "classes": [5, 7, 6], "step": 2}}
    values["incremental"] = {"learner": ["forgetful", "rehearsing"], "target": ["old"], "increment": ["s1"]}
    values["tables"]["T1"]["columns"]["more"] = {"task": "more"}
    rows = values["tables"]["T1"]["rows"]
    rows |= {"Pre-trained": {"method": "pretrained"}, "PNC-F (full)": {"method": "pnc_f", "at": "best"}}
    rows["Direct Ensemble (calibrated)"] = {"method": "cautious"}
    values["tables"]["kept"] = {
        "title": "The kept fraction",
        "scores": "main",
        "figure": "curve",
        "where": {"source": "new", "target": "old", "task": "S", **best},
        "rows": {"keep = 0.3": {}, "keep = 1": {"variant": "unmasked"}},
        "x": {"keep = 0.3": 0.3, "keep = 1": 1.0},
        "metrics": {"": ["avg"]},
    }
    values["tables"]["T3"] = {
        "title": "Table 3",
        "scores": "sequences",
        "figure": "steps",
        "where": {"source": "new", "target": "old", "task": "s1"},
        "columns": {"first": {"at": "1"}, "second": {"at": "2"}},
        "rows": {"PNC": {"method": "pnc"}, "LwF": {"method": "lwf"}, "DER": {"method": "small_der"}},
        "metrics": {"": ["ori", "tar", "acc_final", "acc_mean"]},
    }
    values["tables"]["costs"] = {
        "title": "What a clone costs",
        "scores": "costs",
        "figure": "pareto",
        "where": {"source": "new", "target": "old", "task": "S", "regime": "strict", "method": "pnc"},
        "rows": {
            "Joint": {"method": "joint", "regime": ""},
            "R = 2": {"at": "2"},
            "keep = 0.5": {"variant": "keep50", "at": "best"},
            "keep = 1": {"variant": "unmasked", "at": "best"},
        },
        "metrics": {"": ["avg", "added_macs_m", "added_params"], "Files": ["package_bytes", "export_bytes"]},
    }
    values["figures"] = ["positions", "kept", "T3", "costs"]
    return values
