"""Killed at any moment, by any signal: the next run ends with the bits of an undisturbed one."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from _flow import environment
from _project import EVERYTHING, REPRO, Command, Project, outcomes
from _watch import alive, descendants, kill_all, until

__all__ = ["environment"]  # a fixture

with_prefect = pytest.mark.usefixtures("environment")

PRETRAIN = "pretrain@new-0"
INSERT = "localize_insert@new-old-S-strict-2-0"
ABLATE = "ablate_unmasked@main-unmasked-new-old-S-strict-0"
EVALUATE = "evaluate@new-old-S-strict-0"
RUNNERS = {"dvc": REPRO, "flow": ("-m", "flows.benchmark")}

# Runs a stage that is killed once an artefact is written, and before it has its name.
DIES_WRITING = """
import os, runpy, signal, sys

def flush(descriptor):
    if "/artifacts/" in os.readlink(f"/proc/self/fd/{descriptor}"):
        os.kill(os.getpid(), signal.SIGKILL)

os.fsync = flush
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__")
"""


@dataclass(frozen=True)
class Running:
    """A command that works on a stage, in the process ``worker``, whose outputs are ``outs``."""

    project: Project
    stage: str
    command: Command
    worker: psutil.Process
    outs: list[Path]


def start(project: Project, stage: str, runner: str = "dvc") -> Running:
    """Run a stage as if for the first time; returns once its process is there."""
    outs = [project.folder / out["path"] for out in project.outputs(stage)]
    words = project.command(stage)
    project.forget(stage)
    command = project.start(*RUNNERS[runner], stage)
    return Running(project, stage, command, await_worker(command, words), outs)


def await_worker(command: Command, words: list[str]) -> psutil.Process:
    """The process below ``command`` that works on the stage ``python -m WORDS``, once it is there."""
    found = until(lambda: worker(command, words) or (command.poll() is not None and "ended"), every=0.1)
    assert isinstance(found, psutil.Process), command.log.read_text()
    return found


def worker(command: Command, words: list[str]) -> psutil.Process | None:
    """DVC starts it as a command. The flow forks it, without a command line of its own, but it holds its lock."""
    module, *arguments = words
    lock = f"/.scratch/{'-'.join([module.removeprefix('stages.'), *arguments[1::2]])}.lock"
    for process in descendants(command.pid):
        try:
            if process.cmdline()[1:] == ["-m", *words] or any(f.path.endswith(lock) for f in process.open_files()):
                return process
        except psutil.Error:
            continue
    return None


def start_until(project: Project, stage: str, moment: "Moment", runner: str = "dvc") -> Running:
    running = start(project, stage, runner)
    until(lambda: moment(running) or running.command.poll() is not None)
    assert running.command.poll() is None, f"{stage} ended too early"
    return running


# Moments in a stage's life

Moment = Callable[[Running], bool]


def starting(running: Running) -> bool:
    return running.worker.is_running()


def training(running: Running) -> bool:
    """A checkpoint is there."""
    return any((running.project.folder / ".scratch").rglob("*.pt"))


def writing(running: Running) -> bool:
    """A file of the output is there, whole or not."""
    return any(out.parent.is_dir() and any(out.parent.rglob(f"*{out.name}*")) for out in running.outs)


def committing(running: Running) -> bool:
    """The stage is through, and DVC works on what it wrote."""
    return not alive(running.worker)


# Victims


def kill_stage(running: Running) -> None:
    """The stage alone: DVC reports it."""
    running.worker.kill()
    status, output = running.command.ended()
    assert status != 0
    assert outcomes(output)[running.stage] == "Failed", output


def kill_dvc(running: Running) -> None:
    """DVC alone: its stage works on, beside the next run."""
    running.command.kill()
    running.command.wait()


def kill_both(running: Running) -> None:
    kill_all(running.command)


ACCIDENTS = [
    (PRETRAIN, training, kill_stage),
    (PRETRAIN, training, kill_dvc),
    (PRETRAIN, committing, kill_both),
    (INSERT, starting, kill_dvc),
    (INSERT, training, kill_both),
    (ABLATE, training, kill_both),
    (EVALUATE, writing, kill_both),
]


@pytest.mark.parametrize(("stage", "moment", "kill"), ACCIDENTS)
def test_a_killed_run_ends_with_the_same_bits(
    project: Project, stage: str, moment: Moment, kill: Callable[[Running], None]
) -> None:
    before = project.state()
    running = start_until(project, stage, moment)
    kill(running)
    project.repro(*EVERYTHING)
    until(lambda: not alive(running.worker))  # the orphan
    assert project.state() == before


def test_a_file_that_was_never_finished_is_nobodys_input(project: Project) -> None:
    """Killed just before the renaming: what lies beside the score is not among the scores that the tables read."""
    before = project.state()
    module, *arguments = project.command(EVALUATE)
    project.forget(EVALUATE)
    status, output = project.python("-c", DIES_WRITING, module, *arguments)
    assert status == -signal.SIGKILL, output
    assert list((project.folder / "results/digits/scores/main/0/evaluate").rglob("*.part"))
    project.repro(*EVERYTHING)
    assert project.state() == before


def test_a_killed_training_goes_on_from_its_checkpoint(project: Project) -> None:
    kill_both(start_until(project, PRETRAIN, training))
    status, output = project.python(*REPRO, PRETRAIN)
    assert status == 0, output
    assert "pretrain new, seed 0: " in output
    assert "/8" not in output


def test_a_damaged_checkpoint_is_put_aside_in_one_line(project: Project) -> None:
    """A power failure may leave half a file where the checkpoint was."""
    before = project.state()
    kill_both(start_until(project, PRETRAIN, training))
    (checkpoint,) = (project.folder / ".scratch").rglob("*.pt")
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1000])
    status, output = project.python(*REPRO, *EVERYTHING)
    assert status == 0, output
    (line,) = (line for line in output.splitlines() if checkpoint.name in line)
    assert "damaged" in line
    assert "Traceback" not in output
    assert project.state() == before


@with_prefect
def test_a_flow_that_is_killed_again_and_again_ends_with_the_same_bits(project: Project) -> None:
    """From nothing."""
    before, commands = project.state(), [project.command(stage) for stage in (PRETRAIN, INSERT, EVALUATE)]
    project.forget(*project.lock())
    for words in commands:
        command = project.start(*RUNNERS["flow"], *EVERYTHING)
        await_worker(command, words)
        kill_all(command)
    status, output = project.python(*RUNNERS["flow"], *EVERYTHING)
    assert status == 0, output
    assert project.state() == before


@with_prefect
def test_a_flow_that_is_killed_alone_leaves_its_stage_to_the_next_one(project: Project) -> None:
    """Its DVC and their stage work on."""
    before = project.state()
    running = start_until(project, INSERT, training, "flow")
    below = descendants(running.command.pid)
    running.command.kill()
    running.command.wait()
    status, output = project.python(*RUNNERS["flow"], *EVERYTHING)
    assert status == 0, output
    until(lambda: not any(map(alive, below)))
    assert project.state() == before


@with_prefect
@pytest.mark.parametrize("victim", ["the stage", "its DVC"])
def test_the_flow_itself_does_again_what_was_killed(project: Project, victim: str) -> None:
    """A stage whose DVC was killed works on: the next DVC's waits for it."""
    before = project.state()
    running = start_until(project, INSERT, training, "flow")
    forkserver = running.worker.parent()
    assert forkserver is not None
    killed = running.worker if victim == "the stage" else forkserver.parent()
    assert killed is not None and killed != running.command.pid
    killed.kill()
    status, output = running.command.ended()
    assert status == 0, output
    assert project.state() == before


@with_prefect
@pytest.mark.parametrize(
    ("runner", "number"), [("dvc", signal.SIGINT), ("flow", signal.SIGINT), ("flow", signal.SIGTERM)]
)
def test_an_interrupt_ends_everything_within_5_seconds(
    project: Project, runner: str, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C is SIGINT to the command's process group, as a terminal sends it."""
    if number == signal.SIGINT:
        monkeypatch.delenv("PREFECT_API_URL")  # the flow has a server of its own, which ends too
    before = project.state()
    running = start_until(project, PRETRAIN, training, runner)
    below = descendants(running.command.pid)
    assert running.worker in below
    os.killpg(running.command.pid, number)
    try:
        assert running.command.wait(timeout=5) != 0
    finally:
        if running.command.poll() is None:
            kill_all(running.command)
    until(lambda: not any(map(alive, below)), seconds=1)
    project.repro(*EVERYTHING)
    assert project.state() == before


@with_prefect
@pytest.mark.parametrize("runner", RUNNERS)
def test_two_runs_at_once_end_with_the_same_bits(project: Project, runner: str) -> None:
    """DVC refuses a stage that another DVC works on; the flow waits for it."""
    before = project.state()
    project.forget(INSERT, EVALUATE)
    both = [project.start(*RUNNERS[runner], *EVERYTHING) for _ in range(2)]
    ended = [command.ended() for command in both]
    assert 0 in [status for status, _ in ended], ended
    for status, output in ended:
        assert status == 0 or (runner == "dvc" and "is busy" in output), output
    assert project.state() == before
