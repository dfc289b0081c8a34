"""``python -m bench.regress``, in a repository of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from _cells import DEVICE, cell, frame
from _paths import ROOT

from bench.regress import main
from bench.report.cells import write_cells


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two suites, committed."""
    for suite in ("digits", "mnist"):
        write_cells(tmp_path / "results" / suite / "cells.csv", frame(cell(), cell("leak", 4)))
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=someone", "-c", "user.email=someone@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Numbers")


Regress = Callable[..., subprocess.CompletedProcess[str]]


def by_process(folder: Path, *arguments: str, base: str = "HEAD") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "bench.regress", "--base", base, *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture
def regress(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Regress:
    """The same within this process, which has pandas already."""

    def run(folder: Path, *arguments: str, base: str = "HEAD") -> subprocess.CompletedProcess[str]:
        command = ["bench.regress", f"--base={base}", *arguments]
        with monkeypatch.context() as patch, pytest.raises(SystemExit) as ended:
            patch.chdir(folder)
            patch.setattr(sys, "argv", command)
            main()
        assert isinstance(ended.value.code, int)
        return subprocess.CompletedProcess(command, ended.value.code, *capfd.readouterr())

    return run


def test_the_command_from_commit_to_verdict(repository: Path, regress: Regress) -> None:
    same = by_process(repository)
    assert (same.returncode, same.stdout, same.stderr) == (0, "digits, mnist against HEAD: no cell differs.\n", "")

    write_cells(repository / "results" / "digits" / "cells.csv", frame(cell(mean=80), cell("leak", 4)))
    write_cells(repository / "results" / "cifar" / "cells.csv", frame(cell(mean=50)))
    worse = regress(repository)
    assert worse.returncode == 1
    assert worse.stderr == ""
    *_, dropped, new, _, last = worse.stdout.splitlines()
    assert "| 90 | 80 | -10 | 0.5 | **dropped** |" in dropped
    assert new.startswith("| cifar, T1")
    assert last == "cifar, digits, mnist against HEAD: 1 dropped, 1 new."
    assert regress(repository, "--suite", "mnist", "cifar").returncode == 0

    (repository / "results" / "mnist" / "cells.csv").unlink()
    gone = regress(repository, "--suite", "mnist")
    assert gone.returncode == 1
    assert gone.stdout.endswith("mnist against HEAD: 2 vanished.\n")


@pytest.mark.parametrize(
    ("base", "arguments", "words"),
    [
        ("no-such-branch", (), ["--base", "'no-such-branch'"]),
        ("-x", (), ["--base", "'-x'"]),
        ("HEAD", ("--suite", "cifar"), ["suite 'cifar'", "results/cifar/cells.csv", "HEAD"]),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line(
    repository: Path, regress: Regress, base: str, arguments: tuple[str, ...], words: list[str]
) -> None:
    refused = regress(repository, *arguments, base=base)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.count("\n") == 1
    assert all(word in refused.stderr for word in words), refused.stderr


def test_tables_can_be_compared_alone_as_their_stages_left_them(repository: Path, regress: Regress) -> None:
    path = repository / "artifacts" / "digits" / "cells" / "T1" / "cells.csv"
    refused = regress(repository, "--suite", "digits", "--table", "T1")
    assert "found no artifacts/digits/cells/T1/cells.csv" in refused.stderr
    write_cells(path, frame(cell(), cell("leak", 4)))
    same = regress(repository, "--suite", "digits", "--table", "T1")
    assert (same.returncode, same.stdout) == (0, "digits against HEAD: no cell differs.\n")
    write_cells(path, frame(cell(mean=80), cell("leak", 4)))
    assert regress(repository, "--suite", "digits", "--table", "T1").returncode == 1
    assert regress(repository, "--suite", "digits").returncode == 0


def test_a_damaged_table_is_named_here_and_in_the_base(repository: Path, regress: Regress) -> None:
    path = repository / "results" / "digits" / "cells.csv"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    here = regress(repository)
    assert (here.returncode, here.stderr.count("\n")) == (2, 1)
    assert here.stderr.startswith("bench.regress: results/digits/cells.csv row")

    commit(repository)
    path.write_bytes(whole)
    before = regress(repository)
    assert (before.returncode, before.stderr.count("\n")) == (2, 1)
    assert before.stderr.startswith("bench.regress: HEAD:results/digits/cells.csv row")
    assert regress(repository, base="HEAD~1").returncode == 0


def test_outside_a_repository_the_base_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, regress: Regress
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    write_cells(tmp_path / "results" / "digits" / "cells.csv", frame(cell()))
    refused = regress(tmp_path)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "not a git repository" in refused.stderr


def test_cells_of_an_older_layout_are_said_to_be_that(repository: Path, regress: Regress) -> None:
    """Before cells said their task and variant."""
    path = repository / "results" / "digits" / "cells.csv"
    whole = path.read_text()
    path.write_text(OLDER)
    commit(repository)
    path.write_text(whole)
    refused = regress(repository)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        "bench.regress: HEAD:results/digits/cells.csv: expected cells of today's layout, "
        "found an older one, without task, variant\n"
    )
    assert regress(repository, "--suite", "mnist").returncode == 0


OLDER = """\
table,row,dataset,source,target,scale,regime,metric,mean,std,seeds,paper,quoted,device,settings
T1,PNC (full),digits,lenet5,lenet5,S,strict,avg,97.1,0.3,3,,false,CPU,00
"""


def test_other_hardware_is_said_above_the_summary(repository: Path, regress: Regress) -> None:
    path = repository / "results" / "digits" / "cells.csv"
    write_cells(path, frame(cell(device="another"), cell("leak", 4, device="another")))
    moved = regress(repository)
    assert moved.returncode == 0
    assert moved.stdout == (
        f"Measured on other hardware: {DEVICE}, now another: last bits, and with them single pictures, may differ.\n"
        "\ndigits, mnist against HEAD: no cell differs.\n"
    )


def test_comparing_needs_no_torch() -> None:
    check = "import sys, bench.regress; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT).returncode == 0
