"""What the flow is made of: DVC's graph as data, the lines of a stage, what they mean, DVC's list of busy paths."""

import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from rich.console import Console

from flows._graph import read_graph
from flows._lines import Lines
from flows._locks import mend
from flows._stage import Outcome, judge
from flows._summary import Row, show, totals
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


def test_an_unknown_target_is_refused_naming_near_ones(project: Path) -> None:
    with pytest.raises(PncError, match=r"^target: expected a stage, .*\(.*b@x.*\), found 'b@xx'$"):
        read_graph(["b@xx"])


def test_a_broken_graph_is_refused_in_one_line(project: Path) -> None:
    Path("dvc.yaml").write_text("stages:\n  a: {cmd: x, outs: [a], deps: [a]}\n")
    with pytest.raises(PncError, match=r"^DVC: [^\n]+$"):
        read_graph([])


# Lines


def lines_of(text: bytes) -> tuple[list[str], list[str]]:
    """What is said, and what the lines are, when ``text`` comes byte by byte."""
    said: list[str] = []
    with tempfile.TemporaryFile() as file:
        lines = Lines(file.fileno(), said.append, bar_seconds=0)
        for byte in text:
            os.write(file.fileno(), bytes([byte]))
            lines.read()
        lines.read(last=True)
    return said, list(lines)


def test_lines_come_whole_and_once() -> None:
    said, lines = lines_of("one\n\ntwo é\nlast".encode())
    assert said == lines == ["one", "two é", "last"]


def test_a_bar_is_said_as_it_redraws_itself_and_kept_as_its_last_state() -> None:
    said, lines = lines_of(b"\r 1/3\r 2/3\r 3/3\ndone\n")
    assert lines == [" 3/3", "done"]
    assert [line for line in said if "1/3" in line] and said[-2:] == [" 3/3", "done"]


def test_a_bar_is_said_every_few_seconds_only() -> None:
    said: list[str] = []
    with tempfile.TemporaryFile() as file:
        lines = Lines(file.fileno(), said.append)
        for count in range(1000):
            os.write(file.fileno(), b"\r%d/1000" % count)
            lines.read()
        assert said == []
        lines.read(last=True)
    assert said == ["999/1000"]


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


def test_entries_without_their_process_are_dropped(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    mine = {"pid": os.getpid(), "cmd": " ".join(sys.orig_argv)}
    reused = {"pid": os.getpid(), "cmd": "dvc repro --single-item what-ran-before-the-restart"}
    ended = {"pid": gone.pid, "cmd": "dvc repro a"}
    busy = {"read": {"x": [mine, ended], "y": [reused]}, "write": {"z": ended, "w": mine}}
    (tmp_path / "rwlock").write_text(json.dumps(busy))
    assert mend(tmp_path) == {"w"}
    assert json.loads((tmp_path / "rwlock").read_text()) == {"read": {"x": [mine]}, "write": {"w": mine}}


@pytest.mark.parametrize("text", ["", '{"write": {"a"', "[]", '{"read": {"a": 1}}', '{"write": {"a": {"cmd": "x"}}}'])
def test_a_damaged_list_is_removed(tmp_path: Path, text: str) -> None:
    (tmp_path / "rwlock").write_text(text)
    assert mend(tmp_path) == set()
    assert not (tmp_path / "rwlock").exists()


def test_no_list_is_fine(tmp_path: Path) -> None:
    assert mend(tmp_path) == set()


# The summary


def test_the_summary_folds_what_needed_no_process() -> None:
    rows = [
        Row("a@1", Outcome.CACHED),
        Row("a@2", Outcome.CACHED),
        Row("b@1", Outcome.RAN, 1.25),
        Row("b@2", Outcome.FAILED, 2, "b: bad"),
        Row("c@1", Outcome.SKIPPED, None, "needs b@2"),
    ]
    written = io.StringIO()
    show(rows, Console(file=written, width=100))
    text = [" ".join(line.split()) for line in written.getvalue().splitlines()]
    assert text[1:] == [
        "a (2 stages) Cached",
        "b@1 Ran 1.2",
        "b@2 Failed 2.0 b: bad",
        "c@1 Skipped needs b@2",
        "2 Cached, 1 Ran, 1 Failed, 1 Skipped",
    ]
    assert totals([]) == "no stage"
