"""The page of a made-up suite: near and far, mixed seeds, variants, what is not measured, what is damaged."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from _cells import MADE, PAPER, SETTINGS, TABLE_1, cell, frame
from _html import Page

from bench.html.grid import Suited, suited
from bench.html.page import inline, page
from bench.html.results import every_suite
from bench.report.cells import write_cells
from pnc.base.errors import PncError

CLONES = {"source": ["new"], "target": ["old"], "task": ["S"], "regime": ["strict", "rehearsal"]}
EMPTY = {"variant": [], "source": [], "target": [], "task": [], "regime": []}
PARAMS: dict[str, Any] = {
    "dataset": "mnist",
    "seeds": ["0_1"],
    "grids": {
        "main": {**CLONES, "R": [1, 0]},
        "steps": EMPTY,
        "kept": {**CLONES, "variant": ["half"], "regime": ["strict"]},
        "rivals": {"source": [], "target": [], "task": [], "method": []},
        "baselines": {"source": [], "target": [], "task": [], "method": []},
        "pair_baselines": {"source": [], "target": [], "task": [], "method": []},
    },
    "variants": {"half": {"clone": {"keep": 0.5}}},
    "methods": {},
    "sequences": {},
    "networks": {"old": {"arch": "lenet5"}, "new": {"arch": "lenet5"}},
    "tasks": {"S": {"classes": [0]}},
}
TABLES = {
    "T1": TABLE_1
    | {
        "columns": {"S": {"task": "S"}},
        "rows": {"PNC (full)": {"method": "pnc", "at": "best"}, "Else": {"method": "x"}},
    },
    "kept": TABLE_1
    | {
        "title": "Kept",
        "scores": "kept",
        "columns": {"": {"task": "S"}},
        "where": {"source": "new", "target": "old", "method": "pnc", "at": "best"},
        "rows": {"whole": {}, "half": {"variant": "half"}},
        "metrics": {"": ["avg"]},
    },
}
HASH = "0123456789ab"


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for place, name in ((Path(), "digits"), (Path("suites/tiny"), "tiny")):
        place.mkdir(parents=True, exist_ok=True)
        (place / "params.yaml").write_text(
            yaml.safe_dump(PARAMS | {"dataset": "digits" if name == "digits" else "mnist"})
        )
        (place / "tables.yaml").write_text(yaml.safe_dump({"tables": TABLES, "figures": ["T1"]}, sort_keys=False))
    return tmp_path


def results(*cells: dict[str, Any], settings: Any = None) -> None:
    folder = Path("results/tiny")
    folder.mkdir(parents=True, exist_ok=True)
    mnist = [each | {"dataset": "mnist"} for each in cells]
    write_cells(folder / "cells.csv", frame(*mnist))
    known = {HASH: {"settings": SETTINGS, "made": [MADE]}} if settings is None else settings
    (folder / "settings.json").write_text(json.dumps(known))


def made() -> tuple[Page, list[Suited]]:
    suites = [suited(each, PAPER) for each in every_suite()]
    return Page(page(suites, PAPER)), suites


def classes(read: Page, key: str = "T1") -> dict[str, set[str]]:
    """Those of the strict clone's cells, by metric."""
    cells = read.of(f"tiny-{key}")[0].cells()
    return {
        metric: found.classes
        for (row, regime, _, metric), found in cells.items()
        if (row, regime) == ("PNC (full)", "strict")
    }


def test_a_cell_far_from_the_paper_looks_other_than_a_near_one(workplace: Path) -> None:
    """The paper has 96.4, 99.7 and 97.0."""
    results(cell("ori", 96.6), cell("tar", 80.0), cell("avg", 99.0))
    read, _ = made()
    assert {metric: found - {"first"} for metric, found in classes(read).items()} == {
        "Ori": {"near"},
        "Tar": {"far-below"},
        "Avg": {"little-above"},
    }


def test_a_cell_has_ours_the_papers_number_and_the_distance_as_text(workplace: Path) -> None:
    results(cell("ori", 96.6), cell("tar", 80.0))
    read, _ = made()
    cells = read.of("tiny-T1")[0].cells()
    assert cells["PNC (full)", "strict", "S", "Ori"].text == "96.6 ± 0.1the paper: (96.4) +0.2"
    assert cells["PNC (full)", "strict", "S", "Tar"].text == "80.0 ± 0.1the paper: (99.7) −19.7"
    assert cells["PNC (full)", "strict", "S", "Avg"].text == "–the paper: (97.0)"


def test_a_regime_that_a_stage_would_measure_is_a_row_that_says_it_is_not_measured(workplace: Path) -> None:
    results(cell("avg", 97.0))
    read, _ = made()
    said = read.texts["tiny-T1"]
    assert "Not measured: PNC (full), rehearsal. dvc repro suites/tiny/dvc.yaml:cells@T1 measures them." in said
    assert "Not measured, as no grid asks for it: Else." in said
    missing = read.of("tiny-T1")[0].cells()["PNC (full)", "rehearsal", "S", "Avg"]
    assert missing.text.startswith("–") and "missing" in missing.classes
    assert "Not measured: size of the standalone export" not in said
    assert "Export kB (size of the standalone export)" in read.texts["tiny-cost"]
    assert "Declared in" in read.texts["digits"] and "Declared in" not in read.texts["tiny"]


def test_the_number_of_seeds_stands_in_each_cell_where_it_is_not_the_same_in_all(workplace: Path) -> None:
    results(cell("ori", 96.6, seeds=3), cell("avg", 97.0, seeds=2))
    read, _ = made()
    assert "n = 2" in read.of("tiny-T1")[0].cells()["PNC (full)", "strict", "S", "Avg"].text
    results(cell("ori", 96.6, seeds=2), cell("avg", 97.0, seeds=2))
    read, _ = made()
    assert "n = " not in read.texts["tiny-T1"] and "over 2 seeds" in read.texts["tiny-T1"]


def test_variants_are_held_against_the_settings_as_chosen(workplace: Path) -> None:
    own = {"table": "kept", "scale": ""}
    results(cell(row="whole", **own), cell(row="half", mean=75.0, variant="half", **own))
    read, _ = made()
    cells = read.of("tiny-kept")[0].cells()
    assert cells["half", "strict", "", "Avg"].text == "75.0 ± 0.1 −15.0"
    assert cells["half", "strict", "", "Avg"].classes >= {"far-below"}
    assert cells["whole", "strict", "", "Avg"].text == "90.0 ± 0.1"
    assert "the distance to “whole”" in read.of("tiny-kept")[0].caption


def test_cells_of_another_task_than_the_table_asks_for_are_named(workplace: Path) -> None:
    results(cell("avg", 97.0, task="S0"))
    read, _ = made()
    assert "Measured before the suite was changed: S: task S0 in place of S." in read.texts["tiny-T1"]


def test_settings_are_told_once_where_they_are_the_same(workplace: Path) -> None:
    other = SETTINGS | {"epochs": 9}
    known = {HASH: {"settings": SETTINGS, "made": [MADE]}, "ba9876543210": {"settings": other, "made": [MADE]}}
    results(cell("avg", 97.0), cell("avg", 98.0, regime="rehearsal", settings="ba9876543210"), settings=known)
    said = made()[0].texts["tiny-T1"]
    assert said.count("data.share 0.1") == 1
    assert "PNC (full), strict (S): epochs 3" in said and "PNC (full), rehearsal (S): epochs 9" in said
    assert MADE["commit"] in said and MADE["torch"] in said


def test_settings_that_are_not_there_are_refused_by_name(workplace: Path) -> None:
    results(cell("avg", 97.0), settings={})
    with pytest.raises(PncError, match=rf"^results/tiny/settings\.json: .* found none called {HASH}$"):
        made()


def test_a_damaged_figure_is_named(workplace: Path) -> None:
    results(cell("avg", 97.0))
    Path("results/tiny/figures").mkdir()
    Path("results/tiny/figures/T1.svg").write_text("<svg>")
    with pytest.raises(PncError, match=r"T1\.svg: expected an SVG file"):
        made()


def test_a_figure_that_was_not_drawn_has_its_command(workplace: Path) -> None:
    results(cell("avg", 97.0))
    assert "dvc repro suites/tiny/dvc.yaml:figures@T1" in made()[0].texts["tiny-T1"]


def test_a_suite_without_results_needs_none(workplace: Path) -> None:
    read, suites = made()
    assert all(isinstance(suite.results.cells, pd.DataFrame) for suite in suites)
    assert "dvc repro suites/tiny/dvc.yaml:tables suites/tiny/dvc.yaml:figures" in read.texts["tiny"]
    assert "dvc repro tables figures" in read.texts["digits"]


def test_names_cannot_bring_markup_into_the_page() -> None:
    assert inline("**bold** `a<b` [text](file.md) <script>") == (
        "<strong>bold</strong> <code>a&lt;b</code> text &lt;script&gt;"
    )
