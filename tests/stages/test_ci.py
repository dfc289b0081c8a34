"""The workflow and .ci/run call what there is: targets of the Makefile and programs of the project."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from _paths import ROOT

WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
RUN = ROOT / ".ci" / "run"
JOBS: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text())["jobs"]
SCRIPTS = {name: "\n".join(step.get("run", "") for step in job["steps"]) for name, job in JOBS.items()}


def targets(script: str) -> set[str]:
    """What a script asks of make."""
    return set(re.findall(r"^\s*make ([\w-]+)", script, re.MULTILINE))


@pytest.mark.parametrize("script", [RUN.read_text(), *SCRIPTS.values()], ids=[".ci/run", *SCRIPTS])
def test_the_makefile_has_every_target(script: str) -> None:
    assert targets(script)
    for target in targets(script):
        done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_the_workflow_does_all_that_ci_run_does() -> None:
    assert targets(RUN.read_text()) <= targets("\n".join(SCRIPTS.values()))


def test_the_workflow_runs_programs_that_are_there() -> None:
    called = re.findall(r"\.venv/bin/(\S+) -m (\S+)", "\n".join(SCRIPTS.values()))
    assert called and {interpreter for interpreter, _ in called} == {"python"}
    for _, module in called:
        assert (ROOT / Path(*module.split("."))).with_suffix(".py").is_file(), module


def test_slow_tests_have_a_job_of_their_own() -> None:
    done = subprocess.run(["make", "--dry-run", "test"], cwd=ROOT, capture_output=True, text=True)
    assert "pytest" in done.stdout and "--ignore=tests/faults" in done.stdout
    assert "make test-faults" in SCRIPTS["faults"]


def test_the_base_of_a_comparison_is_fetched_and_never_spliced_into_a_script() -> None:
    (checkout,) = (step for step in JOBS["regression"]["steps"] if "checkout@" in step.get("uses", ""))
    assert checkout["with"]["fetch-depth"] == 0
    assert not [script for script in SCRIPTS.values() if "${{" in script]


def test_ci_run_stops_at_the_first_failure() -> None:
    assert RUN.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", RUN]).returncode == 0
    assert "set -euo pipefail" in RUN.read_text()


@pytest.mark.parametrize(
    ("words", "taken"),
    [(["demo"], "main"), (["digits"], ""), (["regression", "TABLES=T1"], "main"), (["regression", "TABLES="], "")],
)
def test_a_fresh_clone_measures_what_git_has_the_scores_of(words: list[str], taken: str, tmp_path: Path) -> None:
    done = subprocess.run(["make", "--dry-run", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    (anew,) = (line for line in lines if "results/digits/scores" in line)
    assert lines.index(anew) < next(index for index, line in enumerate(lines) if "flows.benchmark" in line)
    scores = tmp_path / "results/digits/scores"
    for group in ("main", "kept"):
        (scores / group).mkdir(parents=True)
    (tmp_path / "artifacts/digits").mkdir(parents=True)
    subprocess.run(anew, shell=True, cwd=tmp_path, check=True)
    assert {path.name for path in scores.iterdir()} == {"main", "kept"}
    (tmp_path / "artifacts/digits").rmdir()
    subprocess.run(anew, shell=True, cwd=tmp_path, check=True)
    assert not (scores / taken).exists() and (scores / "kept").exists() == bool(taken)
