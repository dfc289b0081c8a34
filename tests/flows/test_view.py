"""What a run shows: on a terminal as it goes on, elsewhere a line for each stage as it ends."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from flows._stage import Outcome
from flows._view import View

LONG = "mnist:localize_insert@new-old-S-strict-2-0_1_2"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_elsewhere_each_stage_is_a_line_as_it_ends_and_what_needed_no_process_is_counted() -> None:
    written = io.StringIO()
    with View(6, Console(file=written, width=40)) as view:
        view.end("a@1", Outcome.CACHED)
        view.end("a@2", Outcome.CACHED)
        for stage, outcome, message in ((LONG, Outcome.RAN, ""), ("b", Outcome.FAILED, "b: [bad]")):
            view.start(stage)
            view.show(stage, "epoch 1/3")
            view.end(stage, outcome, message)
        view.end("c@1", Outcome.SKIPPED, "needs b")
        view.end("c@2", Outcome.SKIPPED, "needs b")
    assert [" ".join(line.split()) for line in written.getvalue().splitlines()] == [
        f"Ran 0.0 s {LONG}",
        "Failed 0.0 s b (b: [bad])",
        "Skipped 2 stages (needs b)",
        "2 Cached, 1 Ran, 1 Failed, 2 Skipped in 0:00:00",
    ]


def test_a_failed_stage_s_last_lines_and_its_log_are_there() -> None:
    written = io.StringIO()
    with View(1, Console(file=written, width=40)) as view:
        view.start("toy:a")
        log = view.log("toy:a")
        log.write_text("".join(f"line {number}\n" for number in range(50)))
        view.end("toy:a", Outcome.FAILED, "line 49")
    lines = written.getvalue().splitlines()
    assert "    line 49" in lines and "    line 1" not in lines
    assert f"    All of it: {log}" in lines


def test_a_terminal_of_80_columns_tells_stages_apart() -> None:
    written = io.StringIO()
    console = Console(file=written, width=80, height=24, force_terminal=True, color_system=None)
    view = View(45, console)
    view.end("a", Outcome.CACHED)
    view.end("b", Outcome.FAILED, "b: bad")
    for number in (1, 2):
        view.start(LONG.replace("-2-", f"-{number}-"))
        view.show(LONG.replace("-2-", f"-{number}-"), "epoch 3/12, loss 0.123 [and a long rest] " * 4)
    console.print(view)
    head, *lines = written.getvalue().splitlines()
    assert "2 of 45 stages, 1 failed" in head
    assert [line.split()[-1] for line in lines[::2]] == [LONG.replace("-2-", f"-{number}-") for number in (1, 2)]
    assert all("epoch 3/12, loss 0.123 [and" in line and line.endswith("…") for line in lines[1::2])
    assert all(len(line) <= 80 for line in (head, *lines))


def test_totals_of_nothing_are_words() -> None:
    assert View(0).totals() == "no stage"
