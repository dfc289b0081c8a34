"""Bad input of the stages: one line, and nothing is written."""

import importlib
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from _fresh import Ended
from _project import Project
from _run import Finished
from _stages import AT, CLONE, PAIR, SCORES, TAUGHT, UNTRAINED, flags

from bench.work.cli import run as run_stage
from pnc.methods import METHODS


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
        ("ablate", {**ABLATE, "variant": "other"}, "unmasked, chosen, whole, kernel, keep50, found 'other'"),
        ("ablate", {**ABLATE, "target": "teacher"}, "one of old, new, found 'teacher'"),
        ("sequence", {"sequence": "s2", "regime": "strict", "seeds": "0"}, "one of s1, found 's2'"),
        ("incremental", {**TAUGHT, "learner": "others"}, "one of forgetful, rehearsing, found 'others'"),
        ("incremental", {**TAUGHT, "increment": "s2"}, "one of s1, found 's2'"),
        ("incremental", {**TAUGHT, "target": "new"}, "others than the target's own, found 5, 6, 7"),
        ("cells", {"table": "T9"}, "T1, positions, kept, T3, costs, found 'T9'"),
        ("figures", {"table": "T9"}, "T1, positions, kept, T3, costs, found 'T9'"),
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
    shutil.copytree(AT / "0/local_models/new", AT / "0/local_models/old")
    arguments = {"localize_insert": {**CLONE, "position": "2"}, "ablate": ABLATE, "baseline": UNTRAINED}
    line = refusal(capsys, stage, **{**arguments[stage], "source": "old"})
    assert "digits: tasks.S.classes: expected classes that 'old' does not have, found 0" in line


SEQUENCE = {"sequence": "s1", "regime": "strict", "seeds": "0"}
COSTS = {"source": "new", "target": "old", "seeds": "0"}
DAMAGED = [
    ("data/train.safetensors", "pretrain", {"network": "new", "seeds": "0"}),
    ("0/networks/new/seed0.safetensors", "local_models", {"source": "new", "seeds": "0"}),
    ("0/networks/old/seed0.safetensors", "baseline", UNTRAINED),
    ("0/local_models/new/seed0.safetensors", "localize_insert", {**CLONE, "position": "1"}),
    ("0/local_models/new/seed0.safetensors", "ablate", ABLATE),
    ("0/clones/new/old/S/strict/at/R1/seed0.pnc", "evaluate", CLONE),
    ("0/clones/new/old/S/strict/at/R1/losses.json", "select", CLONE),
    ("0/clones/new/old/S/strict/chosen.json", "evaluate", CLONE),
    ("0/clones/new/old/S/strict/chosen.json", "sequence", SEQUENCE),
    ("0/clones/new/old/S/strict/at/R2/settings.json", "sequence", SEQUENCE),
    ("0/networks/new/settings.json", "baseline", UNTRAINED),
    ("0/ablated/main/whole/new/old/more/strict/seed0.pnc", "sequence", SEQUENCE),
    ("0/ablated/steps/chosen/new/old/next/strict/seed0.pnc", "sequence", SEQUENCE),
    ("0/ablated/kept/keep50/new/old/S/strict/seed0.pnc", "costs", COSTS),
    (SCORES / "main/0/evaluate/new/old/S/strict.json", "cells", {"table": "T1"}),
    (SCORES / "main/0/unmasked/new/old/S/strict.json", "cells", {"table": "T1"}),
    (SCORES / "main/0/baseline/joint/new/old/S.json", "cells", {"table": "T1"}),
    (SCORES / "sequences/0/s1/strict.json", "cells", {"table": "T3"}),
    ("cells/positions/cells.csv", "figures", {"table": "positions"}),
    ("cells/positions/cells.csv", "tables", {}),
    ("cells/positions/cells.csv", "show", {"table": "positions"}),
]


@pytest.mark.parametrize(("damaged", "stage", "arguments"), DAMAGED)
def test_a_truncated_or_missing_artefact_is_refused_by_name_with_the_command_that_makes_it_anew(
    finished: Finished,
    copied: Path,
    capsys: pytest.CaptureFixture[str],
    damaged: str | Path,
    stage: str,
    arguments: dict[str, str],
) -> None:
    path = damaged if isinstance(damaged, Path) else AT / damaged
    whole = path.read_bytes()
    for share in (0.9, 0.5, 0, None):
        if share is not None:
            path.write_bytes(whole[: int(share * len(whole))])
        else:
            path.unlink()
            if stage in ("cells", "costs"):  # no score, no cell: the table says so
                break
        line = refusal(capsys, stage, **arguments)
        command = re.search(r"; to make it anew: dvc repro --force --single-item (\S+)$", line)
        assert str(path) in line and command, line
        assert not {path, *path.parents}.isdisjoint(finished.graph[command[1]].outs)


@pytest.mark.slow
def test_that_command_makes_it_anew(project: Project) -> None:
    """With DVC itself."""
    before = project.made()
    path = project.folder / AT / "0/networks/old/seed0.safetensors"
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
