"""Settings: nothing unknown, mistyped or out of range gets in, and errors say where it stood."""

from dataclasses import asdict
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnc.base.errors import PncError
from pnc.base.mapping import from_mapping
from pnc.base.train import Schedule
from pnc.cloning.local.neighbourhood import Neighbourhood
from pnc.cloning.settings import CloneSettings
from pnc.data import DataSpec

KINDS = (CloneSettings, Neighbourhood, Schedule)
LITERALS = [
    (kind, name, value)
    for kind in KINDS
    for name, hint in get_type_hints(kind).items()
    if get_origin(hint) is Literal
    for value in get_args(hint)
]


def refusal(values: Any, kind: type = CloneSettings) -> str:
    with pytest.raises(PncError) as caught:
        from_mapping(kind, values)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_defaults_survive_the_way_through_plain_values() -> None:
    assert from_mapping(CloneSettings, asdict(CloneSettings())) == CloneSettings()
    assert from_mapping(CloneSettings, {}) == CloneSettings()


@given(
    st.builds(
        CloneSettings,
        neighbourhood=st.builds(Neighbourhood, grid=st.integers(1, 9), sigma=st.floats(0.01, 9)),
        keep=st.floats(0.01, 1),
        q=st.floats(0.01, 0.99),
        regime=st.sampled_from(["strict", "rehearsal"]),
        inputs_per_epoch=st.integers(1, 10**6),
        schedule=st.builds(Schedule, epochs=st.integers(1, 99), lr=st.floats(1e-6, 1)),
    )
)
def test_any_settings_survive_the_way_through_plain_values(settings: CloneSettings) -> None:
    assert from_mapping(CloneSettings, asdict(settings)) == settings


def test_nested_values_and_whole_objects_are_taken() -> None:
    found = from_mapping(
        CloneSettings, {"keep": 1, "schedule": {"epochs": 3}, "neighbourhood": Neighbourhood(grid=2)}
    )
    assert found == CloneSettings(keep=1.0, schedule=Schedule(epochs=3), neighbourhood=Neighbourhood(grid=2))
    assert isinstance(found.keep, float)


def test_unknown_keys_are_refused_with_their_place_and_the_known_ones() -> None:
    assert refusal({"keeep": 0.3}) == (
        "settings: unknown key: expected one of " + ", ".join(sorted(get_type_hints(CloneSettings))) + ", found keeep"
    )
    deep = refusal({"neighbourhood": {"grid": 4, "size": 8, "b": 1}})
    known = "grid, kernel, masks, sigma, weighting"
    assert deep == f"settings.neighbourhood: unknown key: expected one of {known}, found b, size"
    assert refusal({1: 2}).endswith("found 1")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"keep": "0.3"}, "settings.keep: expected a value of type float, found '0.3'"),
        ({"keep": True}, "settings.keep: expected a value of type float, found True"),
        ({"keep": None}, "settings.keep: expected a value of type float, found None"),
        ({"ridge": float("nan")}, "settings.ridge: expected a finite number, found nan"),
        ({"inputs_per_epoch": 2.5}, "settings.inputs_per_epoch: expected a value of type int, found 2.5"),
        ({"inputs_per_epoch": True}, "settings.inputs_per_epoch: expected a value of type int, found True"),
        ({"schedule": {"epochs": "3"}}, "settings.schedule.epochs: expected a value of type int, found '3'"),
        ({"schedule": {}}, "settings.schedule: expected every required key of Schedule, found "),
        ({"schedule": 3}, "settings.schedule: expected the keys of Schedule, found 3"),
        ({"neighbourhood": None}, "settings.neighbourhood: expected the keys of Neighbourhood, found None"),
        ({"regime": ["strict"]}, "settings.regime: expected one of strict, rehearsal, found ['strict']"),
        (None, "settings: expected the keys of CloneSettings, found None"),
    ],
)
def test_values_of_the_wrong_type_are_refused(values: Any, said: str) -> None:
    assert refusal(values).startswith(said)


def test_a_missing_required_key_is_named() -> None:
    assert "epochs" in refusal({"schedule": {"lr": 0.1}})
    assert "source" in refusal({}, DataSpec)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("keep", 0.0),
        ("keep", 1.5),
        ("q", 0.0),
        ("q", 1.0),
        ("held_out", 1.0),
        ("held_out", -0.1),
        ("ridge", -1e-3),
        ("rest_weight", -1.0),
        ("localisation", -0.1),
        ("score_rate", -1.0),
        ("inputs_per_epoch", 0),
        ("start_inputs", 0),
        ("held_out_inputs", -1),
        ("neutral", 0.0),
        ("anneal", 1.5),
    ],
)
def test_numbers_out_of_range_are_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(PncError, match=f"^{field}: expected .*, found {value}"):
        CloneSettings(**{field: value})  # type: ignore[arg-type]


def test_old_pictures_must_count_for_something() -> None:
    assert refusal({"rehearsal": {"weight": 0.0}}) == "rehearsal.weight: expected a positive number, found 0.0"
    assert from_mapping(CloneSettings, {"rehearsal": {"augmentation": {"crop": 1}}}).rehearsal.augmentation.crop == 1


def plain(kind: type) -> dict[str, Any]:
    return {"epochs": 1} if kind is Schedule else {}


@pytest.mark.parametrize(("kind", "name", "value"), LITERALS)
def test_every_choice_can_be_made(kind: type, name: str, value: str) -> None:
    assert getattr(from_mapping(kind, {**plain(kind), name: value}), name) == value


@pytest.mark.parametrize(("kind", "name"), sorted({(kind, name) for kind, name, _ in LITERALS}, key=str))
def test_no_other_choice_can_be_made(kind: type, name: str) -> None:
    known = [value for owner, field, value in LITERALS if (owner, field) == (kind, name)]
    assert refusal({**plain(kind), name: "other"}, kind).startswith(f"settings.{name}: expected one of ")
    with pytest.raises(PncError, match=f"{name}: expected .*{known[0]}.*{known[-1]}.*, found 'other'"):
        kind(**{**plain(kind), name: "other"})
