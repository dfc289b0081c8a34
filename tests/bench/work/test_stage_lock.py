"""The lock of a stage's item: one at a time, dropped by a death, no file left, no race over its removal."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from _dask import ROOT, lay_out, recorded, start
from _watch import until

from bench.work.lock import alone

# Adds one to a number in a file, many times, each time under the lock. Unguarded, it would lose some.
ADD = """
import sys
from pathlib import Path
from bench.work.lock import alone

for _ in range(int(sys.argv[1])):
    with alone(Path("add.lock")):
        number = int(Path("number").read_text())
        Path("number").write_text(str(number + 1))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return lay_out(tmp_path / "project")


def test_the_second_process_waits_and_says_so_once(project: Path) -> None:
    with start(project, "light", "one", 0.1) as first:
        until(lambda: recorded(project, "one"))
        first.send_signal(signal.SIGSTOP)
        with start(project, "light", "one", 0.1) as second:
            assert second.stderr
            line = second.stderr.readline()
            first.send_signal(signal.SIGCONT)
            rest = second.communicate()[1]
        first.communicate()
    assert line == "light-digits-one-0.1: another process works on this, waiting for it\n"
    assert rest == "a line of progress\n"
    assert first.returncode == second.returncode == 0
    one, other = recorded(project, "one")
    assert not one.overlaps(other)
    assert list((project / ".scratch").iterdir()) == []


def test_other_items_do_not_wait(project: Path) -> None:
    with start(project, "light", "one", 0.1) as first:
        until(lambda: recorded(project, "one"))
        first.send_signal(signal.SIGSTOP)
        with start(project, "light", "other", 0) as second:
            second.communicate()
        first.send_signal(signal.SIGCONT)
        first.communicate()
    assert first.returncode == second.returncode == 0
    assert recorded(project, "one")[0].overlaps(recorded(project, "other")[0])


def test_a_killed_process_holds_nothing(project: Path) -> None:
    with start(project, "light", "one", "inf") as killed:
        until(lambda: recorded(project, "one"))
        subprocess.run(["kill", str(recorded(project, "one")[0].processes[1])], check=True)
        killed.kill()
        killed.communicate()
    with start(project, "light", "one", 0) as after:
        assert after.communicate() == ("begun 1\ndone\n", "a line of progress\n")
    assert (killed.returncode, after.returncode) == (-signal.SIGKILL, 0)


def test_the_lock_goes_with_an_error(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "one.lock"
    with pytest.raises(RuntimeError, match="inside"), alone(path):
        assert path.exists()
        raise RuntimeError("inside")
    assert not path.exists()
    with alone(path):
        pass


def test_many_at_once_lose_nothing(tmp_path: Path) -> None:
    (tmp_path / "number").write_text("0")
    options = {"cwd": tmp_path, "env": {"PYTHONPATH": str(ROOT)}, "stderr": subprocess.DEVNULL}
    processes = [subprocess.Popen([sys.executable, "-c", ADD, "200"], **options) for _ in range(6)]
    assert [process.wait() for process in processes] == [0] * 6
    assert (tmp_path / "number").read_text() == "1200"
    assert [path.name for path in tmp_path.iterdir()] == ["number"]
