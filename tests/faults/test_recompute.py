"""What a change re-runs, on the whole pipeline, and that everything else is taken from where it lies.

What DVC calls changed after an edit, room by room and key by key, is asked in tests/stages; here it runs.
"""

import csv
import io
import json
from typing import Any

from _project import EVERYTHING, Project

PAIR = "new-old-S-strict"
INSERT, SELECT, EVALUATE = f"localize_insert@{PAIR}-2-0", f"select@{PAIR}-0", f"evaluate@{PAIR}-0"
ABLATE, BASELINE = f"ablate_unmasked@main-unmasked-{PAIR}-0", "baseline@main-untrained-new-old-S-0"
CELLS, TABLES, FIGURE = "cells@T1", "tables", "figures@T1"
State = tuple[dict[str, Any], dict[str, bytes]]


def only(done: dict[str, str], outcome: str) -> set[str]:
    return {stage for stage, found in done.items() if found == outcome}


def ran(done: dict[str, str]) -> set[str]:
    """The stages that were run; every other one was cached."""
    assert set(done.values()) <= {"Ran", "Cached"}, done
    return only(done, "Ran")


def test_all_of_it_from_nothing_has_the_same_bits_and_nothing_runs_twice(project: Project) -> None:
    before = project.state()
    project.forget(*before[0])
    assert project.repro(*EVERYTHING) == dict.fromkeys(before[0], "Ran")
    assert project.state() == before
    assert project.repro(*EVERYTHING) == dict.fromkeys(before[0], "Cached")
    assert project.state() == before


def test_epochs_of_the_insertion_leave_networks_and_baselines_alone_there_and_back(project: Project) -> None:
    """What was computed once is then restored; tables and figures, which git keeps and not DVC's cache, may be
    written anew."""
    before, epochs = project.state(), project.params()["clone"]["schedule"]["epochs"]
    project.set("clone.schedule.epochs", 2)
    after = {INSERT, SELECT, EVALUATE, ABLATE, CELLS, TABLES, FIGURE}
    assert ran(project.repro(*EVERYTHING)) == after
    changed = project.state()
    assert {f"results/digits/{name}" for name in ("cells.csv", "TABLES.md")} <= different(before, changed)

    for number, state in ((epochs, before), (2, changed)):
        project.set("clone.schedule.epochs", number)
        done = project.repro(*EVERYTHING)
        assert only(done, "Ran") <= {TABLES, FIGURE}
        assert only(done, "Ran") | only(done, "Restored") == after
        assert project.state() == state


def test_a_table_s_form_touches_no_number(project: Project) -> None:
    before = project.state()
    project.edit("stages/tables.py", "Partial network cloning on", "Measured on")
    assert ran(project.repro(*EVERYTHING)) == {TABLES}
    assert different(before, project.state()) == {"results/digits/TABLES.md"}


def test_another_position_trains_one_clone_more(project: Project) -> None:
    """The figure shows R* alone."""
    project.set("grids.main.R", [2, 1])
    expected = {INSERT.replace("-2-", "-1-"), SELECT, EVALUATE, CELLS, TABLES}
    assert ran(project.repro(*EVERYTHING)) - {FIGURE} == expected


def test_another_seed_leaves_the_first_alone(project: Project) -> None:
    before = project.state()
    first = {stage for stage in before[0] if stage.endswith("-0")}
    project.set("seeds", ["0", "1"])
    assert ran(project.repro(*EVERYTHING)) == {f"{stage[:-1]}1" for stage in first} | {CELLS, TABLES, FIGURE}
    assert not [name for name in different(before, project.state()) if "/0/" in name]
    cells = csv.DictReader(io.StringIO((project.folder / "results/digits/cells.csv").read_text()))
    assert {cell["seeds"] for cell in cells if cell["quoted"] == "false"} == {"2"}


def test_a_remark_in_the_library_re_runs_what_imports_its_room_and_changes_no_bit(project: Project) -> None:
    """DVC compares the bytes of files, not their meaning. What comes out has the same bits, so that the stages behind
    it, which see only those, are left alone; where scores say which commit made them, that is all that differs."""
    before = project.state()
    project.append("pnc/data/digits.py")
    assert ran(project.repro(*EVERYTHING)) == {"prepare"}
    assert different(before, project.state()) == set()

    project.append("pnc/cloning/masks.py")
    measured = {EVALUATE, ABLATE, BASELINE}
    assert ran(project.repro(*EVERYTHING)) == {INSERT, CELLS, TABLES} | measured
    files = project.state()[1]
    for name in different(before, project.state()):
        assert without_commit(files[name]) == without_commit(before[1][name]), name


def different(before: State, after: State) -> set[str]:
    """The files that are new, gone or others."""
    return {name for name in after[1].keys() | before[1].keys() if after[1].get(name) != before[1].get(name)}


def without_commit(content: bytes) -> Any:
    """A JSON file without its checksum and the commits in it."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items() if key != "commit"}
        return [plain(inner) for inner in value] if isinstance(value, list) else value

    return {key: value for key, value in plain(json.loads(content)).items() if key != "sha256"}
