"""Tables as tables.yaml has them: what they select, and which mistakes are named."""

from typing import Any

import pytest
import yaml
from _cells import TABLE_1, table_1
from _paths import ROOT
from hypothesis import given
from hypothesis import strategies as st

from bench.report.query import DEFAULTS, KEYS, NAMED, table, tables
from pnc.base.errors import PncError


def test_a_cell_selects_where_and_row_and_column() -> None:
    assert table_1().select("PNC (w/o Local)", "M") == {
        "source": ("new",),
        "target": ("old",),
        "task": ("M",),
        "method": ("pnc",),
        "variant": ("unmasked",),
        "at": ("best",),
    }


def test_what_is_not_selected_has_its_default_and_the_regime_is_free() -> None:
    selected = table_1().select("Pre-trained", "S")
    assert {key: selected[key] for key in DEFAULTS} == {"variant": ("",), "at": ("",)}
    assert "regime" not in selected


def test_a_row_may_differ_from_where() -> None:
    assert table_1(rows={"PNC": {"method": "pnc", "source": "new_cnn"}}).select("PNC", "S")["source"] == ("new_cnn",)


def test_numbers_stand_for_their_text() -> None:
    """YAML reads ``1:`` and ``at: 2`` as numbers."""
    found = table_1(rows={1: {"method": "pnc", "at": 2}})
    assert found.select("1", "S")["at"] == ("2",)


def test_a_column_is_not_needed() -> None:
    found = table_1(columns={"": {}}, where={"source": "new", "target": "old", "task": "S"})
    assert list(found.columns) == [""]
    assert found.fixed("task", "") == "S"


def test_the_paper_may_call_a_row_otherwise() -> None:
    found = table_1("S5", rows={"ResNet-50": {"method": "pnc", "paper": "PNC"}, "Joint": {"method": "joint"}})
    assert [found.paper_row(row) for row in found.rows] == ["PNC", "Joint"]


@pytest.mark.parametrize(
    ("key", "changes", "kind"),
    [
        ("T1", {}, "rows"),
        ("positions", {}, "positions"),
        ("kept", {"x": {"Continual": 0.5}}, "curve"),
        ("T1", {"figure": "positions"}, "positions"),
    ],
)
def test_the_kind_of_figure(key: str, changes: dict[str, Any], kind: str) -> None:
    assert table_1(key, **changes).figure == kind


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in TABLE_1.items() if key != name}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], r"tables\.T1: expected .* found \[\]"),
        (without("title"), r"tables\.T1: expected every required key .* found no title"),
        (without("metrics"), r"tables\.T1: .* found no metrics"),
        (TABLE_1 | {"colour": "red"}, r"tables\.T1: unknown key: expected one of .*, found colour"),
        (TABLE_1 | {"title": 1}, r"tables\.T1\.title: expected a value of type str, found 1"),
        (TABLE_1 | {"rows": {}}, r"tables\.T1\.rows: expected a mapping with at least one key"),
        (TABLE_1 | {"rows": {"PNC": None}}, r"tables\.T1\.rows\.PNC: expected a mapping, found None"),
        (
            TABLE_1 | {"rows": {"PNC": {"metod": "pnc"}}},
            r"rows\.PNC: unknown key: expected one of .*method.*, found metod",
        ),
        (TABLE_1 | {"rows": {"PNC": {"method": []}}}, r"rows\.PNC\.method: expected a name or a list .*, found \[\]"),
        (TABLE_1 | {"rows": {"PNC": {"method": True}}}, r"rows\.PNC\.method: expected a name .* found True"),
        (TABLE_1 | {"where": {"task": ["S", "S"]}}, r"where\.task: expected .* different ones"),
        (
            TABLE_1 | {"where": {"regime": ["strict", "rehearsal"]}},
            r"where\.regime: expected one of them, or none for a row each",
        ),
        (
            TABLE_1 | {"metrics": {"": ["avg", "acc"]}},
            r"metrics: unknown metric: expected one of .*'?avg.*, found \['acc'\]",
        ),
        (TABLE_1 | {"metrics": {"Size": []}}, r"metrics\.Size: expected a list of metrics, found \[\]"),
        (
            TABLE_1 | {"figure": "pie"},
            r"tables\.T1\.figure: expected one of rows, positions, curve, pareto, steps, found 'pie'",
        ),
        (TABLE_1 | {"figure": "curve"}, r"tables\.T1: expected x, a number for each row of the curve, found none"),
        (TABLE_1 | {"x": {"PNC": 1}}, r"tables\.T1\.x: unknown row: expected one of .*, found PNC"),
        (TABLE_1 | {"x": {"Continual": "0.1"}}, r"x\.Continual: expected a finite number, found '0\.1'"),
        (TABLE_1 | {"x": {"Continual": float("nan")}}, r"x\.Continual: expected a finite number, found nan"),
        (
            TABLE_1 | {"where": {"source": "new"}},
            r"tables\.T1, row 'Pre-trained', column 'S': expected source, target, task, method selected, "
            r"found no target",
        ),
        (TABLE_1 | {"columns": {"": {}}}, r"tables\.T1, row 'Pre-trained': .* found no task"),
        (
            TABLE_1 | {"rows": {"PNC": {"method": "pnc", "task": "M"}}},
            r"row 'PNC', column 'S': expected each key selected by the row or by the column, found both task",
        ),
    ],
)
def test_a_mistake_is_named_in_one_line(values: Any, message: str) -> None:
    with pytest.raises(PncError, match=message) as caught:
        table("T1", values)
    assert "\n" not in str(caught.value)


def test_notes_stand_beside_the_tables() -> None:
    assert tables({"T1": TABLE_1}, {"T1": ["One.", "Another."]})["T1"].notes == ("One.", "Another.")
    assert tables({"T1": TABLE_1})["T1"].notes == ()


@pytest.mark.parametrize(
    ("notes", "message"),
    [
        ({"T2": ["One."]}, "notes: expected one of T1, found 'T2'"),
        ({"T1": "One."}, r"notes\.T1: expected a list of texts, found 'One\.'"),
        ({"T1": [1]}, r"notes\.T1: expected a list of texts, found \[1\]"),
        (["One."], "notes: expected a mapping"),
    ],
)
def test_a_mistaken_note_is_named(notes: Any, message: str) -> None:
    with pytest.raises(PncError, match=message):
        tables({"T1": TABLE_1}, notes)


names = st.text("abcS_0", min_size=1, max_size=4)
selections = st.fixed_dictionaries(
    dict.fromkeys(NAMED, names), optional={key: st.lists(names, min_size=1, unique=True) for key in DEFAULTS}
)


@given(st.dictionaries(names, selections, min_size=1, max_size=4))
def test_any_rows_select_all_that_they_say(rows: dict[str, dict[str, Any]]) -> None:
    found = table("any", {"title": "Any", "scores": "main", "rows": rows, "metrics": {"": ["avg"]}})
    for row, own in rows.items():
        selected = found.select(row, "")
        assert set(selected) <= set(KEYS)
        for key, value in own.items():
            assert list(selected[key]) == (value if isinstance(value, list) else [value])


@pytest.mark.parametrize("path", sorted([ROOT / "tables.yaml", *ROOT.glob("suites/*/tables.yaml")]), ids=str)
def test_the_tables_of_every_suite_can_be_asked_for(path: Any) -> None:
    values = yaml.safe_load(path.read_text())
    found = tables(values["tables"], values["notes"])
    assert set(values["figures"]) <= found.keys()
