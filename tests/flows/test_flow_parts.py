"""What the flow is made of: DVC's graph as data, the lines of a stage, what they mean, DVC's list of busy paths."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest
from _paths import ROOT

from flows._graph import read_graph
from flows._lines import Lines
from flows._stage import Outcome, judge
from flows.unlock import opened
from pnc.base.errors import PncError

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # in DVC

GRAPH = """
stages:
  a: {cmd: echo 1 > a, deps: [input], outs: [a]}
  b:
    foreach: {x: 1, y: 2}
    do: {cmd: "cp a b-${key}", deps: [a], outs: ["b-${key}"]}
  c: {cmd: cp input c, deps: [input], params: [size], outs: [c]}
  d: {cmd: cat b-x c > d, deps: [b-x, c], outs: [d]}
  always: {cmd: "true", always_changed: true}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path(".dvc").mkdir()
    Path(".dvc/config").write_text("[core]\n    no_scm = True\n    analytics = false\n")
    Path("dvc.yaml").write_text(GRAPH)
    Path("params.yaml").write_text("size: 1\n")
    Path("input").write_text("x\n")
    return tmp_path


def repro(*targets: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", "repro", "-q", *targets], check=True)


# The graph


def test_the_graph_is_dvc_s_upstream_first(project: Path) -> None:
    graph = read_graph([])
    assert {name: set(stage.upstream) for name, stage in graph.items()} == {
        "a": set(),
        "b@x": {"a"},
        "b@y": {"a"},
        "c": set(),
        "d": {"b@x", "c"},
        "always": set(),
    }
    order = list(graph)
    assert all(order.index(used) < order.index(name) for name, stage in graph.items() for used in stage.upstream)
    assert graph["b@y"].outputs == ("b-y",)
    assert not any(stage.clean for stage in graph.values())


@pytest.mark.parametrize(
    ("targets", "needed"),
    [
        (["b"], {"a", "b@x", "b@y"}),
        (["b@y"], {"a", "b@y"}),
        (["c", "b-x"], {"a", "b@x", "c"}),
        (["d"], {"a", "b@x", "c", "d"}),
    ],
)
def test_targets_are_stages_groups_and_outputs_with_all_they_need(
    project: Path, targets: list[str], needed: set[str]
) -> None:
    assert set(read_graph(targets)) == needed


def test_a_stage_is_clean_only_if_everything_upstream_is(project: Path) -> None:
    repro("d", "b@y")
    clean = {name for name, stage in read_graph([]).items() if stage.clean}
    assert clean == {"a", "b@x", "b@y", "c", "d"}
    Path("params.yaml").write_text("size: 2\n")
    assert {name for name, stage in read_graph([]).items() if stage.clean} == {"a", "b@x", "b@y"}
    Path("a").write_text("changed\n")
    assert not any(stage.clean for stage in read_graph([]).values())


def test_a_missing_output_is_not_clean(project: Path) -> None:
    repro("c")
    Path("c").unlink()
    assert not read_graph(["c"])["c"].clean


def test_what_another_run_is_writing_is_not_clean(project: Path) -> None:
    repro("c")
    command = " ".join(sys.orig_argv)
    busy = {"write": {str(project / "c"): {"pid": os.getpid(), "cmd": command}}}
    Path(".dvc/tmp/rwlock").write_text(json.dumps(busy))
    assert not read_graph(["c"])["c"].clean
    Path(".dvc/tmp/rwlock").unlink()
    assert read_graph(["c"])["c"].clean


def test_stages_of_a_suite_have_short_names_and_dvc_s_addresses(project: Path) -> None:
    Path("suites/toy").mkdir(parents=True)
    Path("suites/toy/dvc.yaml").write_text(
        "stages: {e: {matrix: {x: [1, 2]}, wdir: ../.., cmd: 'cp a e-${item.x}', deps: [a], outs: ['e-${item.x}']}}"
    )
    expected = {"a", "toy:e@1"}
    for target in ("toy:e@1", "suites/toy/dvc.yaml:e@1", "e-1"):
        graph = read_graph([target])
        assert set(graph) == expected
        assert graph["toy:e@1"].address == "suites/toy/dvc.yaml:e@1"
        assert graph["toy:e@1"].upstream == ("a",)
    assert set(read_graph(["toy:e"])) == {"a", "toy:e@1", "toy:e@2"}
    with pytest.raises(PncError, match=r"^target: expected .*\(.*toy:e@1.*\), found 'toy:e@3'$"):
        read_graph(["toy:e@3"])


def test_an_unknown_target_is_refused_naming_near_ones(project: Path) -> None:
    with pytest.raises(PncError, match=r"^target: expected a stage, .*\(.*b@x.*\), found 'b@xx'$"):
        read_graph(["b@xx"])


def test_a_broken_graph_is_refused_in_one_line(project: Path) -> None:
    Path("dvc.yaml").write_text("stages:\n  a: {cmd: x, outs: [a], deps: [a]}\n")
    with pytest.raises(PncError, match=r"^DVC: [^\n]+$"):
        read_graph([])


# Lines


def lines_of(text: bytes) -> tuple[list[str], list[str], list[str]]:
    """What is said, what the lines are, and what is shown meanwhile, when ``text`` comes byte by byte."""
    said: list[str] = []
    shown: list[str] = []
    with tempfile.TemporaryFile(buffering=0) as file, open(file.fileno(), "rb", buffering=0, closefd=False) as read:
        lines = Lines(read, said.append)
        for position, byte in enumerate(text):
            os.pwrite(file.fileno(), bytes([byte]), position)
            lines.read()
            shown.append(lines.current)
        lines.read(last=True)
    return said, list(lines), shown


def test_lines_come_whole_and_once() -> None:
    said, lines, shown = lines_of("one\n\ntwo é\nlast".encode())
    assert said == lines == ["one", "two é", "last"]
    assert shown[-6:] == ["two é", "two é", "l", "la", "las", "last"]


def test_a_bar_is_shown_as_it_redraws_itself_and_kept_as_its_last_state() -> None:
    said, lines, shown = lines_of(b"\r 1/3\r 2/3\r 3/3\ndone\n")
    assert said == lines == [" 3/3", "done"]
    assert " 1/3" in shown and " 2/3" in shown


def test_colours_and_broken_text_do_no_harm() -> None:
    assert lines_of(b"\x1b[1;31mred\x1b[0m\n\xff\n")[1] == ["red", "�"]


# What DVC's words mean


@pytest.mark.parametrize(
    ("status", "lines", "outcome", "message"),
    [
        (0, ["Running stage 'a':", "> x", "fine", "Updating lock file 'dvc.lock'"], Outcome.RAN, ""),
        (0, ["Stage 'a' is cached - skipping run, checking out outputs"], Outcome.RESTORED, ""),
        (0, ["Stage 'a' didn't change, skipping"], Outcome.CACHED, ""),
        (0, ["'a.dvc' didn't change, skipping"], Outcome.CACHED, ""),
        (
            255,
            [
                "Running stage 'a':",
                "> x",
                "a: bad",
                "ERROR: failed to reproduce 'a': failed to run: x, exited with 1",
            ],
            Outcome.FAILED,
            "a: bad",
        ),
        (
            255,
            ["> x", "ERROR: failed to reproduce 'a': failed to run: x, exited with 3"],
            Outcome.FAILED,
            "failed to run: x, exited with 3",
        ),
        (
            255,
            ["> x", "ok", "ERROR: failed to reproduce 'a': output 'e' does not exist"],
            Outcome.FAILED,
            "output 'e' does not exist",
        ),
    ],
)
def test_the_outcome_is_read_from_dvc_s_words(status: int, lines: list[str], outcome: Outcome, message: str) -> None:
    ended = judge(status, lines)
    assert (ended.outcome, ended.message, ended.killed, ended.busy) == (outcome, message, False, False)


@pytest.mark.parametrize("code", [-9, 137])
def test_a_stage_ended_by_a_signal_may_be_tried_again(code: int) -> None:
    ended = judge(255, ["> x", f"ERROR: failed to reproduce 'a': failed to run: x, exited with {code}"])
    assert (ended.message, ended.killed) == ("killed by SIGKILL", True)


def test_a_dvc_ended_by_a_signal_may_be_tried_again() -> None:
    assert judge(-9, ["Running stage 'a':"]).killed


def test_a_busy_path_is_waited_for() -> None:
    ended = judge(255, ["ERROR: failed to reproduce 'a': '/x/a' is busy, it is being blocked by:", "  (PID 1): dvc"])
    assert ended.busy and not ended.killed
    assert judge(255, ["ERROR: Unable to acquire lock. Most likely another DVC process is running"]).busy


# DVC's list of busy paths


def busy() -> set[str]:
    with opened() as (_, paths):
        return paths


def test_paths_of_processes_that_run_are_busy(project: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    mine, ended = {"pid": os.getpid(), "cmd": "dvc repro a"}, {"pid": gone.pid, "cmd": "dvc repro b"}
    Path(".dvc/tmp").mkdir()
    Path(".dvc/tmp/rwlock").write_text(json.dumps({"read": {"x": [mine]}, "write": {"w": mine, "z": ended}}))
    assert busy() == {"w"}
    repro("b@x")


@pytest.mark.parametrize(
    "text", ["", '{"write": {"a"', "[]", '{"write": {"a": 1}}', '{"write": {"a": {"cmd": "x"}}}']
)
def test_a_damaged_list_is_removed(project: Path, text: str) -> None:
    Path(".dvc/tmp").mkdir()
    Path(".dvc/tmp/rwlock").write_text(text)
    assert busy() == set()
    assert not Path(".dvc/tmp/rwlock").exists()


def test_a_list_from_before_the_machine_s_start_is_removed(project: Path) -> None:
    """A process that has the id of one in the list by now is another one."""
    Path(".dvc/tmp").mkdir()
    Path(".dvc/tmp/rwlock").write_text(json.dumps({"write": {"w": {"pid": os.getpid(), "cmd": "dvc repro a"}}}))
    start = psutil.Process(1).create_time()
    os.utime(".dvc/tmp/rwlock", (start - 60, start - 60))
    assert busy() == set()
    assert not Path(".dvc/tmp/rwlock").exists()


def test_no_list_is_fine(project: Path) -> None:
    assert busy() == set()


def test_plain_dvc_works_again_after_the_command(project: Path) -> None:
    Path(".dvc/tmp").mkdir()
    Path(".dvc/tmp/rwlock").touch()
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", "flows.unlock"], check=True, env=environment)
    repro("a")
