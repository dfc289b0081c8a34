"""Which packages there are to count: those of the grids that some stage has made, and no others."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.costs.left import Left, Pair, left
from bench.work.suite import Suite

PAIR = {"source": ["new"], "target": ["old"], "task": ["S"], "regime": ["strict"]}
GRIDS: dict[str, Any] = {
    "main": PAIR | {"R": [2, 1]},
    "unmasked": PAIR | {"variant": ["unmasked"]},
    "kept": PAIR | {"variant": ["keep10", "keep50"]},
}
SUITE = Suite("digits", {"dataset": "digits", "seeds": ["0_1"], "grids": GRIDS})
HERE = Pair("new", "old", "0_1")
MAIN, ABLATED = Path("artifacts/digits/0_1/clones/new/old/S/strict"), Path("artifacts/digits/0_1/ablated")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def put(path: Path, content: object = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def found(pair: Pair = HERE) -> list[tuple[str, int, tuple[str, ...], tuple[str, ...]]]:
    return [(each.variant, each.seed, each.at, each.own) for each in left(SUITE, pair)]


def test_without_a_package_there_is_nothing() -> None:
    assert found() == []


def test_a_package_of_the_main_grid_stands_for_its_position_and_a_chosen_one_for_the_best_too() -> None:
    for seed in (0, 1):
        put(MAIN / f"at/R2/seed{seed}.pnc")
    own = ("clones", "S", "strict")
    assert found() == [("", 0, ("2",), own), ("", 1, ("2",), own)]
    put(MAIN / "chosen.json", {"0": {"position": 1}, "1": {"position": 2}})
    assert found() == [("", 0, ("2",), own), ("", 1, ("2", "best"), own)]


def test_a_kept_fraction_stands_for_the_position_that_each_seed_chose() -> None:
    put(ABLATED / "kept/keep50/new/old/S/strict/seed1.pnc")
    put(ABLATED / "main/unmasked/new/old/S/strict/seed0.pnc")
    assert found() == [
        ("unmasked", 0, ("best",), ("unmasked", "S", "strict")),
        ("keep50", 1, ("best",), ("keep50", "S", "strict")),
    ]


def test_leftovers_of_other_grids_and_other_pairs_are_passed_over() -> None:
    put(MAIN / "at/R0/seed0.pnc")
    put(ABLATED / "kept/keep90/new/old/S/strict/seed0.pnc")
    assert found() == []
    put(MAIN / "at/R1/seed0.pnc")
    assert len(found()) == 1 and found(Pair("new", "other", "0_1")) == found(Pair("other", "old", "0_1")) == []


def test_a_package_names_its_stage_and_the_settings_beside_it() -> None:
    path = put(ABLATED / "kept/keep10/new/old/S/strict/seed0.pnc")
    put(path.with_name("settings.json"), {"clone": {"keep": 0.1}})
    (one,) = left(SUITE, HERE)
    assert isinstance(one, Left) and one.settings == {"clone": {"keep": 0.1}}
    assert SUITE.stage(*one.stage) == "ablate_kept@kept-keep10-new-old-S-strict-0_1"
