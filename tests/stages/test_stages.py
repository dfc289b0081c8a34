"""The stages without DVC, in a folder of their own: what a whole run leaves."""

import json
import shutil
from collections.abc import Iterator

import pandas as pd
import pytest
from _project import Project
from _run import Finished, run
from _stages import AT, CLONES, SCORES

from pnc.arch import load_network
from pnc.base.files import read_json
from pnc.cloning.local.local_models import LocalModels
from pnc.cloning.package import ClonePackage
from pnc.methods import METHODS


@pytest.fixture(scope="module")
def cells(finished: Finished) -> pd.DataFrame:
    path = finished.project.folder / "results/digits/cells.csv"
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def scores(finished: Finished, *path: str, method: str = "pnc") -> dict[tuple[str, str], float]:
    """What a score file says of the clone: value by (at, metric)."""
    records = read_json(finished.project.folder.joinpath(SCORES, *path))["scores"]
    return {(record["at"], record["metric"]): record["value"] for record in records if record["method"] == method}


def test_the_cells_hold_every_row_of_every_table(finished: Finished, cells: pd.DataFrame) -> None:
    wanted = finished.project.params()["tables"]
    measured = cells[cells["seeds"] == "1"]
    assert {key: set(part["row"]) for key, part in measured.groupby("table")} == {
        key: set(table["rows"]) for key, table in wanted.items()
    }
    table_1 = measured[measured["table"] == "T1"]
    assert set(table_1["metric"]) == {"ori", "tar", "avg"}
    regimes = set(table_1[["row", "scale", "regime"]].itertuples(index=False, name=None))
    assert {
        ("PNC (full)", "S", "strict"),
        ("PNC-F (full)", "more", "rehearsal"),
        ("Pre-trained", "S", ""),
    } < regimes


def test_every_method_was_run(finished: Finished) -> None:
    folder = finished.project.folder / SCORES / "main/0/baseline"
    found = {record["method"] for path in folder.rglob("*.json") for record in read_json(path)["scores"]}
    methods = list(finished.project.params()["methods"].values())
    names = {name for group in methods for name in group}
    assert names < found and found - names <= {f"{name}_calibrated" for name in names}
    assert {"continual_calibrated", "lwf_calibrated", "replay_calibrated"} <= found - names
    functions = {entry.get("function", name) for group in methods for name, entry in group.items()}
    assert functions == set(METHODS.names())


def test_what_was_chosen_of_a_grid_stands_in_the_scores_settings(finished: Finished) -> None:
    path = finished.project.folder / SCORES / "main/0/baseline/continual/new/old/S.json"
    methods = read_json(path)["settings"]["methods"]
    own = methods["continual"]
    assert own["settings"]["grid"] == {"lwf": [0.5, 1.0]}
    assert own["chosen"].keys() == {"lwf"} and own["chosen"]["lwf"] in (0.5, 1.0)
    assert "chosen" not in methods["lwf"]


def test_every_cell_has_its_settings_and_how_it_was_made(finished: Finished, cells: pd.DataFrame) -> None:
    behind = json.loads((finished.project.folder / "results/digits/settings.json").read_text())
    assert set(behind) == set(cells["settings"]) - {""}
    head = finished.project.git("rev-list", "--max-parents=0", "HEAD").strip()
    commits = {made["commit"] for entry in behind.values() for made in entry["made"]}
    assert len(commits) == 1 and head.startswith(commits.pop())


def test_nothing_but_artefacts_and_results_is_left(finished: Finished) -> None:
    folder = finished.project.folder
    assert list((folder / ".scratch").rglob("*")) == []
    hidden = {path.name for path in (folder / "artifacts").rglob(".*") if path.is_file()}
    assert hidden <= {".gitignore"}
    found = (path.relative_to(folder / "results/digits") for path in (folder / "results").rglob("*.*"))
    names = {str(path) for path in found if path.parts[0] != "scores"}
    figures = {f"figures/{table}.{kind}" for table in ("kept", "positions", "T3", "costs") for kind in ("svg", "png")}
    plots = {"plots/rows.csv", "plots/positions.csv"}
    assert names == {"TABLES.md", "cells.csv", "metrics.json", "settings.json"} | figures | plots


def test_the_chosen_position_has_the_least_loss(finished: Finished) -> None:
    folder = finished.project.folder / CLONES
    packages = {R: ClonePackage.load(folder / f"at/R{R}/seed0.pnc") for R in (2, 1)}
    losses = {R: package.info.provenance["loss"] for R, package in packages.items()}
    chosen = read_json(folder / "chosen.json")["0"]
    assert losses[chosen["position"]] == min(losses.values())
    assert chosen["losses"] == {str(R): loss for R, loss in losses.items()}
    found = scores(finished, "main/0/evaluate/new/old/S/strict.json")
    assert found["best", "position"] == chosen["position"]
    assert found["last", "avg"] == found["2", "avg"]


def test_one_position_a_stage_or_all_in_one_stage_give_the_same_numbers(finished: Finished) -> None:
    alone = scores(finished, "main/0/evaluate/new/old/S/strict.json")
    together = scores(finished, "steps/0/chosen/new/old/S/strict.json")
    same = [key for key in alone if key[0] in ("1", "2", "last")]
    assert len(same) > 12 and {key: alone[key] for key in same} == {key: together[key] for key in same}


def test_the_first_step_of_a_sequence_is_that_clone_alone(finished: Finished) -> None:
    """Of the main grid: it is not trained again. The second is of the grid rest, the third of steps."""
    step = scores(finished, "main/0/evaluate/new/old/S/strict.json")
    sequence, joint = (scores(finished, "sequences/0/s1/strict.json", method=m) for m in ("pnc", "pnc_joint"))
    for metric in ("ori", "tar", "avg"):
        assert sequence["1", metric] == joint["1", metric] == step["best", metric]
    assert sequence["1", "acc_final"] == sequence["1", "acc_mean"] == step["best", "avg"]
    assert ("3", "acc4") in sequence and ("2", "acc4") not in sequence
    settings = read_json(finished.project.folder / SCORES / "sequences/0/s1/strict.json")["settings"]["steps"]
    assert [each["task"]["classes"] for each in settings] == [[0], [2, 1], [3]]
    assert all(each["clone"]["keep"] == 0.3 and each["networks"]["source"]["arch"] for each in settings)


def test_a_sequence_comes_apart_again_and_grows_by_what_each_clone_keeps(finished: Finished) -> None:
    found = scores(finished, "sequences/0/s1/strict.json")
    steps = ("1", "2", "3")
    assert [found[step, "recoverable"] for step in steps] == [1, 1, 1]
    for metric in ("params_m", "stored_params_m", "extra_params"):
        assert 0 < found["1", metric] < found["2", metric] < found["3", metric]
    network, _ = load_network(finished.project.folder / AT / "0/networks/old/seed0.safetensors")
    own = sum(parameter.numel() for parameter in network.parameters())
    for step in steps:
        assert own / 1e6 < found[step, "stored_params_m"] < found[step, "params_m"]
    package = ClonePackage.load(finished.project.folder / AT / "0/ablated/steps/chosen/new/old/next/strict/seed0.pnc")
    new = sum(part.numel() for group in ("adapter", "rows", "constants") for part in getattr(package, group).values())
    assert found["3", "extra_params"] - found["2", "extra_params"] == pytest.approx(new / own)


def test_another_kernel_has_local_models_of_its_own(finished: Finished) -> None:
    usual = scores(finished, "main/0/evaluate/new/old/S/strict.json")
    kernel = scores(finished, "readings/0/kernel/new/old/S/strict.json")
    assert kernel["2", "loss"] != usual["2", "loss"]


def test_local_models_stand_around_the_usual_share_of_all_of_a_sources_classes(finished: Finished) -> None:
    """A task with more pictures has models for just some of them."""
    folder = finished.project.folder / AT
    models = LocalModels.load(folder / "0/local_models/new/seed0.safetensors")
    samples = pd.read_parquet(folder / "data/samples.parquet").query("split == 'train'")
    labels = samples.set_index("index")["label"].loc[models.of.tolist()]
    expected = {label: round(0.2 * (samples["label"] == label).sum()) for label in range(5, 10)}
    assert labels.value_counts().to_dict() == expected
    assert models.theta.shape[1:] == (17, 5)


def test_costs_are_counted_of_every_package_and_of_what_stands_beside_it(finished: Finished) -> None:
    at = ("costs", "0", "new", "old")
    main = scores(finished, *at, "clones/S/strict.json")
    assert {at for at, _ in main} == {"1", "2", "best"}
    assert {metric for at, metric in main if at == "best"} == {metric for _, metric in main} - {
        "position",
        "package_bytes",
    }
    package = finished.project.folder / CLONES / "at/R2/seed0.pnc"
    assert (main["2", "position"], main["2", "package_bytes"]) == (2, package.stat().st_size)
    kept, whole = (scores(finished, *at, f"{variant}/S/strict.json") for variant in ("keep50", "unmasked"))
    order = (main["2", "added_macs_m"], kept["best", "added_macs_m"], whole["best", "added_macs_m"])
    assert 0 < order[0] < order[1] < order[2]
    ensemble, joint = (
        scores(finished, *at, "rivals/S.json", method=method) for method in ("direct_ensemble_calibrated", "joint")
    )
    assert ensemble["", "added_macs_m"] > kept["best", "added_macs_m"] > joint["", "added_macs_m"] > 0


def test_a_kept_fractions_accuracies_stand_beside_its_costs_as_they_were_measured(finished: Finished) -> None:
    own = read_json(finished.project.folder / SCORES / "kept/0/keep50/new/old/S/strict.json")
    carried = read_json(finished.project.folder / SCORES / "costs/0/new/old/kept/keep50/S/strict.json")
    assert (carried["settings"], carried["made"]) == (own["settings"], own["made"])
    assert [score for score in own["scores"] if score in carried["scores"]] == carried["scores"]
    assert {"avg", "package_bytes"} < {score["metric"] for score in carried["scores"]}


def test_what_was_not_cloned_yet_costs_nothing_and_is_no_mistake(project: Project) -> None:
    shutil.rmtree(project.folder / AT / "0/ablated/kept")
    shutil.rmtree(project.folder / SCORES / "costs")
    ended = project.stage("costs", source="new", target="old", seeds="0")
    assert (ended.status, ended.output) == (0, ""), ended.errors
    assert not (project.folder / SCORES / "costs/0/new/old/keep50").exists()
    assert project.stage("cells", table="costs").status == 0
    rows = (project.folder / AT / "cells/costs/cells.csv").read_text()
    assert "\ncosts,R = 2," in rows and "keep = 0.5" not in rows


def test_the_numbers_can_be_shown_again(finished: Finished) -> None:
    ended = finished.project.stage("show", table="positions")
    assert (ended.status, ended.errors) == (0, "")
    assert "PNC R=2" in ended.output and "results/digits/figures/positions.png" in ended.output


def test_the_same_parameters_give_the_same_bytes(finished: Finished, project: Project) -> None:
    """One stage of each kind is run again, with nothing of its own there."""
    before = project.made()
    last = {stage.kind: stage for stage in finished.graph.values()}  # the last of its kind: above all, other tables
    for stage in last.values():
        for out in stage.outs:
            path = project.folder / out
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for stage in sorted(last.values(), key=list(finished.graph.values()).index):
        run(project, stage)
    after = project.made()
    assert before.keys() == after.keys()
    before, after = (dict(timeless(made)) for made in (before, after))
    assert [name for name in before if before[name] != after[name]] == []


def timeless(made: dict[str, bytes]) -> Iterator[tuple[str, object]]:
    """Without the one number that no second run finds again; this suite's tables leave it out."""
    for name, content in made.items():
        if "/scores/costs/" in name:
            found = json.loads(content)
            yield name, [score for score in found["scores"] if score["metric"] != "ms_per_picture"]
        else:
            yield name, content
