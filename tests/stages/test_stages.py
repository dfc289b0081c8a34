"""The stages without DVC, in a folder of their own: the whole chain on a miniature, killed runs, bad input."""

import contextlib
import importlib
import math
import os
import shutil
import signal
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from functools import reduce
from itertools import product
from operator import getitem
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import yaml
from _paths import ROOT

from bench.report.cells import POSITIONS
from bench.report.labels import PAPER_ROWS
from bench.work.cli import run as run_stage
from bench.work.store import Bench
from bench.work.suite import load_suite
from pnc.cloning.package import ClonePackage
from pnc.methods import METHODS

HEADER = "table,row,dataset,source,target,scale,regime,metric,mean,std,seeds,paper,quoted,device,settings"
SCALES, REGIMES = ("S", "M"), ("strict", "rehearsal")
BATCH = 128  # of pretraining
SENSITIVITY = {"position": 2, "readings": {"chosen": {}, "start": {"start": "random"}}}
CLONE = {"scale": "M", "regime": "strict", "seeds": "0"}  # the one that the tests below look at


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """As in the processes below, so that bits can be compared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def miniature(seeds: str = "0") -> dict[str, Any]:
    """The suite 'digits' shrunk to seconds, with every method that any suite has."""
    suites = yaml.safe_load((ROOT / "params.yaml").read_text())["suites"]
    suite = suites["digits"]
    for role in ("source", "target"):
        suite["networks"][role]["width"] = 0.25
    suite["pretrain"] |= {"epochs": 2, "batch": BATCH}
    suite["samples"]["share"] = 0.2
    suite["local_models"]["neighbourhood"]["masks"] = 24
    suite["clone"] |= {"inputs_per_epoch": 128, "schedule": {"epochs": 2, "batch": 64, "lr": 0.003}}
    suite["finetune"]["epochs"] = 1
    methods = {name: regime for each in suites.values() for name, regime in each["methods"].items()}
    return suite | {"positions": [2, 1], "methods": methods, "seeds": [seeds], "sensitivity": SENSITIVITY}


def lay_out(folder: Path, suite: dict[str, Any]) -> Path:
    """A working directory with nothing but parameters and the paper's numbers."""
    folder.mkdir(exist_ok=True)
    (folder / "paper").symlink_to(ROOT / "paper")
    write_parameters(folder, suite)
    return folder


def write_parameters(folder: Path, suite: dict[str, Any]) -> None:
    (folder / "params.yaml").write_text(yaml.safe_dump({"suites": {"mini": suite}}, sort_keys=False))


def run(stage: str, **arguments: str) -> None:
    importlib.import_module(f"stages.{stage}").main(Namespace(suite="mini", **arguments))


def run_chain(folder: Path) -> Path:
    """Every stage, in the order of the graph."""
    with contextlib.chdir(folder):
        run("prepare")
        for role in ("source", "target"):
            run("pretrain", role=role, seeds="0")
        for scale in SCALES:
            run("local_models", scale=scale, seeds="0")
            for regime in REGIMES:
                item = {"scale": scale, "regime": regime, "seeds": "0"}
                for position in ("2", "1"):
                    run("localize_insert", position=position, **item)
                for stage in ("select", "evaluate", "ablate"):
                    run(stage, **item)
            for method in load_suite("mini").methods:
                run("baseline", method=method, scale=scale, seeds="0")
            for reading in SENSITIVITY["readings"]:
                run("sensitivity", reading=reading, scale=scale, seeds="0")
        run("tables")
        run("figures")
    return folder


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder after the whole chain; not to be changed."""
    return run_chain(lay_out(tmp_path_factory.mktemp("chain"), miniature()))


@pytest.fixture
def copied(chain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it as the working directory."""
    folder = tmp_path / "copy"
    shutil.copytree(chain, folder, symlinks=True)
    monkeypatch.chdir(folder)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    """All that stages have written below ``folder``, unfinished work included, locks left out."""
    tops = (folder / name for name in ("artifacts", "results", ".scratch"))
    found = (path for top in tops for path in sorted(top.rglob("*")) if path.is_file() and path.suffix != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def process(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


# The whole chain


def read_texts(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "results" / "mini" / "cells.csv", dtype=str, keep_default_na=False)


def test_the_cells_hold_every_row_at_both_scales(chain: Path) -> None:
    cells = read_texts(chain)
    assert ",".join(cells.columns) == HEADER
    assert set(cells["quoted"]) == {"false"}
    table_1 = cells[(cells["table"] == "T1") & (cells["metric"] == "avg")]
    found = set(table_1[["row", "scale", "regime"]].itertuples(index=False, name=None))

    methods = miniature()["methods"]
    assert methods.keys() == {name for name in METHODS.names() if not name.startswith("pnc")}
    expected = {(METHODS.get(name).row, scale, regime) for (name, regime), scale in product(methods.items(), SCALES)}
    ours = [row for row in PAPER_ROWS if row.startswith("PNC")]
    assert len(ours) == 6
    expected |= set(product(ours, SCALES, REGIMES))
    assert found == expected
    assert {row for row, *_ in found} > set(PAPER_ROWS)

    every_r = cells[(cells["table"] == POSITIONS) & (cells["metric"] == "loss")]
    positions = set(every_r[["row", "scale", "regime"]].itertuples(index=False, name=None))
    assert positions == set(product(("PNC R=1", "PNC R=2"), SCALES, REGIMES))


def test_the_chosen_reading_is_the_clone_itself_and_another_is_not(chain: Path) -> None:
    cells = read_texts(chain)
    clone = cells[(cells["table"] == POSITIONS) & (cells["row"] == "PNC R=2") & (cells["regime"] == "strict")]
    found = cells[cells["table"] == "sensitivity"]
    assert set(found["row"]) == {"as chosen", "start = random"} and set(found["regime"]) == {"strict"}
    chosen, start = (
        found[found["row"] == row].set_index(["scale", "metric"])["mean"] for row in ("as chosen", "start = random")
    )
    assert chosen.to_dict().items() <= clone.set_index(["scale", "metric"])["mean"].to_dict().items()
    assert start.to_dict() != chosen.to_dict()


def test_every_cell_has_its_settings_spelled_out(chain: Path) -> None:
    hashes = set(read_texts(chain)["settings"])
    assert {path.stem for path in (chain / "results" / "settings").glob("*.json")} == hashes


def test_nothing_but_the_results_is_left(chain: Path) -> None:
    found = files(chain)
    assert not [name for name in found if name.startswith(".scratch") or Path(name).name.startswith(".")]
    results = {name for name in found if name.startswith("results/mini/")}
    names = ["TABLES.md", "cells.csv", "metrics.json", "figures/accuracy.png", "figures/positions.png"]
    names += ["plots/positions.csv", "plots/rows.csv"]
    assert results == {f"results/mini/{name}" for name in names}
    assert "| PNC (full), strict |" in found["results/mini/TABLES.md"].decode()


def test_the_numbers_can_be_shown_again(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("show")
    shown = capsys.readouterr().out
    assert "PNC (full), rehearsal" in shown
    assert "results/mini/figures/positions.png" in shown


def test_the_chosen_position_has_the_least_loss(chain: Path) -> None:
    with contextlib.chdir(chain):
        suite = load_suite("mini")
        for scale, regime in product(SCALES, REGIMES):
            packages = {R: ClonePackage.load(suite.package(scale, regime, R, 0)) for R in (2, 1)}
            losses = {R: package.info.provenance["loss"] for R, package in packages.items()}
            selection = yaml.safe_load(suite.selection(scale, regime, "0").read_text())
            assert losses[selection["0"]["position"]] == min(losses.values())


def test_the_same_parameters_give_the_same_bytes(chain: Path, tmp_path: Path) -> None:
    again = run_chain(lay_out(tmp_path / "again", miniature()))
    first, second = files(chain), files(again)
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


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


def kill(folder: Path, stage: str, last_step: int, **arguments: str) -> None:
    """SIGKILL the stage after ``last_step`` training steps."""
    died = process(folder, "-c", DYING, stage, str(last_step), *flags({"suite": "mini"} | arguments))
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert list((folder / ".scratch").rglob("*.pt"))


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines on stderr since the last look."""
    return capsys.readouterr().err.splitlines()


def test_a_killed_pretraining_goes_on_where_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Killed in the second epoch of the second seed of a group."""
    undisturbed, killed = (lay_out(tmp_path / name, miniature("0_1")) for name in ("undisturbed", "killed"))
    target = {"role": "target", "seeds": "0_1"}
    with contextlib.chdir(undisturbed):
        run("prepare")
        run("pretrain", **target)
        bench = Bench.open("mini")
        steps = math.ceil(len(bench.half(bench.images("train"), "target")) / BATCH)
    assert printed(capsys) == [f"pretrain target, seed {seed}: {done}/2" for seed in (0, 1) for done in (1, 2)]

    shutil.copytree(undisturbed / "artifacts" / "mini" / "data", killed / "artifacts" / "mini" / "data")
    kill(killed, "pretrain", 3 * steps + 2, **target)
    networks = killed / "artifacts" / "mini" / "networks" / "target-0_1"
    assert [path.name for path in networks.iterdir()] == ["seed0.safetensors"]
    with contextlib.chdir(killed):
        run("pretrain", **target)
    assert printed(capsys) == ["pretrain target, seed 1: 1/1"]
    assert files(killed) == files(undisturbed)


def test_a_killed_localisation_goes_on_where_it_was(copied: Path) -> None:
    """Killed in the middle of the second epoch."""
    before = files(copied)
    packages = load_suite("mini").package("M", "strict", 2, 0).parent
    shutil.rmtree(packages)
    kill(copied, "localize_insert", 3, position="2", **CLONE)
    assert not packages.exists()
    resumed = process(copied, "-m", "stages.localize_insert", *flags({"suite": "mini", "position": "2"} | CLONE))
    assert (resumed.returncode, resumed.stderr) == (0, "localise and insert: 1/1\n")
    assert files(copied) == before


# Bad input


def refusal(capsys: pytest.CaptureFixture[str], stage: str, **arguments: str) -> str:
    """The one line with which a stage ends, having written nothing."""
    before, module = files(Path()), importlib.import_module(f"stages.{stage}")
    given = {"suite": "mini"} | arguments
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr(sys, "argv", [f"{stage}.py", *flags(given)])
        run_stage(module.main, *given)
    line = ended.value.code  # the interpreter prints a text on stderr, and exits with 1
    assert isinstance(line, str)
    assert line.startswith(f"{stage}: ")
    assert "\n" not in line
    assert printed(capsys) == []
    assert files(Path()) == before
    return line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["stages.select", *flags({"suite": "maxi"} | CLONE)], ["suite", "mini", "'maxi'"]),
        (["stages.baseline", *flags({"suite": "mini", "method": "guess", "scale": "S", "seeds": "0"})], ["'guess'"]),
    ],
)
def test_a_process_ends_with_one_line_and_status_1(copied: Path, arguments: list[str], words: list[str]) -> None:
    before = files(copied)
    ended = process(copied, "-m", *arguments)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.count("\n") == 1
    assert all(word in ended.stderr for word in words), ended.stderr
    assert files(copied) == before


@pytest.mark.parametrize(
    ("stage", "wrong", "known"),
    [
        ("pretrain", {"role": "teacher", "seeds": "0"}, "source, target"),
        ("pretrain", {"role": "target", "seeds": "0_1"}, "one of 0,"),
        ("local_models", {"scale": "L", "seeds": "0"}, "S, M"),
        ("localize_insert", {**CLONE, "position": "0"}, "2, 1"),
        ("localize_insert", {**CLONE, "position": "last"}, "2, 1"),
        ("evaluate", {**CLONE, "regime": "lenient"}, "strict, rehearsal"),
        ("tables", {"suite": "maxi"}, "mini"),
    ],
)
def test_an_unknown_item_is_refused_beside_the_known_ones(
    copied: Path, capsys: pytest.CaptureFixture[str], stage: str, wrong: dict[str, str], known: str
) -> None:
    assert known in refusal(capsys, stage, **wrong)


@pytest.mark.parametrize(
    ("stage", "arguments", "place", "key"),
    [
        ("prepare", {}, "", "pretrian"),
        ("prepare", {}, "data", "sise"),
        ("pretrain", {"role": "source", "seeds": "0"}, "networks.source", "widht"),
        ("pretrain", {"role": "source", "seeds": "0"}, "pretrain", "epoch"),
        ("pretrain", {"role": "source", "seeds": "0"}, "pretrain.augmentation", "zoom"),
        ("local_models", {"scale": "M", "seeds": "0"}, "samples", "shaer"),
        ("local_models", {"scale": "M", "seeds": "0"}, "local_models.neighbourhood", "gird"),
        ("localize_insert", {**CLONE, "position": "2"}, "clone", "kepe"),
        ("localize_insert", {**CLONE, "position": "2"}, "clone.schedule", "lrate"),
        ("evaluate", CLONE, "finetune", "epoch"),
    ],
)
def test_an_unknown_parameter_is_refused_by_name(
    copied: Path, capsys: pytest.CaptureFixture[str], stage: str, arguments: dict[str, str], place: str, key: str
) -> None:
    suite = miniature()
    reduce(getitem, filter(None, place.split(".")), suite)[key] = 1
    write_parameters(copied, suite)
    line = refusal(capsys, stage, **arguments)
    assert key in line
    assert place.rpartition(".")[2] in line


@pytest.mark.parametrize("text", ["", "{", "suites: 3", "suites: [mini]", "suites: {mini: 3}"])
def test_damaged_parameters_are_refused(copied: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    (copied / "params.yaml").write_text(text)
    assert "suites" in refusal(capsys, "select", **CLONE)
    (copied / "params.yaml").unlink()
    assert "found no file" in refusal(capsys, "select", **CLONE)


def test_a_method_that_nobody_registered_is_refused(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = miniature()
    suite["methods"]["guess"] = ""
    write_parameters(copied, suite)
    line = refusal(capsys, "baseline", method="guess", scale="S", seeds="0")
    assert line.endswith("found 'guess'")
    assert all(name in line for name in miniature()["methods"])


@pytest.mark.parametrize(
    ("damaged", "stage", "arguments"),
    [
        ("data/train.safetensors", "pretrain", {"role": "source", "seeds": "0"}),
        ("networks/source-0/seed0.safetensors", "local_models", {"scale": "M", "seeds": "0"}),
        ("local_models/M-0/seed0.safetensors", "localize_insert", {**CLONE, "position": "1"}),
        ("local_models/M-0/seed0.safetensors", "ablate", CLONE),
        ("clones/M-strict-0/R1/losses.json", "select", CLONE),
        ("clones/M-strict-0/R1/seed0.pnc", "evaluate", CLONE),
        ("selected/M-strict-0.json", "evaluate", CLONE),
        ("networks/target-0/seed0.safetensors", "baseline", {"method": "joint", "scale": "S", "seeds": "0"}),
        ("scores/baseline/joint-S-0.json", "tables", {}),
    ],
)
def test_a_truncated_or_missing_artefact_is_refused_by_name(
    copied: Path, capsys: pytest.CaptureFixture[str], damaged: str, stage: str, arguments: dict[str, str]
) -> None:
    path = Path("artifacts/mini", damaged)
    whole = path.read_bytes()
    for share in (0.9, 0.5, 0):
        path.write_bytes(whole[: int(share * len(whole))])
        assert str(path) in refusal(capsys, stage, **arguments)
    path.unlink()
    assert str(path) in refusal(capsys, stage, **arguments)


def test_damaged_results_are_refused_by_name(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path("results/mini/cells.csv")
    path.write_bytes(path.read_bytes()[:-20])
    for stage in ("figures", "show"):
        assert str(path) in refusal(capsys, stage)
