"""The nightly flow: the benchmark, then every cell against those of a git revision."""

import subprocess
import sys
from collections.abc import Sequence

from prefect import State, flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.states import Completed, Failed

from flows._flow import cores, run
from flows._graph import read_graph


@flow(name="nightly")
def nightly(targets: Sequence[str] = (), base: str = "HEAD", workers: int | None = None) -> State:
    """Completed if every stage is done and no cell is worse than in the revision ``base``."""
    state = run(read_graph(targets), targets, "threads", workers or cores(), None)
    if not state.is_completed():
        return Failed(message=f"the benchmark: {state.message}")
    return regression(base)


def regression(base: str) -> State:
    """Compare, and keep the report as an artifact."""
    command = [sys.executable, "-m", "bench.regress", "--base", base]
    compared = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    report = compared.stdout.strip()
    if not report:
        return Failed(message=(compared.stderr.strip() or "bench.regress ended without a word").splitlines()[-1])
    create_markdown_artifact(report, key="regression", description=f"Every cell against {base}")
    summary = report.splitlines()[-1]
    get_run_logger().info(summary)
    return (Failed if compared.returncode else Completed)(message=summary)
