"""DVC in a process that stays: the same lock files as DVC's own, to the byte, whatever they look like."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from _flow import Flow
from _paths import ROOT
from _watch import serving

from flows._stage import Dvc, Ended, Outcome

GRAPH = """
stages:
  plain: {cmd: echo 1 > plain, outs: [plain]}
  folded:
    matrix: {item: ["0_1_2", "yes", "a b"]}
    cmd: mkdir -p "out/${item.item}" && echo one two three four five six seven eight nine ten > "out/${item.item}/x"
    deps: [plain]
    params: [text, "list", nested.deep]
    outs: ["out/${item.item}"]
  lines:
    cmd: |
      echo 'schema: x' > lines

        echo end >> lines
    deps: [plain]
    outs: [lines]
  several: {cmd: [echo 1 > several, "echo é: > several"], outs: [several]}
"""
PARAMS = """
text: "a text: with # signs, quotes ' and a good deal more than eighty columns, so that it has to be folded somewhere"
list: [1, 2.0, "3", null, true, {a: [x]}]
nested: {deep: {b: 0.0001, a: "0_1"}, other: 1}
"""
STAGES = ["plain", "folded@0_1_2", "folded@yes", "folded@a b", "lines", "several"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    Flow.make(tmp_path, GRAPH, {})
    (tmp_path / "params.yaml").write_text(PARAMS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def dvc(folder: Path) -> Iterator[Dvc]:
    with Dvc({"PYTHONPATH": str(ROOT)}) as own:
        yield own


def reproduce(dvc: Dvc, stage: str) -> tuple[Ended, list[str]]:
    said: list[str] = []
    return dvc.reproduce(stage, Path("log"), said.append, lambda _: None), said


def plain_dvc(*stages: str) -> str:
    """dvc.lock after DVC's own command, with nothing to restore."""
    shutil.rmtree(".dvc/cache", ignore_errors=True)
    subprocess.run([sys.executable, "-m", "dvc", "repro", "-q", "--force", "--single-item", *stages], check=True)
    return Path("dvc.lock").read_text()


def test_lock_files_are_dvc_s_own_to_the_byte(dvc: Dvc) -> None:
    for stage in STAGES:
        assert reproduce(dvc, stage)[0] == Ended(Outcome.RAN)
    ours = Path("dvc.lock").read_text()
    Path("dvc.lock").unlink()
    assert ours == plain_dvc(*STAGES)


def test_values_that_stages_share_are_written_out(dvc: Dvc) -> None:
    Path("params.yaml").write_text("text: &t [1, {2: 3}]\nlist: *t\nnested: {deep: [*t, *t], other: 1}\n")
    for stage in STAGES[:3]:
        reproduce(dvc, stage)
    assert "&" not in Path("dvc.lock").read_text().replace("&&", "")
    ours = yaml.safe_load(Path("dvc.lock").read_text())
    Path("dvc.lock").unlink()
    assert ours == yaml.safe_load(plain_dvc(*STAGES[:3]))
    assert reproduce(dvc, STAGES[1])[0].outcome is Outcome.CACHED


def test_a_stage_in_the_middle_is_replaced_and_no_other_is_touched(dvc: Dvc) -> None:
    before = plain_dvc(*STAGES)
    Path("dvc.yaml").write_text(GRAPH.replace("echo end", "echo the end"))
    assert reproduce(dvc, "lines")[0].outcome is Outcome.RAN
    ours = Path("dvc.lock").read_text()
    Path("dvc.lock").write_text(before)
    assert ours == plain_dvc("lines") != before


def test_a_lock_file_of_another_form_is_left_to_dvc(dvc: Dvc) -> None:
    plain_dvc("plain", "several")
    text = Path("dvc.lock").read_text()
    Path("dvc.lock").write_text(f"# by hand\n{text}")
    Path("plain").unlink()
    assert reproduce(dvc, "lines")[0].outcome is Outcome.FAILED
    reproduce(dvc, "plain")
    reproduce(dvc, "lines")
    assert Path("dvc.lock").read_text().startswith("# by hand\n")
    assert reproduce(dvc, "several")[0].outcome is Outcome.CACHED
    assert reproduce(dvc, "lines")[0].outcome is Outcome.CACHED


def test_one_process_serves_many_stages_and_each_has_its_own_lines(dvc: Dvc) -> None:
    _, said = reproduce(dvc, "plain")
    (process,) = serving()
    assert "> echo 1 > plain" in said
    ended, said = reproduce(dvc, "nothing")
    assert ended.outcome is Outcome.FAILED and "nothing" in ended.message
    assert "> echo 1 > plain" not in said
    assert reproduce(dvc, "several")[0].outcome is Outcome.RAN
    assert serving() == [process]


def test_what_a_process_that_has_died_should_have_done_is_done_by_a_new_one(dvc: Dvc) -> None:
    reproduce(dvc, "plain")
    (process,) = serving()
    process.kill()
    ended, said = reproduce(dvc, "several")
    assert ended.outcome is Outcome.RAN
    assert "Again, as it was killed, DVC and all, by SIGKILL" in said


def test_a_stage_that_is_killed_again_and_again_fails_in_the_end(dvc: Dvc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows._stage._RETRY_SECONDS", (0.0, 0.0))
    Path("dvc.yaml").write_text("stages: {dies: {cmd: echo try >> tries; kill -9 $$, outs: [never]}}")
    assert reproduce(dvc, "dies")[0] == Ended(Outcome.FAILED, "killed by SIGKILL", killed=True)
    assert Path("tries").read_text() == "try\n" * 3


def test_stages_find_nothing_on_their_standard_input(folder: Path, dvc: Dvc) -> None:
    Path("dvc.yaml").write_text("stages: {reads: {cmd: cat > read, outs: [read]}}")
    assert reproduce(dvc, "reads")[0].outcome is Outcome.RAN
    assert Path("read").read_text() == ""


def test_nothing_starts_once_it_was_stopped(dvc: Dvc) -> None:
    dvc.stop()
    assert reproduce(dvc, "plain") == (Ended(Outcome.INTERRUPTED), [])
    assert serving() == []


def test_the_process_ends_with_the_one_who_asks(folder: Path) -> None:
    """After the stage that it is at."""
    command = [sys.executable, "-m", "flows._dvc"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as process:
        answers, _ = process.communicate(json.dumps(["plain", "log"]) + "\n", timeout=60)
    assert (process.returncode, answers) == (0, "0\n")
    assert Path("plain").read_text() == "1\n"
