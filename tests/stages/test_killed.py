"""Stages that are killed go on where they were, and never with work on something else."""

import math
import shutil
import signal

import pytest
from _fresh import python
from _project import Project
from _stages import AT, CLONE, CLONES, PAIR, SCORES, flags

from pnc.base.tensors import read_tensors

# Runs a stage that saves each epoch, as if every one took minutes, and dies before one of its training steps.
DYING = """
import itertools, os, runpy, signal, sys, types
from pnc.base import train

stage, last, *arguments = sys.argv[1:]
step, steps, minutes = train._step, itertools.count(1), itertools.count(0, 60)

def mortal_step(*inputs):
    if next(steps) > int(last):
        os.kill(os.getpid(), signal.SIGKILL)
    return step(*inputs)

train._step = mortal_step
train.time = types.SimpleNamespace(monotonic=lambda: next(minutes))
sys.argv = [stage, *arguments]
runpy.run_module(f"stages.{stage}", run_name="__main__")
"""


def kill(project: Project, stage: str, last_step: int, **arguments: str) -> None:
    """SIGKILL the stage after ``last_step`` training steps."""
    (project.folder / "dying.py").write_text(DYING)
    died = python(
        project.folder, "dying", stage, str(last_step), *flags(arguments), environment=project.environment()
    )
    assert died.status == -signal.SIGKILL, died.errors
    (project.folder / "dying.py").unlink()
    assert list((project.folder / ".scratch").rglob("*.pt"))


def resumed(project: Project, stage: str, **arguments: str) -> list[str]:
    """The lines of progress of the stage's next run."""
    ended = project.stage(stage, **arguments)
    assert ended.status == 0, ended.errors
    return ended.errors.splitlines()


def kill_pretraining(project: Project) -> dict[str, str]:
    """In the second epoch of the second seed of a group."""
    project.set("seeds", ["0_1"])
    target = {"network": "old", "seeds": "0_1"}
    labels = read_tensors(project.folder / AT / "data/train.safetensors")[0]["labels"]
    steps = math.ceil(int((labels < 5).sum()) / 128)  # of an epoch
    kill(project, "pretrain", 3 * steps + steps + 1, **target)
    networks = project.folder / AT / "0_1/networks/old"
    assert [path.name for path in networks.iterdir()] == ["seed0.safetensors"]
    return target


LEFT = ["pretrain old, seed 1: 1/2", "pretrain old, seed 1: 2/2"]
ANEW = [f"pretrain old, seed 1: {done}/3" for done in (1, 2, 3)]


def test_a_killed_pretraining_goes_on_where_it_was(project: Project) -> None:
    target = kill_pretraining(project)
    assert resumed(project, "pretrain", **target) == LEFT
    assert list((project.folder / ".scratch").rglob("*")) == []
    networks = project.files(str(AT / "0_1/networks/old"))
    shutil.rmtree(project.folder / AT / "0_1/networks/old")
    assert resumed(project, "pretrain", **target)[-3:] == ANEW
    assert project.files(str(AT / "0_1/networks/old")) == networks


@pytest.mark.parametrize(("edited", "left"), [("pnc/cloning/masks.py", LEFT), ("pnc/base/train.py", ANEW)])
def test_a_checkpoint_survives_just_an_edit_that_does_not_concern_it(
    project: Project, edited: str, left: list[str]
) -> None:
    target = kill_pretraining(project)
    project.append(edited)
    assert resumed(project, "pretrain", **target)[-3:] == left


def test_a_killed_localisation_goes_on_where_it_was(project: Project) -> None:
    """Killed in the middle of the second epoch."""
    before = project.made()
    shutil.rmtree(project.folder / CLONES / "at/R2")
    kill(project, "localize_insert", 6, position="2", **CLONE)
    assert not (project.folder / CLONES / "at/R2").exists()
    assert resumed(project, "localize_insert", position="2", **CLONE) == [
        "localise: 1/2",
        "localise: 2/2",
        "insert: 1/2",
        "insert: 2/2",
    ]
    assert project.made() == before


GROUP = {"grid": "main", "method": "continual", **PAIR, "seeds": "0"}
KILLED = {
    "ablate": ({"grid": "steps", "variant": "whole", **CLONE}, 61, SCORES / "steps/0/whole/new/old/S/strict.json"),
    "baseline": (GROUP, 2, SCORES / "main/0/baseline/continual/new/old/S.json"),
}


@pytest.mark.parametrize("stage", KILLED)
def test_unfinished_work_on_other_networks_is_never_gone_on_with(project: Project, stage: str) -> None:
    """Killed while it fine-tunes; then its target is trained anew, in another way."""
    arguments, steps, scores = KILLED[stage]
    kill(project, stage, steps, **arguments)
    assert [
        path
        for path in (project.folder / ".scratch").rglob("*.pt")
        if "continual" in path.name or "fine" in path.name
    ]
    project.set("networks.old.recipe", "slower")
    project.set("recipes.slower", {"schedule": {"epochs": 3, "batch": 128, "lr": 0.001}})
    assert project.stage("pretrain", network="old", seeds="0").status == 0
    resumed(project, stage, **arguments)
    found = (project.folder / scores).read_bytes()
    shutil.rmtree(project.folder / ".scratch")
    resumed(project, stage, **arguments)
    assert (project.folder / scores).read_bytes() == found
