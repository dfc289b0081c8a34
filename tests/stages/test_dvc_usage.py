"""DVC's own commands on this project: what changed in settings and numbers since a commit, seen by a user of DVC."""

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from _fresh import python
from _paths import ROOT
from _project import Project
from _run import Finished
from dvc.utils.hydra import apply_overrides

from bench.report.metrics import METRICS

pytestmark = pytest.mark.slow

RESULTS = Path("results/digits")
FILES = [Path("params.yaml"), *(path.relative_to(ROOT) for path in sorted(ROOT.glob("suites/*/params.yaml")))]


@pytest.fixture(scope="module")
def project(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A run and another suite, committed; then other settings in both suites, and a drop of a row by 5."""
    project = finished.project.copy(tmp_path_factory.mktemp("usage") / "project")
    shutil.copytree(ROOT / "suites/mnist", project.folder / "suites/mnist")
    project.commit("Another suite")
    apply_overrides(project.folder / "params.yaml", ["clone.schedule.epochs=7"])
    apply_overrides(project.folder / "suites/mnist/params.yaml", ["samples.share=0.05"])
    _drop(project.folder / RESULTS / "metrics.json", project.folder / RESULTS / "plots/rows.csv")
    return project


def _drop(metrics: Path, plot: Path) -> None:
    """Five less for one row."""
    values = json.loads(metrics.read_text())
    values["T1"]["S"]["PNC (full), strict"]["avg"] -= 5
    metrics.write_text(json.dumps(values))
    rows = list(csv.DictReader(io.StringIO(plot.read_text())))
    for row in rows:
        if row["row"] == "PNC (full), strict":
            row["S"] = str(float(row["S"]) - 5)
    with open(plot, "w", newline="") as opened:
        writer = csv.DictWriter(opened, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def dvc(project: Project, *arguments: str) -> Any:
    """What a command says in JSON. It may complain of the other suite alone, which has no results."""
    ended = python(project.folder, "dvc", *arguments, "--json", environment=project.environment())
    assert ended.status == 0, ended.errors
    complaints = ended.errors.splitlines()
    assert all(line.startswith("DVC failed to load some ") for line in complaints), ended.errors
    return json.loads(ended.output)


def test_params_diff_shows_the_settings_that_changed_in_whichever_suite(project: Project) -> None:
    assert dvc(project, "params", "diff") == {
        "params.yaml": {"clone.schedule.epochs": {"old": 3, "new": 7, "diff": 4}},
        "suites/mnist/params.yaml": {"samples.share": {"old": 0.1, "new": 0.05, "diff": -0.05}},
    }


def test_metrics_diff_shows_the_row_that_changed(project: Project) -> None:
    ((file, rows),) = dvc(project, "metrics", "diff").items()
    assert file == str(RESULTS / "metrics.json")
    assert rows.keys() == {"T1.S.PNC (full), strict.avg"}
    assert rows["T1.S.PNC (full), strict.avg"]["diff"] == pytest.approx(-5)


def test_plots_diff_draws_every_plot_and_figure_before_and_after(project: Project) -> None:
    plots = dvc(project, "plots", "diff")["data"]
    figures = {f"{RESULTS}/figures/{name}.png" for name in ("positions", "kept")}
    tables = {f"{RESULTS}/plots/{name}.csv" for name in ("rows", "positions")}
    drawn = {name: versions for name, versions in plots.items() if versions}
    assert set(drawn) == tables | figures
    for versions in drawn.values():
        assert {revision for version in versions for revision in version["revisions"]} == {"HEAD", "workspace"}
    points = plots[f"{RESULTS}/plots/rows.csv"][0]["content"]["data"]["values"]
    bars = {point["rev"]: float(point["S"]) for point in points if point["row"] == "PNC (full), strict"}
    assert bars["workspace"] - bars["HEAD"] == pytest.approx(-5)


@pytest.mark.parametrize("file", FILES, ids=str)
def test_overriding_settings_changes_these_alone(tmp_path: Path, file: Path) -> None:
    """``dvc exp run -S`` writes params.yaml anew: it must stay readable, and no other key may follow."""
    path = tmp_path / "params.yaml"
    shutil.copy(ROOT / file, path)
    expected = yaml.safe_load(path.read_text())
    expected["clone"]["schedule"]["epochs"] = 1
    expected["clone"]["keep"] = 0.7
    expected["samples"]["share"] = 0.01
    apply_overrides(path, ["clone.schedule.epochs=1", "++clone.keep=0.7", "samples.share=0.01"])
    assert yaml.safe_load(path.read_text()) == expected


def test_the_metrics_are_the_cells(finished: Finished) -> None:
    values = json.loads((finished.project.folder / RESULTS / "metrics.json").read_text())
    cells = csv.DictReader(io.StringIO((finished.project.folder / RESULTS / "cells.csv").read_text()))
    found = {
        (table, scale, row, metric): value
        for table, scales in values.items()
        for scale, rows in scales.items()
        for row, metrics in rows.items()
        for metric, value in metrics.items()
    }
    assert sorted(found.values()) == sorted(float(cell["mean"]) for cell in cells if cell["quoted"] == "false")
    assert {metric for *_, metric in found} <= set(METRICS)
