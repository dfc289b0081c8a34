"""The flow with a Dask cluster of its own."""

import json
import signal
import sys
import time
from pathlib import Path

import pytest
from _dask import lay_out, recorded
from _flow import Flow, environment
from _watch import alive, until

pytestmark = pytest.mark.slow

__all__ = ["environment"]  # a fixture


def made(folder: Path, environment: dict[str, str], seconds: str) -> Flow:
    """A project with two stages that do not need each other."""
    stages = {
        item: {"cmd": f"{sys.executable} -m light --item {item} --seconds {seconds} && touch {item}", "outs": [item]}
        for item in ("one", "two")
    }
    return Flow.make(lay_out(folder), json.dumps({"stages": stages}), environment)


def test_stages_run_on_its_workers_and_nothing_of_dask_s_is_printed(
    environment: dict[str, str], tmp_path: Path
) -> None:
    flow = made(tmp_path / "project", environment, "1")
    status, output = flow.run("--runner", "dask", "--workers", "2")
    assert status == 0, output
    *stages, totals = output.splitlines()
    assert sorted(line.split()[-1] for line in stages) == ["one", "two"] and totals.startswith("2 Ran in ")
    for log in flow.folder.glob(".scratch/logs/*/*.log"):
        assert "light: runs on tcp://127.0.0.1:" in log.read_text()
        assert "a line of progress\n" in log.read_text()
    assert flow.left() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_stages_and_workers(
    environment: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    flow = made(tmp_path / "project", environment, "inf")
    with flow.start("--runner", "dask", "--workers", "1") as process:
        until(lambda: recorded(flow.folder, "one") or recorded(flow.folder, "two"))
        (work,) = recorded(flow.folder, "one") + recorded(flow.folder, "two")
        began = time.monotonic()
        process.send_signal(number)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert time.monotonic() - began < 10
    until(lambda: not any(map(alive, work.processes)) and flow.left() == [], 5)
    assert "Traceback" not in output and "1 Interrupted" in output
