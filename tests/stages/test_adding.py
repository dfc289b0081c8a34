"""Adding an experiment is data: some lines of params.yaml, and DVC has exactly the new stages, which run."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from _graph import opened, read
from _paths import ROOT
from _project import Params, Project
from _run import Finished, run

RECIPE = {"schedule": {"epochs": 2, "batch": 64, "lr": 0.004}}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The digits suite as it is: settings and graph, no code."""
    folder = tmp_path_factory.mktemp("adding") / "project"
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc" / "config").write_text("[core]\n    no_scm = True\n")
    for name in ("dvc.yaml", "params.yaml", "tables.yaml"):
        shutil.copy(ROOT / name, folder)
    return Project(folder)


def stages(project: Project) -> set[str]:
    with opened(project.folder, project.environment()) as repo:
        return set(read(repo))


def added(params: Params) -> Params:
    """One of each: a network on classes of its own, a task, another amount of data, a variant, a pair, a method's
    row, a table with its figure."""
    grids = params["grids"]
    params["networks"]["odd"] = {"arch": "plain_cnn", "width": 0.125, "classes": [7, 1, 3], "recipe": RECIPE}
    params["sources"].append("odd")
    params["tasks"] |= {"last": {"classes": [4]}, "S_5": {"classes": [0], "share": 0.05}}
    grids["tasks"]["task"] += ["last", "S_5"]
    params["variants"]["keep90"] = {"clone": {"keep": 0.9}}
    grids["kept"]["variant"].append("keep90")
    grids["extra"] = {"variant": ["chosen"], "source": ["odd"], "target": ["old_cnn"], "task": ["S"]}
    grids["extra"]["regime"] = ["strict"]
    settings = {"schedule": {"epochs": 5, "batch": 64, "lr": 0.0001}}
    params["methods"]["gentle"] = {
        "continual_gently": {"function": "continual", "regime": "strict", "settings": settings}
    }
    grids["baselines"]["method"].append("gentle")
    params["tables"]["mine"] = table()
    params["figures"].append("mine")
    return params


def table() -> dict[str, Any]:
    return {
        "title": "Mine",
        "scores": "extra",
        "figure": "rows",
        "where": {"task": "S", "target": "old", "source": "new"},
        "rows": {
            "Gently": {"method": "continual_gently"},
            "From odd classes": {"source": "odd", "target": "old_cnn", "method": "pnc", "at": "best"},
        },
        "metrics": {"": ["ori", "tar", "avg"]},
    }


def test_each_addition_is_the_stages_that_it_needs_and_no_more(project: Project) -> None:
    before = stages(project)
    project.change(added)
    after = stages(project)
    assert after - before == {
        "pretrain@odd-0_1_2",
        "local_models@odd-0_1_2",
        "ablate_tasks@tasks-chosen-new-old-last-strict-0_1_2",
        "ablate_tasks@tasks-chosen-new-old-S_5-strict-0_1_2",
        "ablate_kept@kept-keep90-new-old-S-strict-0_1_2",
        "ablate_extra@extra-chosen-odd-old_cnn-S-strict-0_1_2",
        "baseline@main-gentle-new-old-S-0_1_2",
        "baseline@main-gentle-new-old-M-0_1_2",
        "cells@mine",
        "figures@mine",
    }
    assert before < after
    assert (project.folder / "dvc.yaml").read_bytes() == (ROOT / "dvc.yaml").read_bytes()


def test_another_group_of_seeds_is_every_stage_once_more(project: Project) -> None:
    before = stages(project)
    project.set("seeds", ["0_1_2", "3_4"])
    assert stages(project) - before == {f"{name[:-6]}-3_4" for name in before if name.endswith("-0_1_2")}


def test_what_was_added_runs_beside_what_there_was(finished: Finished, tmp_path: Path) -> None:
    project = finished.project.copy(tmp_path / "project")
    project.set("networks.odd", {"arch": "plain_cnn", "width": 0.125, "classes": [7, 1, 3], "recipe": RECIPE})
    project.set("sources", ["new", "odd"])
    pair = {"source": ["odd"], "target": ["old"], "task": ["S"], "regime": ["strict"]}
    project.set("grids.extra", {"variant": ["chosen"], **pair})
    project.set("grids.baselines.method", [*project.params()["grids"]["baselines"]["method"], "gentle"])
    brief = {"schedule": {"epochs": 1, "batch": 64, "lr": 0.0001}}
    project.set("methods.gentle", {"continual_gently": {"function": "continual", "settings": brief}})
    rows = {"Gently": {"method": "continual_gently"}, "From odd classes": {"source": "odd", "method": "pnc"}}
    rows["From odd classes"]["at"] = "best"
    project.set("tables.mine", table() | {"rows": rows})
    project.set("figures", ["mine"])
    before = project.made()
    with opened(project.folder, project.environment()) as repo:
        graph = read(repo)
    for name in [name for name in graph if name not in finished.graph]:
        run(project, graph[name])
    assert before.items() <= project.made().items()
    cells = (project.folder / "artifacts/digits/cells/mine/cells.csv").read_text()
    assert "\nmine,Gently,digits,new,old,S,," in cells and "\nmine,From odd classes,digits,odd,old,S,," in cells
    assert (project.folder / "results/digits/figures/mine.svg").is_file()
