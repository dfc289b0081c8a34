"""The stages without DVC, in a folder of their own: what a whole run leaves, killed runs, bad input."""

import importlib
import json
import math
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import torch
from _fresh import Ended, python
from _project import Project
from _run import Finished, run

from bench.work.cli import run as run_stage
from pnc.base.files import read_json
from pnc.base.tensors import read_tensors
from pnc.cloning.local.local_models import LocalModels
from pnc.cloning.package import ClonePackage
from pnc.methods import METHODS

AT = Path("artifacts/digits")
PAIR = {"source": "new", "target": "old", "task": "S"}
CLONE = {**PAIR, "regime": "strict", "seeds": "0"}
CLONES = AT / "clones/new/old/S/strict/0"
TAUGHT = {"learner": "forgetful", "target": "old", "increment": "s1", "seeds": "0"}


# The whole run


@pytest.fixture(scope="module")
def cells(finished: Finished) -> pd.DataFrame:
    path = finished.project.folder / "results/digits/cells.csv"
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def scores(finished: Finished, *path: str, method: str = "pnc") -> dict[tuple[str, str], float]:
    """What a score file says of the clone: value by (at, metric)."""
    records = read_json(finished.project.folder.joinpath(AT, "scores", *path))["scores"]
    return {(record["at"], record["metric"]): record["value"] for record in records if record["method"] == method}


def test_the_cells_hold_every_row_of_every_table(finished: Finished, cells: pd.DataFrame) -> None:
    wanted = finished.project.params()["tables"]
    measured = cells[cells["seeds"] == "1"]
    assert {key: set(part["row"]) for key, part in measured.groupby("table")} == {
        key: set(table["rows"]) for key, table in wanted.items()
    }
    table_1 = measured[measured["table"] == "T1"]
    assert set(table_1["metric"]) == {"ori", "tar", "avg"}
    regimes = set(table_1[["row", "scale", "regime"]].itertuples(index=False, name=None))
    assert {
        ("PNC (full)", "S", "strict"),
        ("PNC-F (full)", "more", "rehearsal"),
        ("Pre-trained", "S", ""),
    } < regimes


def test_every_method_was_run(finished: Finished) -> None:
    folder = finished.project.folder / AT / "scores/main/baseline"
    found = {record["method"] for path in folder.rglob("*.json") for record in read_json(path)["scores"]}
    methods = list(finished.project.params()["methods"].values())
    names = {name for group in methods for name in group}
    assert names < found and found - names <= {f"{name}_calibrated" for name in names}
    assert {"continual_calibrated", "lwf_calibrated", "replay_calibrated"} <= found - names
    functions = {entry.get("function", name) for group in methods for name, entry in group.items()}
    assert functions == set(METHODS.names())


def test_what_was_chosen_of_a_grid_stands_in_the_scores_settings(finished: Finished) -> None:
    path = finished.project.folder / AT / "scores/main/baseline/continual/new/old/S/0.json"
    methods = read_json(path)["settings"]["methods"]
    own = methods["continual"]
    assert own["settings"]["grid"] == {"lwf": [0.5, 1.0]}
    assert own["chosen"].keys() == {"lwf"} and own["chosen"]["lwf"] in (0.5, 1.0)
    assert "chosen" not in methods["lwf"]


def test_every_cell_has_its_settings_and_how_it_was_made(finished: Finished, cells: pd.DataFrame) -> None:
    behind = json.loads((finished.project.folder / "results/digits/settings.json").read_text())
    assert set(behind) == set(cells["settings"]) - {""}
    head = finished.project.git("rev-list", "--max-parents=0", "HEAD").strip()
    commits = {made["commit"] for entry in behind.values() for made in entry["made"]}
    assert len(commits) == 1 and head.startswith(commits.pop())


def test_nothing_but_artefacts_and_results_is_left(finished: Finished) -> None:
    folder = finished.project.folder
    assert list((folder / ".scratch").rglob("*")) == []
    hidden = {path.name for path in (folder / "artifacts").rglob(".*") if path.is_file()}
    assert hidden <= {".gitignore"}
    names = {str(path.relative_to(folder / "results/digits")) for path in (folder / "results").rglob("*.*")}
    figures = {f"figures/{table}.{kind}" for table in ("kept", "positions", "T3") for kind in ("svg", "png")}
    plots = {"plots/rows.csv", "plots/positions.csv"}
    assert names == {"TABLES.md", "cells.csv", "metrics.json", "settings.json"} | figures | plots


def test_the_chosen_position_has_the_least_loss(finished: Finished) -> None:
    folder = finished.project.folder / CLONES
    packages = {R: ClonePackage.load(folder / f"at/R{R}/seed0.pnc") for R in (2, 1)}
    losses = {R: package.info.provenance["loss"] for R, package in packages.items()}
    chosen = read_json(folder / "chosen.json")["0"]
    assert losses[chosen["position"]] == min(losses.values())
    assert chosen["losses"] == {str(R): loss for R, loss in losses.items()}
    found = scores(finished, "main/evaluate/new/old/S/strict/0.json")
    assert found["best", "position"] == chosen["position"]
    assert found["last", "avg"] == found["2", "avg"]


def test_one_position_a_stage_or_all_in_one_stage_give_the_same_numbers(finished: Finished) -> None:
    alone = scores(finished, "main/evaluate/new/old/S/strict/0.json")
    together = scores(finished, "steps/chosen/new/old/S/strict/0.json")
    same = [key for key in alone if key[0] in ("1", "2", "last")]
    assert len(same) > 12 and {key: alone[key] for key in same} == {key: together[key] for key in same}


def test_the_first_step_of_a_sequence_is_that_clone_alone(finished: Finished) -> None:
    """Of the main grid: it is not trained again. The second is of the grid rest, the third of steps."""
    step = scores(finished, "main/evaluate/new/old/S/strict/0.json")
    sequence, joint = (scores(finished, "sequences/s1/strict/0.json", method=m) for m in ("pnc", "pnc_joint"))
    for metric in ("ori", "tar", "avg"):
        assert sequence["1", metric] == joint["1", metric] == step["best", metric]
    assert sequence["1", "acc_final"] == sequence["1", "acc_mean"] == step["best", "avg"]
    assert ("3", "acc4") in sequence and ("2", "acc4") not in sequence
    settings = read_json(finished.project.folder / AT / "scores/sequences/s1/strict/0.json")["settings"]["steps"]
    assert [each["task"]["classes"] for each in settings] == [[0], [2, 1], [3]]
    assert all(each["clone"]["keep"] == 0.3 and each["networks"]["source"]["arch"] for each in settings)


def test_another_kernel_has_local_models_of_its_own(finished: Finished) -> None:
    usual = scores(finished, "main/evaluate/new/old/S/strict/0.json")
    kernel = scores(finished, "readings/kernel/new/old/S/strict/0.json")
    assert kernel["2", "loss"] != usual["2", "loss"]


def test_local_models_stand_around_the_usual_share_of_all_of_a_sources_classes(finished: Finished) -> None:
    """A task with more pictures has models for just some of them."""
    folder = finished.project.folder / AT
    models = LocalModels.load(folder / "local_models/new/0/seed0.safetensors")
    samples = pd.read_parquet(folder / "data/samples.parquet").query("split == 'train'")
    labels = samples.set_index("index")["label"].loc[models.of.tolist()]
    expected = {label: round(0.2 * (samples["label"] == label).sum()) for label in range(5, 10)}
    assert labels.value_counts().to_dict() == expected
    assert models.theta.shape[1:] == (17, 5)


def test_the_numbers_can_be_shown_again(finished: Finished) -> None:
    ended = finished.project.stage("show", table="positions")
    assert (ended.status, ended.errors) == (0, "")
    assert "PNC R=2" in ended.output and "results/digits/figures/positions.png" in ended.output


def test_the_same_parameters_give_the_same_bytes(finished: Finished, project: Project) -> None:
    """One stage of each kind is run again, with nothing of its own there."""
    before = project.made()
    last = {stage.kind: stage for stage in finished.graph.values()}  # the last of its kind: above all, other tables
    for stage in last.values():
        for out in stage.outs:
            path = project.folder / out
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for stage in sorted(last.values(), key=list(finished.graph.values()).index):
        run(project, stage)
    after = project.made()
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] != after[name]] == []


# Killed runs

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


def flags(arguments: dict[str, str]) -> list[str]:
    return [text for name, value in arguments.items() for text in (f"--{name}", value)]


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
    networks = project.folder / AT / "networks/old/0_1"
    assert [path.name for path in networks.iterdir()] == ["seed0.safetensors"]
    return target


LEFT = ["pretrain old, seed 1: 1/2", "pretrain old, seed 1: 2/2"]
ANEW = [f"pretrain old, seed 1: {done}/3" for done in (1, 2, 3)]


def test_a_killed_pretraining_goes_on_where_it_was(project: Project) -> None:
    target = kill_pretraining(project)
    assert resumed(project, "pretrain", **target) == LEFT
    assert list((project.folder / ".scratch").rglob("*")) == []
    networks = project.files(str(AT / "networks/old"))
    shutil.rmtree(project.folder / AT / "networks/old/0_1")
    assert resumed(project, "pretrain", **target)[-3:] == ANEW
    assert project.files(str(AT / "networks/old")) == networks


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
    "ablate": ({"grid": "steps", "variant": "whole", **CLONE}, 61, AT / "scores/steps/whole/new/old/S/strict/0.json"),
    "baseline": (GROUP, 2, AT / "scores/main/baseline/continual/new/old/S/0.json"),
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


# Bad input


@pytest.fixture
def copied(finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What stages read and write, as the working directory."""
    for name in ("artifacts", "results", "paper"):
        shutil.copytree(finished.project.folder / name, tmp_path / name)
    for name in ("params.yaml", "tables.yaml"):
        shutil.copy(finished.project.folder / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(capsys: pytest.CaptureFixture[str], stage: str, **arguments: str) -> str:
    """The one line with which a stage ends, having written nothing."""
    here, module = Project(Path()), importlib.import_module(f"stages.{stage}")
    before = here.made()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr(sys, "argv", [f"{stage}.py", *flags(arguments)])
        run_stage(module.main, *(name for name in arguments if name != "suite"))
    line = ended.value.code  # the interpreter prints a text on stderr, and exits with 1
    assert isinstance(line, str)
    assert line.startswith(f"{stage}: ")
    assert "\n" not in line
    assert capsys.readouterr().err == ""
    assert here.made() == before
    return line


def said(ended: Ended) -> str:
    """The one line of a process that ended with status 1."""
    assert (ended.status, ended.output) == (1, "")
    (line,) = ended.errors.splitlines()
    return line


def test_a_process_ends_with_one_line_and_status_1(finished: Finished) -> None:
    before = finished.project.made()
    assert "suite: expected one of digits, found 'maxi'" in said(finished.project.stage("prepare", suite="maxi"))
    line = said(finished.project.stage("baseline", grid="main", method="guess", **PAIR, seeds="0"))
    assert line.startswith("baseline: --method of the suite 'digits': expected one of ") and "'guess'" in line
    assert finished.project.made() == before


ABLATE = {"grid": "main", "variant": "unmasked", **CLONE}


@pytest.mark.parametrize(
    ("stage", "wrong", "known"),
    [
        ("pretrain", {"network": "teacher", "seeds": "0"}, "one of old, new, found 'teacher'"),
        ("pretrain", {"network": "old", "seeds": "0_1"}, "one of 0, found '0_1'"),
        ("local_models", {"source": "newer", "seeds": "0"}, "one of old, new, found 'newer'"),
        ("localize_insert", {**CLONE, "task": "L", "position": "2"}, "one of S, more, next, found 'L'"),
        ("localize_insert", {**CLONE, "position": "7"}, "blocks of the target, 0…2, found [7]"),
        (
            "localize_insert",
            {**CLONE, "position": "last"},
            "--position: expected a position R, a whole",
        ),
        ("localize_insert", {**CLONE, "position": "2", "regime": "lenient"}, "strict, rehearsal"),
        ("ablate", {**ABLATE, "variant": "other"}, "unmasked, chosen, whole, kernel, found 'other'"),
        ("ablate", {**ABLATE, "target": "teacher"}, "one of old, new, found 'teacher'"),
        ("sequence", {"sequence": "s2", "regime": "strict", "seeds": "0"}, "one of s1, found 's2'"),
        ("incremental", {**TAUGHT, "learner": "others"}, "one of forgetful, rehearsing, found 'others'"),
        ("incremental", {**TAUGHT, "increment": "s2"}, "one of s1, found 's2'"),
        ("incremental", {**TAUGHT, "target": "new"}, "others than the target's own, found 5, 6, 7"),
        ("cells", {"table": "T9"}, "T1, positions, kept, T3, found 'T9'"),
        ("figures", {"table": "T9"}, "T1, positions, kept, T3, found 'T9'"),
        ("tables", {"suite": "maxi"}, "one of digits, found 'maxi'"),
    ],
)
@pytest.mark.usefixtures("copied")
def test_an_unknown_name_is_refused_beside_the_known_ones(
    capsys: pytest.CaptureFixture[str], stage: str, wrong: dict[str, str], known: str
) -> None:
    assert known in refusal(capsys, stage, **wrong)


@pytest.mark.parametrize(
    ("stage", "arguments", "place", "key"),
    [
        ("prepare", {}, "data", "sise"),
        ("pretrain", {"network": "new", "seeds": "0"}, "networks.new", "widht"),
        ("pretrain", {"network": "new", "seeds": "0"}, "networks.new.recipe", "epoch"),
        ("pretrain", {"network": "new", "seeds": "0"}, "networks.new.recipe.augmentation", "zoom"),
        ("local_models", {"source": "new", "seeds": "0"}, "local_models.neighbourhood", "gird"),
        ("localize_insert", {**CLONE, "position": "2"}, "tasks.S", "shaer"),
        ("localize_insert", {**CLONE, "position": "2"}, "clone", "kepe"),
        ("localize_insert", {**CLONE, "position": "2"}, "clone.schedule", "lrate"),
        ("ablate", ABLATE, "variants.unmasked", "position"),
        ("ablate", ABLATE, "variants.unmasked.clone", "kepe"),
        ("evaluate", CLONE, "finetune", "epoch"),
        (
            "baseline",
            {"grid": "main", "method": "untrained", **PAIR, "seeds": "0"},
            "methods.untrained.cautious",
            "q",
        ),
        ("sequence", {"sequence": "s1", "regime": "strict", "seeds": "0"}, "sequences.s1", "step"),
        ("incremental", TAUGHT, "increments.s1", "steps"),
        ("incremental", TAUGHT, "learners.forgetful.lwf", "memroy"),
        ("cells", {"table": "kept"}, "tables.kept", "colums"),
    ],
)
def test_an_unknown_parameter_is_refused_by_name(
    copied: Path, capsys: pytest.CaptureFixture[str], stage: str, arguments: dict[str, str], place: str, key: str
) -> None:
    Project(copied).set(f"{place}.{key}", 1)
    line = refusal(capsys, stage, **arguments)
    assert key in line
    assert place.rpartition(".")[2] in line


@pytest.mark.parametrize("text", ["", "{", "suite: 3", "[mini]", "at: {mini: 3}"])
def test_damaged_parameters_are_refused(copied: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    (copied / "params.yaml").write_text(text)
    assert "params.yaml" in refusal(capsys, "select", **CLONE)
    (copied / "params.yaml").unlink()
    assert "found no file" in refusal(capsys, "select", **CLONE)


def test_a_method_that_nobody_registered_is_refused(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = Project(copied)
    project.set("methods.untrained.guess", {})
    line = refusal(capsys, "baseline", grid="main", method="untrained", **PAIR, seeds="0")
    assert line.endswith("found 'guess'")
    assert all(name in line for name in METHODS.names())


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("tasks.S.classes", [1, 5], "digits: tasks.S.classes: expected outputs of 'new', 0…4, found [5]"),
        ("tasks.S.classes", [-1], "digits: tasks.S.classes: expected outputs of 'new', 0…4, found [-1]"),
    ],
)
@pytest.mark.parametrize("stage", ["localize_insert", "ablate", "baseline", "evaluate"])
def test_a_class_that_the_source_lacks_is_refused(
    copied: Path, capsys: pytest.CaptureFixture[str], stage: str, place: str, value: list[int], said: str
) -> None:
    Project(copied).set(place, value)
    arguments = {"localize_insert": {**CLONE, "position": "2"}, "ablate": ABLATE, "baseline": UNTRAINED}
    assert refusal(capsys, stage, **arguments.get(stage, CLONE)).endswith(said)


@pytest.mark.parametrize("stage", ["localize_insert", "ablate", "baseline"])
def test_a_class_that_the_target_has_already_is_refused_before_anything_is_trained(
    copied: Path, capsys: pytest.CaptureFixture[str], stage: str
) -> None:
    """A network's own classes cloned into itself."""
    shutil.copytree(AT / "local_models/new", AT / "local_models/old")
    arguments = {"localize_insert": {**CLONE, "position": "2"}, "ablate": ABLATE, "baseline": UNTRAINED}
    line = refusal(capsys, stage, **{**arguments[stage], "source": "old"})
    assert "digits: tasks.S.classes: expected classes that 'old' does not have, found 0" in line


UNTRAINED = {"grid": "main", "method": "untrained", **PAIR, "seeds": "0"}
SEQUENCE = {"sequence": "s1", "regime": "strict", "seeds": "0"}
DAMAGED = [
    ("data/train.safetensors", "pretrain", {"network": "new", "seeds": "0"}),
    ("networks/new/0/seed0.safetensors", "local_models", {"source": "new", "seeds": "0"}),
    ("networks/old/0/seed0.safetensors", "baseline", UNTRAINED),
    ("local_models/new/0/seed0.safetensors", "localize_insert", {**CLONE, "position": "1"}),
    ("local_models/new/0/seed0.safetensors", "ablate", ABLATE),
    ("clones/new/old/S/strict/0/at/R1/seed0.pnc", "evaluate", CLONE),
    ("clones/new/old/S/strict/0/at/R1/losses.json", "select", CLONE),
    ("clones/new/old/S/strict/0/chosen.json", "evaluate", CLONE),
    ("clones/new/old/S/strict/0/chosen.json", "sequence", SEQUENCE),
    ("clones/new/old/S/strict/0/at/R2/settings.json", "sequence", SEQUENCE),
    ("networks/new/0/settings.json", "baseline", UNTRAINED),
    ("ablated/main/whole/new/old/more/strict/0/seed0.pnc", "sequence", SEQUENCE),
    ("ablated/steps/chosen/new/old/next/strict/0/seed0.pnc", "sequence", SEQUENCE),
    ("scores/main/evaluate/new/old/S/strict/0.json", "cells", {"table": "T1"}),
    ("scores/main/unmasked/new/old/S/strict/0.json", "cells", {"table": "T1"}),
    ("scores/main/baseline/joint/new/old/S/0.json", "cells", {"table": "T1"}),
    ("scores/sequences/s1/strict/0.json", "cells", {"table": "T3"}),
    ("cells/positions.csv", "figures", {"table": "positions"}),
    ("cells/positions.csv", "tables", {}),
    ("cells/positions.csv", "show", {"table": "positions"}),
]


@pytest.mark.parametrize(("damaged", "stage", "arguments"), DAMAGED)
def test_a_truncated_or_missing_artefact_is_refused_by_name_with_the_command_that_makes_it_anew(
    finished: Finished,
    copied: Path,
    capsys: pytest.CaptureFixture[str],
    damaged: str,
    stage: str,
    arguments: dict[str, str],
) -> None:
    path = AT / damaged
    whole = path.read_bytes()
    for share in (0.9, 0.5, 0, None):
        if share is not None:
            path.write_bytes(whole[: int(share * len(whole))])
        else:
            path.unlink()
            if stage == "cells":  # no score, no cell: the table says so
                break
        line = refusal(capsys, stage, **arguments)
        command = re.search(r"; to make it anew: dvc repro --force --single-item (\S+)$", line)
        assert str(path) in line and command, line
        assert not {path, *path.parents}.isdisjoint(finished.graph[command[1]].outs)


def test_that_command_makes_it_anew(project: Project) -> None:
    """With DVC itself."""
    before = project.made()
    path = project.folder / AT / "networks/old/0/seed0.safetensors"
    path.write_bytes(path.read_bytes()[:-9])
    line = said(project.stage("baseline", **UNTRAINED))
    *_, command = line.partition("to make it anew: ")
    status, output = project.python("-m", *command.split())
    assert status == 0, output
    assert project.made() == before
    assert project.stage("baseline", **UNTRAINED).status == 0


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """As in the processes, so that bits can be compared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
