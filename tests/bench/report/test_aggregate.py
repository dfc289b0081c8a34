"""From made-up score files to the cells of a table, and the paper's numbers beside them."""

import random
import tempfile
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from _cells import MADE, PAPER, SETTINGS, score, table_1, write_scores
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.report.aggregate import Gathered, aggregate, merged_behind
from bench.report.query import Table, table
from bench.report.scores import read_scores
from bench.work.provenance import settings_hash
from pnc.base.errors import PncError

ARCHS = {"old": "lenet5", "new": "lenet5", "old_resnet": "resnet18", "new_resnet": "resnet18", "new_cnn": "plain_cnn"}
TORCH = MADE["torch"]


def gather(*files: Path, dataset: str = "digits", wanted: Table | None = None) -> Gathered:
    arch = ARCHS.__getitem__
    return aggregate(wanted or table_1(), read_scores(files), dataset=dataset, arch=arch, paper=PAPER)


def one(cells: pd.DataFrame, **wanted: str) -> dict[Hashable, Any]:
    """The only cell with these texts."""
    for name, text in wanted.items():
        cells = cells[cells[name] == text]
    assert len(cells) == 1
    return cells.to_dict("records")[0]


def query(**changes: Any) -> Table:
    """Clones of one pair at their best position, without columns."""
    common = {"source": "new", "target": "old", "task": "S", "method": "pnc", "at": "best"}
    values = {"title": "Any", "scores": "main", "where": common, "rows": {"PNC": {}}, "metrics": {"": ["avg"]}}
    return table("any", values | changes)


# Selection


def test_a_cell_says_what_it_was_measured_on(tmp_path: Path) -> None:
    scores = [score(seed=seed, value=value, variant="unmasked") for seed, value in enumerate((90.0, 91.0, 92.005))]
    cells = gather(write_scores(tmp_path / "a.json", *scores[:2]), write_scores(tmp_path / "b.json", scores[2])).cells
    (found,) = cells.to_dict("records")
    assert np.isnan(found.pop("paper"))
    assert found == {
        "table": "T1",
        "row": "PNC (w/o Local)",
        "dataset": "digits",
        "source": "new",
        "target": "old",
        "task": "S",
        "variant": "unmasked",
        "scale": "S",
        "regime": "strict",
        "metric": "avg",
        "mean": 91.0,
        "std": 1.0,
        "seeds": 3,
        "quoted": False,
        "device": MADE["device"],
        "settings": settings_hash(SETTINGS, TORCH),
    }


def test_losses_keep_four_decimals(tmp_path: Path) -> None:
    path = write_scores(
        tmp_path / "a.json", *(score(metric="loss", seed=seed, value=0.12344 + seed) for seed in (0, 1))
    )
    found = one(gather(path, wanted=query(metrics={"": ["loss"]})).cells)
    assert (found["mean"], found["std"]) == (0.6234, 0.7071)


def test_a_row_takes_nothing_but_what_it_selects(tmp_path: Path) -> None:
    others = [
        {"source": "old"},
        {"target": "new"},
        {"task": "M2"},
        {"variant": "unmask"},
        {"method": "pnc_f"},
        {"at": "2"},
        {"metric": "acc1"},
    ]
    cells = gather(write_scores(tmp_path / "a.json", score(value=7), *(score(**other) for other in others))).cells
    assert one(cells)["mean"] == 7


def test_every_regime_is_a_cell_of_its_own_unless_it_is_selected(tmp_path: Path) -> None:
    path = write_scores(tmp_path / "a.json", *(score(regime=regime) for regime in ("rehearsal", "strict", "")))
    assert gather(path, wanted=query()).cells["regime"].tolist() == ["", "strict", "rehearsal"]
    only = query(rows={"PNC": {"regime": "rehearsal"}})
    assert gather(path, wanted=only).cells["regime"].tolist() == ["rehearsal"]


def test_cells_stand_in_the_order_of_the_table(tmp_path: Path) -> None:
    scores = [
        score(task=task, method=method, at=at, metric=metric, regime=regime)
        for metric in ("leak", "avg", "ori")
        for regime in ("rehearsal", "strict")
        for method, at in (("continual", ""), ("pnc", "best"))
        for task in ("M", "S")
    ]
    cells = gather(write_scores(tmp_path / "a.json", *scores)).cells
    assert list(dict.fromkeys(cells["row"])) == ["Continual", "PNC (full)"]
    order = [("strict", "S", "ori"), ("strict", "S", "avg"), ("strict", "S", "leak"), ("strict", "M", "ori")]
    assert list(cells[["regime", "scale", "metric"]].itertuples(index=False, name=None))[:4] == order


def test_a_table_that_nothing_was_measured_of_has_what_the_paper_says_alone(tmp_path: Path) -> None:
    cells, behind = gather(write_scores(tmp_path / "a.json", score(task="L")), dataset="mnist")
    assert len(cells) > 0 and cells["quoted"].all() and cells["paper"].notna().all()
    assert behind == {}


def test_a_new_table_needs_no_program(tmp_path: Path) -> None:
    """One that nobody has thought of: two sources averaged, by regime as a column."""
    values = {
        "title": "Both sources",
        "scores": "mine",
        "where": {"target": "old", "task": "S", "method": "mine", "source": ["new", "new_cnn"]},
        "columns": {"alone": {"regime": "strict"}, "with D_o": {"regime": "rehearsal"}},
        "rows": {"early": {"at": "1"}, "late": {"at": "9"}},
        "metrics": {"Time": ["milliseconds"]},
    }
    scores = [
        score(source=source, method="mine", at=at, regime=regime, metric="milliseconds", value=value + 10 * int(at))
        for source, value in (("new", 1), ("new_cnn", 3))
        for at in ("1", "9")
        for regime in ("strict", "rehearsal")
    ]
    cells = gather(write_scores(tmp_path / "a.json", *scores), wanted=table("mine", values)).cells
    assert cells[["row", "scale", "mean"]].to_numpy().tolist() == [
        ["early", "alone", 12.0],
        ["early", "with D_o", 12.0],
        ["late", "alone", 92.0],
        ["late", "with D_o", 92.0],
    ]
    assert set(cells["source"]) == {"new+new_cnn"}


# Means over seeds, and over names


@settings(max_examples=15)
@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["continual", "linear_probe", "pretrained"]), st.sampled_from("SM")),
        st.lists(st.floats(0, 100), min_size=1, max_size=6),
        min_size=1,
    ),
    st.randoms(use_true_random=False),
)
def test_mean_and_std_are_numpys_in_any_order(
    values: dict[tuple[str, str], list[float]], shuffled: random.Random
) -> None:
    scores = [
        score(method=method, at="", task=task, seed=seed, value=value)
        for (method, task), numbers in values.items()
        for seed, value in enumerate(numbers)
    ]
    rows = {own["method"][0]: row for row, own in table_1().rows.items()}
    with tempfile.TemporaryDirectory() as folder:
        cells = gather(write_scores(Path(folder) / "all.json", *scores)).cells
        for (method, task), numbers in values.items():
            cell = one(cells, row=rows[method], scale=task, metric="avg", regime="strict")
            assert cell["mean"] == pytest.approx(np.mean(numbers), abs=0.00501)
            spread = np.std(numbers, ddof=1) if len(numbers) > 1 else np.nan
            assert cell["std"] == pytest.approx(spread, abs=0.00501, nan_ok=True)
            assert cell["seeds"] == len(numbers)
        shuffled.shuffle(scores)
        files = [write_scores(Path(folder) / f"{number}.json", each) for number, each in enumerate(scores)]
        pd.testing.assert_frame_equal(gather(*files).cells, cells)


def test_a_mean_over_tasks_is_taken_for_each_seed(tmp_path: Path) -> None:
    files = []
    for number, values in enumerate(([90.0, 80.0], [70.0, 70.0])):
        scores = [score(task=f"S{number}", value=value, seed=seed) for seed, value in enumerate(values)]
        own = {"clone": {"keep": 0.3}, "task": {"classes": [number]}}
        files.append(write_scores(tmp_path / f"S{number}.json", *scores, settings=own))
    gathered = gather(*files, wanted=query(rows={"PNC": {"task": ["S0", "S1"]}}))
    found = one(gathered.cells)
    assert (found["task"], found["mean"], found["std"], found["seeds"]) == ("S0+S1", 77.5, 3.54, 2)
    assert gathered.behind[found["settings"]]["settings"] == {
        "clone": {"keep": 0.3},
        "task": {"S0": {"classes": [0]}, "S1": {"classes": [1]}},
    }


def test_of_a_mean_over_tasks_a_seed_counts_only_with_all_of_them(tmp_path: Path) -> None:
    scores = [
        score(task="S0", seed=0, value=10),
        score(task="S1", seed=0, value=20),
        score(task="S0", seed=1, value=90),
    ]
    path = write_scores(tmp_path / "a.json", *scores)
    found = one(gather(path, wanted=query(rows={"PNC": {"task": ["S0", "S1"]}})).cells)
    assert (found["mean"], found["seeds"]) == (15, 1)
    assert gather(path, wanted=query(rows={"PNC": {"task": ["S0", "S1", "S2"]}})).cells.empty


# What is behind the numbers


def test_seeds_measured_on_two_devices_name_both(tmp_path: Path) -> None:
    cpu = write_scores(tmp_path / "a.json", score(seed=0), made=MADE | {"device": "CPU"})
    gpu = write_scores(tmp_path / "b.json", score(seed=1), made=MADE | {"device": "an accelerator"})
    gathered = gather(gpu, cpu)
    found = one(gathered.cells)
    assert found["device"] == "CPU; an accelerator"
    assert [each["device"] for each in gathered.behind[found["settings"]]["made"]] == ["CPU", "an accelerator"]


def test_every_score_keeps_its_own_settings(tmp_path: Path) -> None:
    slow, fast = {"epochs": 9}, {"epochs": 1}
    files = [
        write_scores(tmp_path / "a.json", score(method="continual", at=""), settings=slow),
        write_scores(tmp_path / "b.json", score(), settings=fast),
    ]
    cells, behind = gather(*files)
    for row, own in (("Continual", slow), ("PNC (full)", fast)):
        digest = one(cells, row=row)["settings"]
        assert digest == settings_hash(own, TORCH)
        assert behind[digest] == {"settings": own, "made": [MADE]}


def test_the_hash_is_that_of_the_torch_that_measured(tmp_path: Path) -> None:
    path = write_scores(tmp_path / "a.json", score(), made=MADE | {"torch": "1.0.0+cpu"})
    assert one(gather(path).cells)["settings"] == settings_hash(SETTINGS, "1.0.0")


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"settings": {"epochs": 7}}, "found different ones in"),
        ({"made": MADE | {"torch": "2.9.0"}}, r"found torch 2\.14\.1 and 2\.9\.0 in"),
    ],
)
def test_seeds_under_different_settings_make_no_mean(tmp_path: Path, changes: dict[str, Any], found: str) -> None:
    files = [
        write_scores(tmp_path / "1.json", score(seed=1)),
        write_scores(tmp_path / "2.json", score(seed=2), **changes),
    ]
    with pytest.raises(PncError, match=rf"row PNC \(full\).* the same for every seed, {found} .*1\.json.*2\.json"):
        gather(*files)


def test_another_build_of_torch_is_the_same_settings(tmp_path: Path) -> None:
    gpu = write_scores(tmp_path / "1.json", score(seed=1))
    cpu = write_scores(tmp_path / "2.json", score(seed=2), made=MADE | {"torch": "2.14.1+cpu"})
    assert one(gather(gpu, cpu).cells)["seeds"] == 2


def test_what_is_behind_two_tables_is_merged() -> None:
    later = MADE | {"commit": "fffffff"}
    parts = [{"a": {"settings": {}, "made": [later]}}, {"a": {"settings": {}, "made": [MADE, later]}, "b": {}}]
    parts[1]["b"] = {"settings": {"x": 1}, "made": [MADE]}
    assert merged_behind(parts) == {
        "a": {"settings": {}, "made": [MADE, later]},
        "b": {"settings": {"x": 1}, "made": [MADE]},
    }


# The paper


def test_the_paper_stands_beside_ours_in_both_regimes(tmp_path: Path) -> None:
    cells = gather(write_scores(tmp_path / "a.json", score(), score(regime="rehearsal")), dataset="mnist").cells
    for regime in ("strict", "rehearsal"):
        assert one(cells, row="PNC (full)", scale="S", metric="avg", regime=regime)["paper"] == 97.0


def test_what_only_the_paper_has_is_quoted(tmp_path: Path) -> None:
    """One metric of one row was measured; all else of the paper's 66 cells is quoted, in that row's regime."""
    cells = gather(write_scores(tmp_path / "a.json", score()), dataset="mnist").cells
    quoted = cells[cells["quoted"]]
    assert len(quoted) == 66 - 1
    assert quoted[["mean", "std"]].isna().all(axis=None)
    assert quoted["paper"].notna().all()
    assert set(quoted["seeds"]) == {0}
    assert set(quoted["settings"]) == set(quoted["device"]) == {""}
    assert one(quoted, row="Continual", scale="M", metric="tar")["paper"] == 98.8
    assert set(quoted.loc[quoted["row"] == "PNC (full)", "regime"]) == {"strict"}
    assert set(quoted.loc[quoted["row"] == "PNC (w/o Local)", "regime"]) == {""}
    unnamed = quoted[quoted["row"] == "Direct Ensemble"]
    assert set(unnamed["source"]) == {"new"} and set(unnamed["task"]) == {"S", "M"}


def test_other_data_or_networks_are_not_the_papers(tmp_path: Path) -> None:
    other = table_1(where={"source": "new", "target": "old_resnet"})
    path = write_scores(tmp_path / "a.json", score(), score(target="old_resnet"))
    for cells in (gather(path).cells, gather(path, dataset="mnist", wanted=other).cells):
        assert np.isnan(one(cells)["paper"])


def test_a_column_without_a_heading_has_the_papers_only_scale(tmp_path: Path) -> None:
    common = {"source": "new_resnet", "target": "old_resnet", "method": "pnc", "at": "best"}
    values = {"title": "Data size", "scores": "tasks", "where": common, "metrics": {"": ["ori", "tar", "avg"]}}
    wanted = table("S2", values | {"rows": {"1% D_t": {"task": "S_1"}, "7% D_t": {"task": "S_7"}}})
    scores = [score(source="new_resnet", target="old_resnet", task=task) for task in ("S_1", "S_7")]
    cells = gather(write_scores(tmp_path / "a.json", *scores), dataset="cifar10", wanted=wanted).cells
    assert one(cells, row="1% D_t", metric="avg")["paper"] == 61.6
    assert np.isnan(one(cells, row="7% D_t")["paper"])
    assert one(cells, row="100% D_t", metric="avg")["quoted"]


def test_where_the_paper_has_two_scales_a_column_must_name_one(tmp_path: Path) -> None:
    wanted = table_1(columns={"": {"task": "S"}})
    with pytest.raises(
        PncError, match=r"tables\.T1\.columns: expected headings from the paper's scales: M, S, found ''"
    ):
        gather(write_scores(tmp_path / "a.json", score()), dataset="mnist", wanted=wanted)


def test_one_row_of_the_paper_is_joined_by_its_networks(tmp_path: Path) -> None:
    common = {"target": "old_resnet", "task": "S", "method": "pnc", "at": "best"}
    rows = {"CNN": {"source": "new_cnn", "paper": "PNC"}, "ResNet-18": {"source": "new_resnet", "paper": "PNC"}}
    wanted = table("S5", {"title": "", "scores": "sources", "where": common, "rows": rows, "metrics": {"": ["avg"]}})
    scores = [score(source=source, target="old_resnet") for source in ("new_cnn", "new_resnet")]
    cells = gather(write_scores(tmp_path / "a.json", *scores), dataset="cifar10", wanted=wanted).cells
    assert cells[["row", "paper"]].to_numpy().tolist() == [["CNN", 92.0], ["ResNet-18", 94.6]]


def test_a_network_that_the_paper_does_not_name_is_any(tmp_path: Path) -> None:
    common = {"source": "new+new_cnn", "target": "old_resnet", "task": "steps", "method": "lwf"}
    shown = {"columns": {"s = 5": {"at": "10"}}, "rows": {"LwF": {}}, "metrics": {"": ["acc_mean"]}}
    wanted = table("T3", {"title": "", "scores": "main", "where": common, **shown})
    lwf = score(**common, at="10", metric="acc_mean", regime="")
    cells = gather(write_scores(tmp_path / "a.json", lwf), dataset="cifar100", wanted=wanted).cells
    assert one(cells, row="LwF", metric="acc_mean")["paper"] == 29.5
    assert one(cells, row="iCaRL")["quoted"]
