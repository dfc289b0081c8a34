"""The flow as a command, on a tiny project of shell stages, with a Prefect server of the tests' own."""

import base64
import json
import os
import signal
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
from _flow import SLOW, Flow, environment
from _watch import until

__all__ = ["environment"]  # a fixture

MIXED = """
stages:
  first:
    cmd: >-
      echo "first line"; sleep 0.3; printf '1/3\\r3/3\\n' >&2; echo x > first
    outs: [first]
  slow:
    foreach: [1, 2, 3, 4]
    do:
      cmd: sh meet.sh ${item} && echo ${item} > slow${item}
      deps: [first]
      outs: ["slow${item}"]
  same: {cmd: echo same > same, outs: [same]}
  restored: {cmd: cp given restored, deps: [given], outs: [restored]}
  flaky:
    cmd: test -e tried && echo ok > flaky || (touch tried; kill -9 $$)
    deps: [first]
    outs: [flaky]
  wrong:
    cmd: "echo before; echo 'wrong: expected 1, found 2' >&2; exit 1"
    deps: [first]
    outs: [wrong]
  after: {cmd: cat wrong slow1 > after, deps: [wrong, slow1], outs: [after]}
  last: {cmd: cat after > last, deps: [after], outs: [last]}
  report: {cmd: sh report.sh, deps: [slow1], outs: [results/toy/TABLES.md, results/toy/figures/plot.png]}
"""
# Ends only when three of them have started, so that three run at one time however slow the machine is.
MEET = """
touch here$1
for moment in $(seq 600); do
  test $(ls here* | wc -l) -ge 3 && exit
  sleep 0.1
done
echo "$1: expected three at a time, found $(ls here*)" >&2
exit 1
"""
SUITE = "stages: {first: {wdir: ../.., cmd: cp first toy, deps: [first], outs: [toy]}}"
PIXEL = base64.b64encode(bytes.fromhex("89504e470d0a1a0a")).decode()
TABLES = "| a | b |\n|---|---|\n| 1 | 2 |\n"
REPORT = f"""
mkdir -p results/toy/figures
cat > results/toy/TABLES.md <<END
{TABLES}END
echo {PIXEL} | base64 -d > results/toy/figures/plot.png
"""


# One run with every outcome


@dataclass
class Seen:
    flow: Flow
    status: int
    output: str
    run: dict[str, Any]
    tasks: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def seen(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Seen:
    flow = Flow.make(tmp_path_factory.mktemp("mixed"), MIXED, environment)
    (flow.folder / "suites/toy").mkdir(parents=True)
    (flow.folder / "suites/toy/dvc.yaml").write_text(SUITE)
    (flow.folder / "report.sh").write_text(REPORT)
    (flow.folder / "meet.sh").write_text(MEET)
    given = flow.folder / "given"
    given.write_text("1\n")
    flow.repro("restored", "same")
    given.write_text("2\n")
    flow.repro("restored")
    given.write_text("1\n")
    status, output = flow.run("--workers", "3")
    run = flow.last_run("everything")
    return Seen(flow, status, output, run, flow.tasks(run))


def test_every_stage_has_a_task_run_whose_state_says_what_happened(seen: Seen) -> None:
    assert {name: task["state_name"] for name, task in seen.tasks.items()} == {
        "toy:first": "Ran",
        "first": "Ran",
        **{f"slow@{number}": "Ran" for number in (1, 2, 3, 4)},
        "same": "Cached",
        "restored": "Restored",
        "flaky": "Ran",
        "wrong": "Failed",
        "after": "Skipped",
        "last": "Skipped",
        "report": "Ran",
    }
    assert (seen.flow.folder / "restored").read_text() == "1\n"


def test_a_failed_stage_fails_the_run_with_its_own_last_line(seen: Seen) -> None:
    assert seen.status == 1
    assert seen.tasks["wrong"]["state"]["message"] == "wrong: expected 1, found 2"
    assert "wrong: expected 1, found 2" in seen.output and "Traceback" not in seen.output
    assert seen.run["state_type"] == "FAILED"
    assert seen.run["state"]["message"] == "1 Cached, 1 Restored, 8 Ran, 1 Failed, 2 Skipped"


def test_only_a_killed_stage_is_tried_again(seen: Seen) -> None:
    logs = next((seen.flow.folder / ".scratch/logs").iterdir())
    tries = {path.stem: path.read_text().count("Running stage") for path in logs.iterdir()}
    assert {stage for stage, count in tries.items() if count > 1} == {"flaky"} and tries["flaky"] == 2
    messages = [log["message"] for log in seen.flow.asked("logs/filter")]
    assert "Again, as it was killed by SIGKILL" in messages


def test_the_run_s_graph_is_dvc_s(seen: Seen) -> None:
    names = {task["id"]: name for name, task in seen.tasks.items()}
    with urllib.request.urlopen(
        f"{seen.flow.environment['PREFECT_API_URL']}/flow_runs/{seen.run['id']}/graph-v2"
    ) as answer:
        nodes = {names[node]: shape for node, shape in json.load(answer)["nodes"]}
    upstream = {name: {names[parent["id"]] for parent in node["parents"]} for name, node in nodes.items()}
    assert upstream == {
        "toy:first": {"first"},
        "first": set(),
        **{f"slow@{number}": {"first"} for number in (1, 2, 3, 4)},
        "same": set(),
        "restored": set(),
        "flaky": {"first"},
        "wrong": {"first"},
        "after": {"wrong", "slow@1"},
        "last": {"after"},
        "report": {"slow@1"},
    }


def test_stages_start_after_their_upstream_a_few_at_a_time(seen: Seen) -> None:
    ran = {name: task for name, task in seen.tasks.items() if task["state_name"] in ("Ran", "Failed")}
    times = {
        name: tuple(map(datetime.fromisoformat, (task["start_time"], task["end_time"]))) for name, task in ran.items()
    }
    first = times.pop("first")
    assert all(start > first[1] for start, _ in times.values())
    assert times["report"][0] > times["slow@1"][1]
    assert max(sum(start <= moment < end for start, end in times.values()) for moment, _ in times.values()) == 3


def test_a_stage_s_lines_are_prefect_s_logs_of_its_task_run(seen: Seen) -> None:
    task = seen.tasks["first"]["id"]
    logs = [log["message"] for log in seen.flow.asked("logs/filter", logs={"task_run_id": {"any_": [task]}})]
    assert [line for line in logs if line in ("first line", "3/3")] == ["first line", "3/3"]
    assert "first line" not in seen.output


def test_tables_and_figures_are_artifacts(seen: Seen) -> None:
    found = seen.flow.asked("artifacts/filter", artifacts={"flow_run_id": {"any_": [seen.run["id"]]}})
    artifacts = {artifact["key"]: artifact["data"] for artifact in found}
    assert set(artifacts) == {"toy-tables", "toy-figures"}
    assert artifacts["toy-tables"] == TABLES
    assert f"(data:image/png;base64,{PIXEL})" in artifacts["toy-figures"]


def test_the_terminal_has_a_line_for_each_stage_with_a_process_as_it_ends(seen: Seen) -> None:
    """And nothing of Prefect's."""
    words = [line.split() for line in seen.output.splitlines()]
    ended = {line[3]: line[0] for line in words if line[2:3] == ["s"]}
    assert ended == {
        name: task["state_name"]
        for name, task in seen.tasks.items()
        if task["state_name"] not in ("Cached", "Skipped")
    }
    assert ["Skipped", "2", "stages", "(needs", "wrong)"] in words
    assert seen.output.splitlines()[-1].startswith("1 Cached, 1 Restored, 8 Ran, 1 Failed, 2 Skipped in 0:0")
    assert len(words) == len(ended) + len(quoted(seen)) + 2


def test_a_failed_stage_s_last_lines_are_quoted_and_its_log_is_named(seen: Seen) -> None:
    *lines, where = quoted(seen)
    log = seen.flow.folder / where.removeprefix("    All of it: ")
    assert "    before" in lines and "    wrong: expected 1, found 2" in lines
    assert log.name == "wrong.log" and [f"    {line}" for line in log.read_text().splitlines()] == lines
    assert {path.stem for path in log.parent.iterdir()} == {
        name for name, task in seen.tasks.items() if task["state_name"] not in ("Cached", "Skipped")
    }


def quoted(seen: Seen) -> list[str]:
    return [line for line in seen.output.splitlines() if line.startswith("    ")]


# Input


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["slow"], "benchmark: target: expected a stage, a group of stages or an output (slowly), found 'slow'"),
        (["--workers", "0"], "benchmark: --workers: expected at least 1, found 0"),
        (
            ["--scheduler", "tcp://x:1"],
            "benchmark: --scheduler: expected --runner dask with it, found --runner threads",
        ),
    ],
)
def test_bad_input_is_one_line(environment: dict[str, str], tmp_path: Path, arguments: list[str], line: str) -> None:
    flow = Flow.make(tmp_path, "stages:\n  slowly: {cmd: sleep 60, outs: [x]}\n", environment)
    status, output = flow.run(*arguments)
    assert (status, output.strip()) == (2, line)


def test_a_scheduler_that_does_not_answer_is_one_line_before_anything_starts(
    environment: dict[str, str], tmp_path: Path
) -> None:
    flow = Flow.make(tmp_path, "stages:\n  slowly: {cmd: sleep 60, outs: [x]}\n", environment)
    status, output = flow.run("--runner", "dask", "--scheduler", "tcp://127.0.0.1:1")
    assert status == 2
    assert output.startswith("benchmark: Dask scheduler: expected an address that answers, found tcp://127.0.0.1:1")
    assert output.count("\n") == 1
    assert not (tmp_path / ".scratch").exists()


def test_a_run_with_nothing_to_do_says_so_and_nothing_else(environment: dict[str, str], tmp_path: Path) -> None:
    flow = Flow.make(
        tmp_path, "stages: {a: {cmd: echo 1 > a, outs: [a]}, b: {cmd: cp a b, deps: [a], outs: [b]}}", environment
    )
    flow.repro()
    assert flow.run() == (0, "2 Cached\n")


@pytest.mark.slow
def test_a_damaged_list_of_busy_paths_stops_neither_the_flow_nor_dvc_after_it(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """DVC, killed as it writes the list, leaves an empty one, which it then refuses."""
    flow = Flow.make(
        tmp_path, "stages: {a: {cmd: echo 1 > a, outs: [a]}, b: {cmd: echo 2 > b, outs: [b]}}", environment
    )
    (tmp_path / ".dvc/tmp").mkdir()
    (tmp_path / ".dvc/tmp/rwlock").touch()
    with pytest.raises(subprocess.CalledProcessError):
        flow.repro("b")
    assert flow.run("a")[0] == 0
    flow.repro("b")


# Interrupts

# One ends when told, so that DVC can close its files; the other has to be killed.
POLITE = "touch started; sleep 300"
STUBBORN = "trap '' TERM INT; touch started; sleep 300 & sleep 301 & wait; wait"


@pytest.mark.parametrize(("number", "command"), [(signal.SIGINT, POLITE), (signal.SIGTERM, STUBBORN)])
def test_an_interrupt_ends_everything_within_five_seconds(
    environment: dict[str, str], tmp_path: Path, number: signal.Signals, command: str
) -> None:
    stages = {"long": {"cmd": command, "outs": ["x"]}, "next": {"cmd": "cp x y", "deps": ["x"], "outs": ["y"]}}
    flow = Flow.make(tmp_path, json.dumps({"stages": stages}), environment)
    with flow.start("next") as process:
        until((flow.folder / "started").exists)
        began = time.monotonic()
        process.send_signal(number)
        process.send_signal(number)  # the impatient do
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert time.monotonic() - began < 5
    assert flow.left() == []
    assert "Traceback" not in output and "1 Interrupted" in output
    assert flow.last_run("next")["state_type"] == "CANCELLED"
    if command == POLITE:
        assert not any(json.loads((flow.folder / ".dvc/tmp/rwlock").read_text()).values())


# Others at the same time


@pytest.mark.slow
def test_two_flows_at_once_both_succeed_and_no_stage_runs_twice(environment: dict[str, str], tmp_path: Path) -> None:
    flow = Flow.make(tmp_path, SLOW, environment)
    with flow.start("slow") as one:
        until((flow.folder / "started").exists)
        with flow.start() as two:
            until(lambda: any("Waiting for another run" in log["message"] for log in flow.asked("logs/filter")))
            (flow.folder / "go").touch()
            output = [process.communicate(timeout=60)[0] for process in (one, two)]
    assert (one.returncode, two.returncode) == (0, 0), output
    assert (flow.folder / "runs").read_text() == "run\n"
    assert (flow.folder / "quick").read_text() == "1\n"


# Waiting for the night


@pytest.mark.slow
def test_the_one_who_waits_for_the_night_ends_when_told_without_its_server_too(tmp_path: Path) -> None:
    """Prefect would go on trying to tell its server, for ever."""
    home = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    flow = Flow.make(tmp_path, "stages: {a: {cmd: echo 1 > a, outs: [a]}}", home | {"PREFECT_HOME": str(tmp_path)})
    with flow.start("a", module="flows.serve") as process:
        assert process.stdout and any("being served" in line for line in process.stdout)
        (server,) = psutil.Process(process.pid).children()
        server.kill()
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode in (0, 130)
    assert time.monotonic() - began < 10
    assert flow.left() == []
