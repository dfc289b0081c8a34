"""Stages in processes that begin with torch loaded: to DVC and to us they are commands like any other."""

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from _flow import Flow
from _paths import ROOT
from _watch import serving, until

from flows._stage import Dvc, Ended, Outcome

GRAPH = """
stages:
  says: {cmd: python -m stages.hello says 'two words', outs: [says]}
  fails: {cmd: python -m stages.hello fails, outs: [fails]}
  dies: {cmd: python -m stages.hello dies, outs: [dies]}
  waits: {cmd: python -m stages.hello waits, outs: [waits]}
"""
STAGE = """
import os, signal, sys, time
from pathlib import Path

import psutil

if __name__ == "__main__":
    name, *rest = sys.argv[1:]
    print("torch" in sys.modules, rest, os.environ["DVC_STAGE"], os.environ["HERE"], Path.cwd().name)
    if name == "fails":
        sys.exit("hello: expected 1, found 2")
    if name == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    Path(name).write_text(str(os.getpid()))
    if name == "waits":
        time.sleep(300)
"""


@pytest.fixture(scope="module")
def dvc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dvc]:
    folder = tmp_path_factory.mktemp("project")
    Flow.make(folder, GRAPH, {})
    (folder / "stages").mkdir()
    (folder / "stages/__init__.py").touch()
    (folder / "stages/hello.py").write_text(STAGE)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        with Dvc({"PYTHONPATH": str(ROOT), "PATH": path, "HERE": "yes"}) as own:
            yield own


def reproduce(dvc: Dvc, stage: str) -> tuple[Ended, list[str]]:
    said: list[str] = []
    return dvc.reproduce(stage, Path("log"), said.append, lambda _: None), said


def test_a_stage_finds_its_arguments_environment_and_folder(dvc: Dvc) -> None:
    ended, said = reproduce(dvc, "says")
    assert ended == Ended(Outcome.RAN)
    assert f"True ['two words'] says yes {Path.cwd().name}" in said


def test_a_stage_that_fails_or_is_killed_is_so_for_dvc(dvc: Dvc, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reproduce(dvc, "fails")[0] == Ended(Outcome.FAILED, "hello: expected 1, found 2")
    monkeypatch.setattr("flows._stage._RETRY_SECONDS", ())
    assert reproduce(dvc, "dies")[0] == Ended(Outcome.FAILED, "killed by SIGKILL", killed=True)
    assert reproduce(dvc, "says")[0] == Ended(Outcome.CACHED)


def test_a_stop_ends_the_stage_and_all_that_was_forked_for_it(dvc: Dvc) -> None:
    (process,) = serving()
    below: list[psutil.Process] = []

    def stop() -> None:
        until(lambda: Path("waits").exists() and Path("waits").read_text())
        below.extend(process.children(recursive=True))
        dvc.stop()

    with_stop = threading.Thread(target=stop)
    with_stop.start()
    assert reproduce(dvc, "waits")[0] == Ended(Outcome.INTERRUPTED)
    with_stop.join()
    assert int(Path("waits").read_text()) in [each.pid for each in below]
    assert psutil.wait_procs([process, *below], 5)[1] == []
