"""``dvc exp run -S``: a variant of the settings is really run, and listed beside the commit that it started from."""

import json

from _project import Params, Project, outcomes

PRETRAIN = "pretrain@old-0"
NETWORKS, METRICS = "artifacts/digits/networks", "results/digits/metrics.json"


def dvc(project: Project, *arguments: str) -> str:
    status, output = project.python("-m", "dvc", *arguments)
    assert status == 0, output
    return output


def epochs(params: Params) -> int:
    found: int = params["networks"]["old"]["recipe"]["schedule"]["epochs"]
    return found


def test_a_variant_runs_is_listed_and_goes_away_with_its_changes(project: Project) -> None:
    before, networks = epochs(project.params()), project.files(NETWORKS)
    metrics = json.loads((project.folder / METRICS).read_text())
    printed = dvc(project, "exp", "run", "--name", "one", "-S", "networks.old.recipe.schedule.epochs=1", PRETRAIN)
    assert outcomes(printed) == {"prepare": "Cached", PRETRAIN: "Ran"}
    assert epochs(project.params()) == 1 < before
    assert project.files(NETWORKS) != networks

    shown = json.loads(dvc(project, "exp", "show", "--json"))
    (base,) = (each for each in shown if each["rev"] != "workspace")
    (variant,) = base["experiments"]
    (listed,) = variant["revs"]
    assert variant["name"] == "one"
    for revision, expected in ((base, before), (listed, 1)):
        assert epochs(revision["data"]["params"]["params.yaml"]["data"]) == expected
        assert revision["data"]["metrics"][METRICS]["data"] == metrics

    project.git("checkout", "--quiet", ".")
    assert project.repro(PRETRAIN) == {"prepare": "Cached", PRETRAIN: "Restored"}
    assert project.files(NETWORKS) == networks
