"""DVC's own commands on this project: what changed in settings and numbers, seen by a user of DVC."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from _paths import ROOT
from _project import Project
from dvc.utils.hydra import apply_overrides

from bench.report.cells import read_cells
from bench.report.metrics import write_metrics

DIGITS = ROOT / "results" / "digits"
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
GRAPH = yaml.safe_load((ROOT / "dvc.yaml").read_text())
SUITES = GRAPH["stages"]["tables"]["matrix"]["suite"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Graph, settings and results, committed; then another kept fraction and a drop in digits."""
    folder = tmp_path_factory.mktemp("usage")
    (folder / ".dvc").mkdir()
    for name in (".dvc/config", ".dvcignore", ".gitignore", "dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, folder / name)
    cells = read_cells(DIGITS / "cells.csv")
    for suite in SUITES:  # the same numbers: not every suite need have been run
        write_metrics(folder / "results" / suite, cells)
        shutil.copytree(DIGITS / "figures", folder / "results" / suite / "figures")
    project = Project(folder)
    for command in ("init", "add .", "-c user.name=Nobody -c user.email=nobody@localhost commit -m Numbers"):
        subprocess.run(["git", *command.split()], cwd=folder, env=project.environment(), check=True, stdout=-3)
    apply_overrides(folder / "params.yaml", ["suites.digits.clone.keep=0.7"])
    cells.loc[cells["row"].isin(["PNC (full)", "PNC R=2"]) & (cells["metric"] == "avg"), "mean"] -= 5
    write_metrics(folder / "results" / "digits", cells)
    return project


def dvc(project: Project, *arguments: str) -> str:
    """What a command prints. AssertionError if it fails or complains."""
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, cwd=project.folder, env=project.environment(), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_params_diff_shows_the_one_setting(project: Project) -> None:
    changes = json.loads(dvc(project, "params", "diff", "--json"))
    before = PARAMS["suites"]["digits"]["clone"]["keep"]
    assert changes == {"params.yaml": {"suites.digits.clone.keep": {"old": before, "new": 0.7, "diff": 0.7 - before}}}


def test_metrics_diff_shows_the_rows_that_changed(project: Project) -> None:
    changes = json.loads(dvc(project, "metrics", "diff", "--json"))
    assert changes.keys() == {"results/digits/metrics.json"}
    (rows,) = changes.values()
    regimes = PARAMS["suites"]["digits"]["regimes"]
    assert rows.keys() == {f"{scale}.PNC (full), {regime}.avg" for scale in "SM" for regime in regimes}
    assert {round(row["diff"], 6) for row in rows.values()} == {-5}


def test_plots_diff_draws_every_suite_before_and_after(project: Project) -> None:
    plots = json.loads(dvc(project, "plots", "diff", "--json"))["data"]
    names = [name if isinstance(name, str) else next(iter(name)) for name in GRAPH["plots"]]
    for name in names:
        shown = {plot: versions for plot, versions in plots.items() if plot.startswith(name)}
        assert shown, name
        for versions in shown.values():
            assert {revision for version in versions for revision in version["revisions"]} == {"HEAD", "workspace"}
    points = plots["digits, S"][0]["content"]["data"]["values"]
    bars = {point["rev"]: float(point["S"]) for point in points if point["row"] == "PNC (full), strict"}
    assert bars["workspace"] - bars["HEAD"] == pytest.approx(-5)


@pytest.mark.parametrize("suite", SUITES)
def test_every_suite_has_its_plots(suite: str) -> None:
    named = {name if isinstance(name, str) else next(iter(name)) for name in GRAPH["plots"]}
    assert {f"{suite}, S", f"{suite}, M", f"results/{suite}/figures"} <= named


@pytest.mark.parametrize("suite", PARAMS["suites"])
def test_overriding_a_setting_changes_that_one_alone(tmp_path: Path, suite: str) -> None:
    """``dvc exp run -S`` writes params.yaml anew: suites that share settings must not follow."""
    path = tmp_path / "params.yaml"
    shutil.copy(ROOT / "params.yaml", path)
    apply_overrides(path, [f"suites.{suite}.clone.keep=0.7"])
    expected = yaml.safe_load((ROOT / "params.yaml").read_text())
    expected["suites"][suite]["clone"] = expected["suites"][suite]["clone"] | {"keep": 0.7}
    assert yaml.safe_load(path.read_text()) == expected


def test_no_setting_has_a_name_that_dvc_overlooks() -> None:
    """DVC leaves keys of these names out of what it looks runs up by: it would restore those of another value."""

    def names(values: Any) -> Iterator[str]:
        for name, value in values.items() if isinstance(values, dict) else ():
            yield name
            yield from names(value)

    assert not {"size", "nfiles"} & set(names(PARAMS))
