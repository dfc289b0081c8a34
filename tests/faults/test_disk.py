"""Disks that are full, read-only or wrong: one line that says so, nothing half-written, and no wrong number."""

import os
import re
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from _project import EVERYTHING, REPRO, Project, remove

PREPARE, PRETRAIN, LOCAL_MODELS = "prepare", "pretrain@new-0", "local_models@new-0"
INSERT, SELECT = "localize_insert@new-old-S-strict-2-0", "select@new-old-S-strict-0"
EVALUATE = "evaluate@new-old-S-strict-0"


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """Something mounted on ``folder``; the test is skipped where that is not permitted."""
    done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mount is not permitted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def full_disk(folder: Path) -> Iterator[Path]:
    """``folder`` with its content on a disk of its own, filled up by the file that this yields."""
    kept = folder.with_name(f"{folder.name}-kept")
    folder.rename(kept)
    folder.mkdir()
    with mounted(folder, "-t", "tmpfs", "-o", "size=64m", "tmpfs"):
        shutil.copytree(kept, folder, symlinks=True, dirs_exist_ok=True)
        filler = folder / "filler"
        with pytest.raises(OSError, match="No space left"), open(filler, "wb", buffering=0) as opened:
            while opened.write(bytes(4096)):
                pass
        yield filler


def refused(project: Project, *arguments: str, reason: str, limit: int | None = None) -> str:
    """The output of a command that fails for a ``reason``, said in one line and without a traceback."""

    def limited() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    status, output = project.python(*arguments, preexec_fn=limited)
    assert status != 0
    assert "Traceback" not in output, output
    assert len([line for line in output.splitlines() if reason in line]) == 1, output
    return output


@pytest.mark.parametrize("stage", [PREPARE, PRETRAIN, LOCAL_MODELS, EVALUATE, "tables"])
def test_a_stage_that_cannot_write_leaves_nothing_behind(project: Project, stage: str) -> None:
    """Every file is cut off at 1000 bytes: the error of a full disk, without a disk."""
    before = project.state()
    name, *arguments = project.command(stage)
    project.forget(stage)
    forgotten = project.state()[1]
    refused(project, "-m", name, *arguments, reason="File too large", limit=1000)
    assert project.state()[1] == forgotten
    status, output = project.python("-m", name, *arguments)
    assert status == 0, output
    assert project.state()[1] == before[1]


@pytest.mark.parametrize("where", ["artifacts", ".scratch", ".dvc/cache"])
def test_a_full_disk_is_said_and_forgotten_once_there_is_space(project: Project, where: str) -> None:
    before = project.state()
    project.forget(PRETRAIN)
    with full_disk(project.folder / where) as filler:
        refused(project, *REPRO, *EVERYTHING, reason="No space left on device")
        assert PRETRAIN not in project.lock()
        filler.unlink()
        project.repro(*EVERYTHING)
        assert project.state() == before


def test_a_read_only_cache_is_said_and_forgotten_once_it_is_writable(project: Project) -> None:
    before = project.state()
    project.forget(PRETRAIN)
    cache = project.folder / ".dvc" / "cache"
    with mounted(cache, "--bind", str(cache)):
        remount(cache, "ro")
        refused(project, *REPRO, *EVERYTHING, reason="Read-only file system")
        assert PRETRAIN not in project.lock()
        remount(cache, "rw")
        project.repro(*EVERYTHING)
        assert project.state() == before


def remount(folder: Path, mode: str) -> None:
    subprocess.run(["mount", "-o", f"remount,bind,{mode}", str(folder)], check=True)


def test_half_a_lock_file_is_said_and_made_again_from_the_cache(project: Project) -> None:
    """Plain DVC writes dvc.lock in place, so that a power failure may cut it off. Without it, nothing is trained
    again."""
    before = project.state()
    lock = project.folder / "dvc.lock"
    whole = lock.read_bytes()
    lock.write_bytes(whole[: whole.rindex(b"md5: ") + 2])
    refused(project, *REPRO, *EVERYTHING, reason="dvc.lock")
    lock.unlink()
    done = project.repro(*EVERYTHING)
    assert {stage for stage, outcome in done.items() if outcome == "Ran"} <= {"tables", "figures@T1"}
    assert project.state() == before


@pytest.mark.parametrize("stage", [PREPARE, PRETRAIN, INSERT, SELECT, EVALUATE])
def test_no_number_comes_from_a_damaged_cache(project: Project, stage: str) -> None:
    """A bit of a cached file turns over, and the file is checked out: DVC trusts what is write-protected. The stage
    that reads the file refuses it by name."""
    results = project.files("results/digits")
    (out,) = project.outputs(stage)
    turn_a_bit(max(project.cached(out), key=lambda path: path.stat().st_size))
    remove(project.folder / out["path"])
    if stage == EVALUATE:
        project.append("stages/cells.py")
    else:
        project.set("finetune.epochs", 3)
    refused(project, *REPRO, *EVERYTHING, reason=f"{out['path']}")
    assert project.files("results/digits").items() <= results.items()


def turn_a_bit(path: Path) -> None:
    """As a bad disk does: the file stays as old and as protected as it was."""
    content, about = bytearray(path.read_bytes()), path.stat()
    content[place(content)] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(about.st_mode)
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))


def place(content: bytes) -> int:
    """Where a turned bit makes another number and nothing worse: a digit in JSON, a tensor's byte elsewhere."""
    number = re.search(rb"\d+\.\d\d", content) if content.startswith(b"{") else None
    return number.end() - 1 if number else len(content) // 2
