"""A suite's params.yaml: what it may say, where artefacts lie, and how stages are called."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from _paths import ROOT
from hypothesis import given
from hypothesis import strategies as st

from bench.work.suite import (
    READ,
    MethodEntry,
    NetworkEntry,
    Suite,
    TaskEntry,
    Variant,
    changed,
    load_suite,
    seeds_of,
    spelled_out,
    suite_files,
)
from pnc.base.errors import PncError

VALUES: dict[str, Any] = {
    "dataset": "digits",
    "seeds": ["0_1", 2],
    "recipes": {"usual": {"schedule": {"epochs": 3}}},
    "networks": {
        "old": {"arch": "lenet5", "classes": "0-4", "recipe": "usual"},
        "odd": {"arch": "lenet5", "classes": [1, 3], "recipe": {"schedule": {"epochs": 5}}},
    },
    "tasks": {"S": {"classes": [0]}, "F": {"classes": "1-3", "share": 0.1}},
    "variants": {"chosen": {}, "nothing": None, "keep": {"clone": {"keep": 0.7}, "positions": [2], "finetune": True}},
    "methods": {"untrained": {"cautious": {"function": "pretrained", "regime": "strict"}}},
}
TABLES: dict[str, Any] = {"tables": {"T1": {"scores": "main"}, "T2": {"scores": "pairs"}}, "figures": ["T1"]}
SUITE = Suite("digits", VALUES)


def line(caught: pytest.ExceptionInfo[PncError]) -> str:
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Values


def test_a_value_is_read_by_its_dotted_key_which_is_remembered() -> None:
    READ.clear()
    assert SUITE.read("recipes.usual.schedule") == {"epochs": 3}
    assert (SUITE.dataset, SUITE.seeds, SUITE.arch("old")) == ("digits", ["0_1", "2"], "lenet5")
    assert {"recipes.usual.schedule", "dataset", "seeds", "networks.old.arch"} == READ


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("network", "digits: network: expected one of dataset, seeds, recipes, networks, tasks,"),
        ("networks.new", "digits: networks.new: expected one of old, odd, found 'new'"),
        ("networks.old.arch.width", "digits: networks.old.arch.width: expected one of str, found 'width'"),
    ],
)
def test_a_key_that_is_not_there_is_named_with_its_neighbours(key: str, said: str) -> None:
    with pytest.raises(PncError) as caught:
        SUITE.read(key)
    assert line(caught).startswith(said)


def test_entries_are_typed_and_what_they_leave_out_has_a_default() -> None:
    network: NetworkEntry = SUITE.entry(NetworkEntry, "networks.old")
    assert (network.labels, network.width) == ((0, 1, 2, 3, 4), 1.0)
    odd: NetworkEntry = SUITE.entry(NetworkEntry, "networks.odd")
    assert [SUITE.recipe(entry)["schedule"]["epochs"] for entry in (network, odd)] == [3, 5]
    tasks = [SUITE.entry(TaskEntry, f"tasks.{name}") for name in ("S", "F")]
    assert [(task.outputs, task.share) for task in tasks] == [((0,), None), ((1, 2, 3), 0.1)]
    assert SUITE.entry(Variant, "variants.chosen") == SUITE.entry(Variant, "variants.nothing") == Variant()
    assert SUITE.entry(Variant, "variants.keep") == Variant({"keep": 0.7}, (2,), True)
    assert SUITE.entry(MethodEntry, "methods.untrained.cautious") == MethodEntry("pretrained", "strict")


def test_an_unknown_key_of_an_entry_is_refused_by_name() -> None:
    suite = Suite("digits", {"tasks": {"S": {"classes": [0], "shaer": 1}}})
    with pytest.raises(PncError) as caught:
        suite.entry(TaskEntry, "tasks.S")
    assert line(caught) == "digits: tasks.S: unknown key: expected one of classes, share, found shaer"


@given(st.integers(0, 300), st.integers(0, 50))
def test_a_range_of_classes_is_spelled_out(first: int, more: int) -> None:
    classes = tuple(range(first, first + more + 1))
    assert spelled_out(f"{first}-{first + more}") == classes == spelled_out(classes)


@pytest.mark.parametrize("text", ["", "4", "4-", "-4", "5-4", "0-4-8", "a-b", "0 4"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(PncError, match=f"^classes: expected a list of numbers, or FIRST-LAST, found '{text}'$"):
        spelled_out(text)


def test_groups_of_seeds() -> None:
    assert seeds_of("0_1_2") == [0, 1, 2] and seeds_of("7") == [7]
    with pytest.raises(PncError, match=r"^seeds: expected numbers joined by _, found '0,1'$"):
        seeds_of("0,1")


PLAIN = st.recursive(
    st.integers(), lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=8
)
MAPPINGS = st.dictionaries(st.sampled_from("abc"), PLAIN, max_size=3)


@given(MAPPINGS, MAPPINGS)
def test_a_change_changes_just_the_keys_that_it_names(values: dict[str, Any], changes: dict[str, Any]) -> None:
    def leaves(value: Any, place: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
        if not isinstance(value, dict) or not value:
            return {place: value}
        return {key: leaf for name, inner in value.items() for key, leaf in leaves(inner, (*place, name)).items()}

    before = repr(values)
    found, named = leaves(changed(values, changes)), leaves(changes)
    for place, value in named.items():
        if value != {}:
            assert found[place] == value
    for place, value in leaves(values).items():
        if not any(place[: len(other)] == other or other[: len(place)] == place for other in named):
            assert found[place] == value
    assert repr(values) == before
    assert changed(values, {}) == values and changed({}, changes) == changes


# Paths and names


def test_every_artefact_lies_at_a_path_of_its_names() -> None:
    item = ("new", "old", "S", "strict", "0_1")
    assert SUITE.data("train.safetensors") == Path("artifacts/digits/data/train.safetensors")
    assert SUITE.network("old", "0_1") == Path("artifacts/digits/0_1/networks/old")
    assert SUITE.local_models("new", "0_1") == Path("artifacts/digits/0_1/local_models/new")
    assert SUITE.clones(*item) == Path("artifacts/digits/0_1/clones/new/old/S/strict")
    assert SUITE.ablated("kept", "keep", *item) == Path("artifacts/digits/0_1/ablated/kept/keep/new/old/S/strict")
    assert SUITE.scores("main", "a", "0_1") == Path("results/digits/scores/main/0_1/a.json")


def test_stages_are_called_as_dvc_calls_them() -> None:
    assert SUITE.stage("prepare") == "prepare"
    assert SUITE.stage("pretrain", "old", "0_1") == "pretrain@old-0_1"
    assert Suite("mnist", VALUES).stage("pretrain", "old", "0") == "suites/mnist/dvc.yaml:pretrain@old-0"


def test_a_table_finds_the_scores_of_its_group_and_the_main_ones_of_this_suites_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tables.yaml").write_text(yaml.safe_dump(TABLES))
    for name in ("main/0_1/a.json", "main/2/b/c.json", "main/5/a.json", "pairs/2/a.json", "kept/2/a.json"):
        path = Path("results/digits/scores", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    at = SUITE.results / "scores"
    assert SUITE.score_files("T1") == [at / "main/0_1/a.json", at / "main/2/b/c.json"]
    assert SUITE.score_files("T2") == [at / "main/0_1/a.json", at / "main/2/b/c.json", at / "pairs/2/a.json"]


# Files


def test_the_projects_suites_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    files = suite_files()
    assert {"digits", "mnist"} <= files.keys() and files["mnist"] == Path("suites/mnist/params.yaml")
    for name, path in files.items():
        suite = load_suite(name)
        assert suite.dataset == suite.read("data.dataset") if name != "digits" else "digits"
        assert (suite.at, suite.results) == (Path("artifacts", name), Path("results", name))
        assert set(suite.names("figures")) <= set(suite.names("tables")) and path.with_name("tables.yaml").is_file()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "params.yaml: expected the keys dataset, seeds, found None"),
        ("{", "params.yaml: expected YAML, found ParserError "),
        ("[1]", "params.yaml: expected the keys dataset, seeds, found [1]"),
        ("at: x", "params.yaml: expected the keys dataset, seeds, found at"),
        ("\xff", "params.yaml: expected YAML, found UnicodeDecodeError "),
    ],
)
def test_a_file_that_is_no_suite_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_bytes(text.encode("latin-1"))
    with pytest.raises(PncError) as caught:
        load_suite("digits")
    assert str(caught.value).startswith(said)


def test_an_unknown_suite_is_refused_beside_those_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "suites/own").mkdir(parents=True)
    (tmp_path / "suites/own/params.yaml").write_text(yaml.safe_dump(VALUES))
    assert load_suite("own").values == VALUES
    with pytest.raises(PncError, match=r"^suite: expected one of digits, own, found 'maxi'$"):
        load_suite("maxi")
    with pytest.raises(PncError, match=r"^params.yaml: expected a file of parameters, found no file$"):
        load_suite("digits")
