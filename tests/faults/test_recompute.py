"""What a change re-runs, on the whole pipeline, and that everything else is taken from where it lies."""

from _project import EVERYTHING, Project

PREPARE, SELECT = "prepare@digits", "select_digits@digits-S-strict-0"
TABLES, FIGURES = "tables@digits", "figures@digits"


def clones(*positions: int, seed: int = 0) -> set[str]:
    return {f"localize_insert_digits@digits-S-strict-{position}-{seed}" for position in positions}


def measured(*stages: str, seed: int = 0) -> set[str]:
    return {f"{stage}_digits@digits-S-strict-{seed}" for stage in stages}


def baselines(seed: int = 0) -> set[str]:
    return {f"baseline_digits@digits-{name}-S-{seed}" for name in ("continual", "direct_ensemble_calibrated")}


def networks(seed: int = 0) -> set[str]:
    return {f"pretrain_digits@digits-{role}-{seed}" for role in ("source", "target")}


def local_models(seed: int = 0) -> set[str]:
    return {f"local_models_digits@digits-S-{seed}"}


def only(done: dict[str, str], outcome: str) -> set[str]:
    return {stage for stage, found in done.items() if found == outcome}


def ran(done: dict[str, str]) -> set[str]:
    """The stages that were run; every other one was cached."""
    assert set(done.values()) <= {"Ran", "Cached"}, done
    return only(done, "Ran")


def test_nothing_runs_twice(project: Project) -> None:
    before = project.state()
    assert set(project.repro(*EVERYTHING).values()) == {"Cached"}
    assert project.state() == before


def test_epochs_of_the_insertion_leave_networks_and_local_models_alone_there_and_back(project: Project) -> None:
    """The baselines run again for they write the clone's settings down. What was computed once is then restored;
    tables and figures, which git keeps and DVC's cache does not, are written anew."""
    before = project.state()
    project.set("clone.schedule.epochs", 2)
    done = project.repro(*EVERYTHING)
    after = clones(2, 1) | {SELECT, TABLES, FIGURES} | measured("evaluate", "ablate") | baselines()
    assert ran(done) == after
    assert set(done) - after == {PREPARE} | networks() | local_models()
    changed = project.state()
    assert changed != before

    for epochs, state in ((3, before), (2, changed)):
        project.set("clone.schedule.epochs", epochs)
        done = project.repro(*EVERYTHING)
        assert only(done, "Ran") == {TABLES, FIGURES}
        assert only(done, "Restored") == after - {TABLES, FIGURES}
        assert project.state() == state


def test_the_kept_fraction_trains_clones_anew_and_nothing_before_them(project: Project) -> None:
    project.set("clone.keep", 0.6)
    done = project.repro(SELECT, *measured("evaluate"))
    assert ran(done) == clones(2, 1) | {SELECT} | measured("evaluate")
    assert set(done) - ran(done) == {PREPARE} | networks() | local_models()


def test_a_table_s_form_touches_no_number(project: Project) -> None:
    """Figures share just the names and order of rows with tables."""
    before = project.state()
    project.edit("stages/tables.py", "Partial network cloning on", "Measured on")
    assert ran(project.repro(*EVERYTHING)) == {TABLES}
    assert different(before, project) == {"results/digits/TABLES.md"}
    append(project, "pnc/bench/tables.py", "# A remark.")
    assert ran(project.repro(*EVERYTHING)) == {TABLES}
    append(project, "pnc/bench/labels.py", "# A remark.")
    assert ran(project.repro(*EVERYTHING)) == {TABLES, FIGURES}
    assert different(before, project) == {"results/digits/TABLES.md"}


def test_another_position_trains_one_clone_more(project: Project) -> None:
    project.set("positions", [2, 1, 0])
    expected = clones(0) | {SELECT, TABLES, FIGURES} | measured("evaluate", "ablate")
    done = project.repro(*EVERYTHING)
    assert ran(done) == expected
    assert set(done) - expected == {PREPARE} | networks() | local_models() | clones(2, 1) | baselines()
    assert "PNC R=0" in (project.folder / "results/digits/cells.csv").read_text()


def test_another_seed_leaves_the_first_alone(project: Project) -> None:
    project.set("seeds", ["0", "1"])
    own = networks(1) | local_models(1) | clones(2, 1, seed=1) | baselines(1)
    own |= measured("select", "evaluate", "ablate", seed=1)
    assert ran(project.repro(*EVERYTHING)) == own | {TABLES, FIGURES}
    cells = (project.folder / "results/digits/cells.csv").read_text()
    assert "PNC R=1,digits,lenet5,lenet5,S,strict,loss," in cells


def test_a_remark_in_the_library_re_runs_the_file_s_own_stages_and_stops_there(project: Project) -> None:
    """DVC compares the bytes of files, not their meaning: every stage that lists the file runs again. They end
    with the same bits, so the stages behind them, which see only those, are left alone."""
    before = project.state()
    append(project, "pnc/masks.py", "# A remark.")
    assert ran(project.repro(*EVERYTHING)) == clones(2, 1) | measured("evaluate", "ablate")
    assert different(before, project) == set()
    outputs = {stage: entry["outs"] for stage, entry in project.lock().items()}
    assert outputs == {stage: entry["outs"] for stage, entry in before[0].items()}


def append(project: Project, name: str, line: str) -> None:
    with open(project.folder / name, "a") as opened:
        opened.write(f"{line}\n")


def different(before: tuple[dict, dict[str, bytes]], project: Project) -> set[str]:
    """The files that are new, gone or others than in an earlier ``state``."""
    files = project.state()[1]
    return {name for name in files.keys() | before[1].keys() if files.get(name) != before[1].get(name)}
