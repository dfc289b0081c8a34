"""Digits stages under DVC on a Dask cluster of processes: the same bits as alone, whatever dies on the way."""

import contextlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from _dask import lay_out, recorded, start
from _project import REPRO, Command, Project
from _watch import alive, until
from distributed import Client

from flows.dask.cluster import cluster
from pnc.base.errors import PncError

STAGES = ("prepare", "pretrain@new-0")
NOWHERE = "tcp://127.0.0.1:1"


@pytest.fixture
def scheduler(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A local cluster that DVC's stages go to."""
    with cluster(workers=2) as address:
        monkeypatch.setenv("PNC_SCHEDULER", address)
        yield address


def training(project: Project) -> tuple[Command, psutil.Process]:
    """DVC while it pretrains, and the process at work, which is suspended after an epoch."""
    project.forget(STAGES[1])
    dvc = project.start(*REPRO, STAGES[1])
    until(lambda: list(project.folder.glob(".scratch/*/*.pt")))
    (stage,) = (process for process in pretraining() if "PNC_SCHEDULER" not in process.environ())
    stage.suspend()
    return dvc, stage


def dispatcher() -> psutil.Process:
    """The stage process that DVC started."""
    (found,) = (process for process in pretraining() if "PNC_SCHEDULER" in process.environ())
    return found


def pretraining() -> list[psutil.Process]:
    """Processes of the stage; their arguments begin like this."""
    below = psutil.Process().children(recursive=True)
    return [process for process in below if process.cmdline()[1:3] == ["-m", "stages.pretrain"]]


# The same bits


@pytest.mark.usefixtures("scheduler")
def test_a_cluster_makes_the_same_bytes(project: Project) -> None:
    before = project.state()
    project.forget(*STAGES)
    status, output = project.python(*REPRO, *STAGES)
    assert status == 0, output
    assert len(re.findall(r"^\w+: runs on tcp://127\.0\.0\.1:\d+ ", output, re.MULTILINE)) == 2
    assert "pretrain new, seed 0: 8/8" in output
    assert project.state() == before


@pytest.mark.usefixtures("scheduler")
def test_a_killed_worker_costs_one_try(project: Project) -> None:
    before = project.state()
    dvc, stage = training(project)
    stage.parents()[1].kill()  # above its leash
    status, output = dvc.ended()
    assert not alive(stage)
    assert status != 0
    assert re.search(r"^pretrain: killed: lost the worker tcp://", output, re.MULTILINE), output
    assert "exited with 137" in output
    project.repro(*STAGES)
    assert project.state() == before


@pytest.mark.usefixtures("scheduler")
def test_a_killed_dispatcher_takes_the_remote_stage_with_it(project: Project) -> None:
    before = project.state()
    dvc, stage = training(project)
    dispatcher().kill()
    until(lambda: not alive(stage), 5)
    assert dvc.wait() != 0
    project.repro(*STAGES)
    assert project.state() == before


@pytest.mark.usefixtures("scheduler")
def test_a_killed_dvc_leaves_a_stage_that_the_next_one_waits_for(project: Project) -> None:
    before = project.state()
    dvc, stage = training(project)
    dvc.kill()
    dvc.ended()
    successor = project.start(*REPRO, *STAGES)
    until(lambda: "another process works on this, waiting for it" in successor.log.read_text())
    stage.resume()
    status, output = successor.ended()
    assert status == 0, output
    assert not alive(stage)
    assert project.state() == before


# The cluster itself


def test_each_gpu_of_this_host_belongs_to_one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    with cluster(workers=3) as address, Client(address, set_as_default=False) as client:
        seen = client.run(os.getenv, "CUDA_VISIBLE_DEVICES")
        declared = {name: worker["resources"] for name, worker in client.scheduler_info()["workers"].items()}
    assert sorted(seen.values()) == ["", "3", "5"]
    assert declared == {name: {"GPU": 1} if gpu else {} for name, gpu in seen.items()}
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3,5"


def test_a_cluster_that_is_there_is_used_as_it_is(scheduler: str) -> None:
    with cluster(workers=7, scheduler=scheduler) as address, Client(address, set_as_default=False) as client:
        assert address == scheduler
        assert len(client.scheduler_info()["workers"]) == 2


def test_a_scheduler_that_does_not_answer_is_one_line_within_ten_seconds(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(PncError, match=f"^Dask scheduler: .*{NOWHERE}") as refused, cluster(2, NOWHERE):
        pass
    assert "\n" not in str(refused.value)
    assert time.monotonic() - began < 10
    with start(lay_out(tmp_path / "small"), "light", "one", 0, NOWHERE) as process:
        _, errors = process.communicate()
    assert process.returncode == 1
    assert errors.startswith("light: Dask scheduler: expected an address that answers") and errors.count("\n") == 1


def test_a_cluster_that_ends_ends_the_stages_on_it(tmp_path: Path) -> None:
    folder = lay_out(tmp_path / "small")
    with contextlib.ExitStack() as stack:
        address = stack.enter_context(cluster(1))
        with start(folder, "light", "one", "inf", address) as process:
            until(lambda: recorded(folder, "one"))
            pids = recorded(folder, "one")[0].processes
            stack.close()
            until(lambda: not any(map(alive, pids)), 5)
            _, errors = process.communicate()
    assert process.returncode == 137
    assert re.search(r"^light: killed: lost the (scheduler|worker .*)$", errors.splitlines()[-1])
