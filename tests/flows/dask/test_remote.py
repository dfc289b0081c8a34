"""Stages on a Dask cluster of separate processes: what they print, how they end, who may run beside whom."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from _dask import ENVIRONMENT, ROOT, Cluster, cluster, lay_out, recorded, start
from _watch import alive, until

from flows.dask import remote
from flows.dask.resources import obtainable, required
from pnc.base.errors import PncError

pytestmark = pytest.mark.slow

GPU = ("--nthreads", "3", "--resources", "GPU=1")
PLAIN = ("--nthreads", "3")


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One worker with a GPU and one without, which work somewhere else when they start."""
    with cluster(tmp_path_factory.mktemp("cluster") / "workers", GPU, PLAIN) as own:
        yield own


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return lay_out(tmp_path / "project")


def left(folder: Path) -> list[Path]:
    """Locks and other files of unfinished work."""
    return list((folder / ".scratch").iterdir())


# What is printed, and the exit status


def test_lines_come_while_the_stage_works_and_its_status_at_the_end(dask: Cluster, project: Path) -> None:
    with start(project, "light", "one", 1, dask.address) as process:
        assert process.stdout and process.stderr
        assert process.stdout.readline() == "begun 1\n"  # threads as here, not as on the worker
        assert recorded(project, "one")[0].end == float("inf"), "the line came only when all was over"
        rest, errors = process.communicate()
    assert (process.returncode, rest) == (0, "done\n")
    where, progress = errors.splitlines()
    assert where.startswith("light: runs on tcp://") and progress == "a line of progress"
    assert process.pid not in recorded(project, "one")[0].processes
    assert left(project) == []


def test_bad_input_found_by_the_worker_is_the_same_line(dask: Cluster, project: Path) -> None:
    with start(project, "light", "one", -1) as here, start(project, "light", "one", -1, dask.address) as there:
        own, other = here.communicate(), there.communicate()
    assert here.returncode == there.returncode == 1
    assert own == ("", "light: seconds: expected no less than 0, found -1.0\n")
    assert (other[0], other[1].splitlines(keepends=True)[1:]) == (own[0], [own[1]])


def test_arguments_are_checked_before_the_cluster_is_asked(project: Path) -> None:
    command = [sys.executable, "-m", "light", "--suite", "none", "--item", "one", "--seconds", "1"]
    environment = os.environ | ENVIRONMENT | {"PNC_SCHEDULER": "tcp://127.0.0.1:1"}
    ended = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (1, "light: suite: expected one of digits, found 'none'\n")


def test_a_stage_that_is_killed_there_is_killed_here(dask: Cluster, project: Path) -> None:
    with start(project, "light", "one", "inf", dask.address) as process:
        until(lambda: recorded(project, "one"))
        stage, *others = recorded(project, "one")[0].processes
        os.kill(stage, signal.SIGKILL)
        process.communicate()
    assert process.returncode == 137
    until(lambda: not any(map(alive, others)), 5)


# Ends


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_remote_stage_ends_with_the_one_who_waits(dask: Cluster, project: Path, how: signal.Signals) -> None:
    with start(project, "light", "one", "inf", dask.address) as process:
        until(lambda: recorded(project, "one"))
        processes = recorded(project, "one")[0].processes
        process.send_signal(how)
        killed = time.monotonic()
        until(lambda: not any(map(alive, processes)), 5)
        _, errors = process.communicate()
        assert time.monotonic() - killed < 5
    assert process.returncode == (-how if how == signal.SIGKILL else 128 + how)
    assert "Traceback" not in errors
    with start(project, "light", "one", 0, dask.address) as successor:
        assert successor.communicate()[0] == "begun 1\ndone\n"


def test_a_lost_worker_ends_its_stage_and_no_other_takes_it(dask: Cluster, project: Path) -> None:
    lost = dask.add("--resources", "GPU=1,ONCE=1")
    dask.ready()
    with (project / "params.yaml").open("a") as parameters:
        parameters.write("\nresources: {light: {ONCE: 1}}\n")
    with start(project, "light", "one", "inf", dask.address) as process:
        until(lambda: recorded(project, "one"))
        other = dask.add("--resources", "ONCE=1")
        dask.ready()
        processes = recorded(project, "one")[0].processes
        lost.kill()
        lost.wait()
        until(lambda: not any(map(alive, processes)), 5)
        _, errors = process.communicate(timeout=10)
    dask.remove(other)
    assert process.returncode == 137
    assert errors.splitlines()[-1].startswith("light: killed: lost the worker tcp://")
    assert len(recorded(project, "one")) == 1


def test_a_folder_that_the_worker_does_not_share_is_named(dask: Cluster, project: Path) -> None:
    """As if its disk had another folder of this name: without the file that this host puts there."""
    script = (
        "import contextlib, pathlib, runpy, sys; from flows.dask import remote;"
        "remote._token = lambda: contextlib.nullcontext(pathlib.Path('elsewhere').absolute());"
        "sys.argv = ['light', '--suite', 'digits', '--item', 'one', '--seconds', '0'];"
        "runpy.run_path('light.py', run_name='__main__')"
    )
    environment = os.environ | ENVIRONMENT | {"PNC_SCHEDULER": dask.address}
    command = [sys.executable, "-c", script]
    ended = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    assert ended.returncode == 1
    line = (
        f"light: {project} on {os.uname().nodename}: expected the project's folder, on a shared disk, found not it\n"
    )
    assert ended.stderr == line
    assert recorded(project, "one") == []


# Resources


def runs_beside(project: Path, stage: str, dask: Cluster) -> bool:
    """Whether such a stage runs while another does, or first when that has ended."""
    shutil.rmtree(project)
    lay_out(project)
    with start(project, stage, "one", "inf", dask.address) as one:
        until(lambda: recorded(project, "one"))
        with start(project, stage, "other", 0, dask.address) as other:
            until(lambda: dask.tasks() == 2 or other.poll() is not None)
            with contextlib.suppress(subprocess.TimeoutExpired):
                other.wait(1)
            beside = bool(recorded(project, "other"))
            one.terminate()
            one.communicate()
            _, errors = other.communicate()
            assert other.returncode == 0, errors
    return beside


def test_stages_share_no_gpu(dask: Cluster, project: Path) -> None:
    assert not runs_beside(project, "heavy", dask), "one GPU, three threads, and a second worker"
    assert runs_beside(project, "light", dask)
    second = dask.add(*GPU)
    dask.ready()
    assert runs_beside(project, "heavy", dask), "two GPUs"
    dask.remove(second)


@pytest.mark.parametrize(
    ("offers", "found"),
    [
        ([{"GPU": 1}], {"GPU": 1}),
        ([{}, {"GPU": 2}], {"GPU": 1}),
        ([{}, {}], {}),
        ([{"MEMORY": 8}], {}),
    ],
)
def test_a_resource_that_no_worker_declares_is_not_asked_for(
    offers: list[dict[str, float]], found: dict[str, float]
) -> None:
    assert obtainable("heavy", {"GPU": 1}, offers) == found


def test_more_than_any_worker_has_is_refused() -> None:
    with pytest.raises(PncError, match=r"^resources\.heavy: expected no more than .*'GPU': 1.*, found {'GPU': 2}$"):
        obtainable("heavy", {"GPU": 2}, [{"GPU": 1}, {}])
    with pytest.raises(PncError, match="no more than"):
        obtainable("heavy", {"GPU": 1, "MEMORY": 8}, [{"GPU": 1}, {"MEMORY": 8}])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("resources: {heavi: {GPU: 1}}", ["resources", "heavy, light", "'heavi'"]),
        ("resources: {heavy: {GPU: one}}", ["resources.heavy", "'one'"]),
        ("resources: {heavy: {GPU: true}}", ["resources.heavy", "True"]),
        ("resources: {heavy: {GPU: 0}}", ["resources.heavy", "0"]),
        ("resources: {heavy: 1}", ["resources.heavy", "1"]),
        ("resources: [heavy]", ["resources", "['heavy']"]),
    ],
)
def test_wrong_resources_are_refused_by_name(tmp_path: Path, text: str, words: list[str]) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(PncError) as refused:
        required("light", {"heavy", "light"}, path)
    assert all(word in str(refused.value) for word in words)


def test_stages_that_are_not_listed_need_nothing(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("resources: {heavy: {GPU: 0.5}}")
    assert required("heavy", {"heavy", "light"}, path) == {"GPU": 0.5}
    assert required("light", {"heavy", "light"}, path) == {}
    path.write_text("suites: {}")
    assert required("heavy", {"heavy"}, path) == {}


# Without Dask


def test_a_stage_that_runs_here_loads_no_dask() -> None:
    check = "import sys, bench.work.cli; assert not {'distributed', 'torch', 'flows.dask.remote'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], cwd=ROOT, check=True)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "find_spec", lambda name: None)
    with (
        pytest.raises(PncError, match="PNC_SCHEDULER: expected the package distributed"),
        remote.connected("tcp://a:1"),
    ):
        pass
