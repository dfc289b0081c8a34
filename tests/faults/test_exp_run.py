"""``dvc exp run -S``: a variant of the settings is really run, and listed beside the commit that it started from."""

import json
import subprocess
import sys
from typing import Any

import pytest
import yaml
from _project import ROOT, Project, lay_out, outcomes

from bench.report.cells import read_cells
from bench.report.metrics import headline, write_metrics

PREPARE, PRETRAIN = "prepare@digits", "pretrain_digits@digits-target-0"
METRICS = "results/digits/metrics.json"
CELLS = ROOT / "results" / "digits" / "cells.csv"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small suite up to its target network, with numbers; committed."""
    project = lay_out(tmp_path_factory.mktemp("experiments") / "project")
    project.repro(PRETRAIN)
    write_metrics(project.folder / "results" / "digits", read_cells(CELLS))
    identity = ("-c", "user.name=Nobody", "-c", "user.email=nobody@localhost")
    for command in (("add", "--all"), (*identity, "commit", "--quiet", "--message", "A network")):
        subprocess.run(["git", *command], cwd=project.folder, env=project.environment(), check=True)
    return project


def dvc(project: Project, *arguments: str) -> str:
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, cwd=project.folder, env=project.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def epochs(params: dict[str, Any]) -> int:
    return params["suites"]["digits"]["pretrain"]["epochs"]


def test_a_variant_runs_is_listed_and_goes_away_with_its_changes(project: Project) -> None:
    params, network = project.folder / "params.yaml", project.files("artifacts/digits/networks")
    before = epochs(yaml.safe_load(params.read_text()))
    printed = dvc(project, "exp", "run", "--name", "one", "--set-param", "suites.digits.pretrain.epochs=1", PRETRAIN)
    assert outcomes(printed) == {PREPARE: "Cached", PRETRAIN: "Ran"}
    assert epochs(yaml.safe_load(params.read_text())) == 1 < before
    assert project.files("artifacts/digits/networks") != network

    shown = json.loads(dvc(project, "exp", "show", "--json"))
    (base,) = (each for each in shown if each["rev"] != "workspace")
    (variant,) = base["experiments"]
    (listed,) = variant["revs"]
    assert variant["name"] == "one"
    for revision, expected in ((base, before), (listed, 1)):
        assert epochs(revision["data"]["params"]["params.yaml"]["data"]) == expected
        assert revision["data"]["metrics"][METRICS]["data"] == headline(read_cells(CELLS))

    subprocess.run(["git", "checkout", "--quiet", "."], cwd=project.folder, check=True)
    assert project.repro(PRETRAIN) == {PREPARE: "Cached", PRETRAIN: "Restored"}
    assert project.files("artifacts/digits/networks") == network
