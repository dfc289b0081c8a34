"""What a change re-runs, asked of DVC after a whole run: nothing is trained for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from _graph import downstream, opened
from _project import Project
from _run import Finished

CLONED = {"localize_insert", "evaluate", "ablate", "baseline", "sequence", "costs"}
SHOWN = {"cells", "tables", "figures"}


@pytest.fixture(scope="module")
def copied(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return finished.project.copy(tmp_path_factory.mktemp("changed") / "project")


@pytest.fixture
def project(copied: Project) -> Iterator[Project]:
    """Sources and settings may be changed: they come back."""
    yield copied
    copied.git("checkout", "--quiet", ".")


def changed(project: Project) -> set[str]:
    """The stages that DVC calls changed; those behind them follow if what these write turns out otherwise."""
    with opened(project.folder, project.environment()) as repo:
        return set(repo.status())


def kinds(finished: Finished, names: set[str]) -> set[str]:
    return {finished.graph[name].kind for name in names}


def all_of(finished: Finished, *which: str) -> set[str]:
    return {name for name, stage in finished.graph.items() if stage.kind in which}


# Code


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("flows/serve.py", set()),
        ("stages/show.py", set()),
        ("bench/regress.py", set()),
        ("bench/report/tables.py", SHOWN),
        ("stages/cells.py", {"cells"}),
        ("bench/costs/count.py", {"costs"}),
        ("paper/table1.csv", {"cells", "tables"}),
        ("pnc/methods/continual.py", {"baseline"}),
        ("pnc/cloned/model.py", CLONED - {"localize_insert"}),
        ("pnc/cloning/objective.py", CLONED),
        ("pnc/cloning/local/similarity.py", CLONED | {"local_models"}),
        ("pnc/cloning/selection.py", CLONED | {"select"}),
        ("pnc/incremental/lwf.py", {"incremental"}),
        ("pnc/arch/lenet.py", CLONED | {"pretrain", "local_models", "incremental"}),
        ("pnc/data/digits.py", {"prepare"}),
    ],
)
def test_an_edit_re_runs_the_stages_that_import_its_room(finished: Finished, file: str, expected: set[str]) -> None:
    """Read off the declared dependencies, which another test compares with the imports."""
    near = {Path(file), *Path(file).parents}
    assert (finished.project.folder / file).is_file()
    assert kinds(finished, {name for name, stage in finished.graph.items() if near & set(stage.code)}) == expected


def test_dvc_says_so_too(finished: Finished, project: Project) -> None:
    assert changed(project) == set()
    project.append("bench/report/tables.py")
    assert changed(project) == all_of(finished, *SHOWN)
    project.append("pnc/cloning/objective.py")
    assert changed(project) == all_of(finished, *SHOWN, *CLONED)


def test_another_order_of_the_samples_makes_the_local_models_out_of_date(
    finished: Finished, project: Project
) -> None:
    """They are fitted around them."""
    project.edit("pnc/base/splits.py", "_merged([rows[:", "_merged([rows.flip(0)[:")
    found = changed(project)
    assert all_of(finished, "local_models", "localize_insert", "evaluate", "ablate", "baseline") <= found


# Settings


UNTRAINED = {"baseline@main-untrained-new-old-S-0"}
TABLES = {"tables"}  # they name what is not measured, and so read all of params.yaml
UNMASKED = {"ablate_unmasked@main-unmasked-new-old-S-strict-0"}


def test_a_setting_of_one_method_re_runs_what_reads_it_and_the_tables_behind_it(
    finished: Finished, project: Project
) -> None:
    project.set("methods.untrained.cautious.settings.q", 0.8)
    assert changed(project) == UNTRAINED | TABLES
    project.set("variants.unmasked.clone.keep", 0.9)
    assert changed(project) == UNTRAINED | UNMASKED | TABLES
    reached = downstream(finished.graph, UNTRAINED | UNMASKED)
    assert kinds(finished, reached) == SHOWN | {"sequence", "costs"}  # which look for clones among those of main
    assert {"cells@T1", "cells@kept", "figures@kept"} < reached


def test_settings_of_the_clone_leave_networks_local_models_and_baselines_alone(
    finished: Finished, project: Project
) -> None:
    project.set("clone.schedule.epochs", 4)
    found = changed(project)
    assert found == all_of(finished, "localize_insert", "ablate", "tables")
    reached = downstream(finished.graph, found)
    assert kinds(finished, reached) == {"select", "evaluate", "sequence", "costs"} | SHOWN


def test_how_one_network_is_trained_is_its_own_business(finished: Finished, project: Project) -> None:
    """Tables name the architectures of networks, and so read what params.yaml says of them."""
    own = {**project.params()["networks"]["old"], "width": 0.5}
    project.set("networks.old", own)
    assert changed(project) == {"pretrain@old-0", "tables"} | all_of(finished, "cells")
    assert not kinds(finished, downstream(finished.graph, {"pretrain@old-0"})) & {"pretrain", "local_models"}


def test_other_positions_and_seeds_are_stages_beside_those_that_there_are(
    finished: Finished, project: Project
) -> None:
    project.set("grids.main.R", [2, 1, 0])
    assert changed(project) == {"localize_insert@new-old-S-strict-0-0"} | all_of(
        finished, "select", "sequence", "costs", "tables"
    )
    project.git("checkout", "--quiet", ".")
    project.set("seeds", ["0", "1"])
    own = {name for name, stage in finished.graph.items() if "seeds" in stage.arguments}
    assert changed(project) == {f"{name[:-1]}1" for name in own} | all_of(finished, "cells", "tables")


def test_what_was_changed_by_hand_is_noticed(project: Project) -> None:
    path = project.folder / "artifacts/digits/0/networks/new/seed0.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    project.append("results/digits/TABLES.md")
    assert {"pretrain@new-0", "tables"} <= changed(project)
    path.write_bytes(whole)
