"""Plain values to typed settings: round trips, optional fields, tuples, and every refusal with its place."""

import inspect
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnc.base.errors import PncError
from pnc.base.mapping import arguments, from_mapping


@dataclass(frozen=True)
class Wheel:
    size: float
    tyre: Literal["summer", "winter"] = "summer"


@dataclass(frozen=True)
class Cart:
    name: str
    wheels: tuple[Wheel, ...] = ()
    spare: Wheel | None = None
    axles: int | None = 2
    load: Optional[float] = None  # noqa: UP045  as older code writes it
    corner: tuple[int, float] = (0, 0.0)
    painted: bool = False
    notes: Any = None
    tags: dict[str, int] = field(default_factory=dict)


def refusal(values: Any, kind: type = Cart, where: str = "cart") -> str:
    with pytest.raises(PncError) as caught:
        from_mapping(kind, values, where)
    assert "\n" not in str(caught.value)
    return str(caught.value)


WHEELS = st.builds(Wheel, st.floats(0, 9), st.sampled_from(["summer", "winter"]))


@given(
    st.builds(
        Cart,
        name=st.text(),
        wheels=st.lists(WHEELS, max_size=3).map(tuple),
        spare=st.none() | WHEELS,
        axles=st.none() | st.integers(),
        load=st.none() | st.floats(0, 1),
        corner=st.tuples(st.integers(), st.floats(0, 1)),
        painted=st.booleans(),
        tags=st.dictionaries(st.text(), st.integers()),
    )
)
def test_any_object_survives_the_way_through_plain_values(cart: Cart) -> None:
    assert from_mapping(Cart, asdict(cart)) == cart


def test_lists_become_tuples_and_integers_the_numbers_asked_for() -> None:
    values = {"name": "red", "wheels": [{"size": 1}, Wheel(2.0)], "corner": [3, 4], "load": 1, "spare": {"size": 3}}
    cart = from_mapping(Cart, values)
    assert cart == Cart("red", (Wheel(1.0), Wheel(2.0)), Wheel(3.0), load=1.0, corner=(3, 4.0))
    assert (
        isinstance(cart.load, float) and isinstance(cart.corner[1], float) and isinstance(cart.wheels[0].size, float)
    )


def test_nothing_stands_for_none_where_that_is_allowed() -> None:
    cart = from_mapping(Cart, {"name": "red", "spare": None, "axles": None, "load": None})
    assert (cart.spare, cart.axles, cart.load) == (None, None, None)


def test_types_that_it_does_not_know_are_taken_as_they_are() -> None:
    assert from_mapping(Cart, {"name": "red", "notes": [1, "x"], "tags": {"a": 1}}).notes == [1, "x"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (None, "cart: expected the keys of Cart, found None"),
        ([1], "cart: expected the keys of Cart, found [1]"),
        ({}, "cart: expected every required key of Cart, found no name"),
        ({"name": 3}, "cart.name: expected a value of type str, found 3"),
        ({"name": None}, "cart.name: expected a value of type str, found None"),
        ({"axles": "2"}, "cart.axles: expected a value of type int, found '2'"),
        ({"axles": True}, "cart.axles: expected a value of type int, found True"),
        ({"load": float("inf")}, "cart.load: expected a finite number, found inf"),
        ({"painted": 1}, "cart.painted: expected a value of type bool, found 1"),
        ({"spare": 3}, "cart.spare: expected the keys of Wheel, found 3"),
        ({"spare": {}}, "cart.spare: expected every required key of Wheel, found no size"),
        ({"spare": {"size": 1, "tyre": "old"}}, "cart.spare.tyre: expected one of summer, winter, found 'old'"),
        ({"spare": {"size": 1, "rim": 2}}, "cart.spare: unknown key: expected one of size, tyre, found rim"),
        ({"wheels": {"size": 1}}, "cart.wheels: expected a list, found {'size': 1}"),
        ({"wheels": "ab"}, "cart.wheels: expected a list, found 'ab'"),
        ({"wheels": [{"size": 1}, 2]}, "cart.wheels.1: expected the keys of Wheel, found 2"),
        ({"corner": [1]}, "cart.corner: expected a list of 2, found [1]"),
        ({"corner": [1, "x"]}, "cart.corner.1: expected a value of type float, found 'x'"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(values: Any, said: str) -> None:
    named = {"name": "red", **values} if isinstance(values, dict) and values else values
    assert refusal(named) == said


def test_unknown_keys_are_listed_with_the_known_ones() -> None:
    known = "axles, corner, load, name, notes, painted, spare, tags, wheels"
    assert refusal({"nmae": "red", "b": 1, 2: 3}) == f"cart: unknown key: expected one of {known}, found 2, b, nmae"


def test_a_class_refuses_values_by_itself_too() -> None:
    @dataclass(frozen=True)
    class Even:
        number: int

        def __post_init__(self) -> None:
            if self.number % 2:
                raise ValueError("odd")

    assert from_mapping(Even, {"number": 2}) == Even(2)
    with pytest.raises(ValueError, match="odd"):
        from_mapping(Even, {"number": 3})


def test_functions_have_their_arguments_converted_alike() -> None:
    def ride(*, cart: Cart, far: float = 1.0) -> None: ...

    parameters = inspect.signature(ride).parameters
    assert arguments(parameters, {"cart": {"name": "red"}, "far": 2}, "ride", "ride") == {
        "cart": Cart("red"),
        "far": 2,
    }
    with pytest.raises(PncError, match=r"^ride: expected every required key of ride, found no cart$"):
        arguments(parameters, {}, "ride", "ride")
    with pytest.raises(PncError, match=r"^ride: unknown key: expected none, found far$"):
        arguments({}, {"far": 1}, "ride", "ride")
