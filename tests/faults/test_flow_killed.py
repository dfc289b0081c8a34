"""A flow that was killed, and the next one."""

from pathlib import Path

from _flow import SLOW, Flow, environment
from _watch import until

__all__ = ["environment"]  # a fixture


def test_a_killed_flow_takes_its_server_along_but_lets_its_stage_end(
    environment: dict[str, str], tmp_path: Path
) -> None:
    without = {name: value for name, value in environment.items() if name != "PREFECT_API_URL"}
    flow = Flow.make(tmp_path, SLOW, without)
    with flow.start("slow") as killed:
        until((flow.folder / "started").exists)
        killed.kill()
    until(lambda: not any("flows._server" in command for command in flow.left()), 5)
    assert any("flows._dvc" in command for command in flow.left())
    (flow.folder / "go").touch()
    status, output = flow.run("slow")
    assert status == 0, output
    assert (flow.folder / "runs").read_text() == "run\n"
    assert flow.left() == []
    flow.environment = environment  # the same database
    tasks = flow.tasks(flow.last_run("slow"))
    assert [task["state_name"] for task in tasks.values()] == ["Cached"]
