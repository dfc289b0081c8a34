"""From plain values, as YAML and JSON have them, to typed settings: what is unknown, missing or mistyped is named."""

import inspect
import math
from collections.abc import Mapping
from dataclasses import is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from pnc.base.errors import bad

T = TypeVar("T")
Parameters = Mapping[str, inspect.Parameter]


def from_mapping(kind: type[T], values: Any, where: str = "settings") -> T:
    """Build the frozen dataclass ``kind`` from nested plain values; ``where`` is what errors call them.

    Fields may be numbers, strings, choices (Literal), dataclasses, tuples of these and ``X | None``; fields of other
    types are taken as they are. Raises PncError, naming the key, for one that is unknown, missing or mistyped.
    """
    parameters = inspect.signature(kind, eval_str=True).parameters
    return kind(**arguments(parameters, values, where, kind.__name__))


def arguments(parameters: Parameters, values: Any, where: str, owner: str) -> dict[str, Any]:
    """``values`` converted to what ``parameters`` ask for, by name. Raises as ``from_mapping``.

    ``owner`` is the class or function that the parameters belong to.
    """
    if not isinstance(values, Mapping):
        raise bad(where, expected=f"the keys of {owner}", found=repr(values))
    if unknown := sorted(set(map(str, values)) - set(parameters)):
        known = f"one of {', '.join(sorted(parameters))}" if parameters else "none"
        raise bad(f"{where}: unknown key", expected=known, found=", ".join(unknown))
    if missing := [name for name, own in parameters.items() if own.default is own.empty and name not in values]:
        raise bad(where, expected=f"every required key of {owner}", found=f"no {', '.join(missing)}")
    return {key: _convert(parameters[key].annotation, value, f"{where}.{key}") for key, value in values.items()}


def _convert(hint: Any, value: Any, where: str) -> Any:
    if is_dataclass(hint) and isinstance(hint, type):
        return value if isinstance(value, hint) else from_mapping(hint, value, where)
    if hint in (int, float, str, bool):
        return _scalar(hint, value, where)
    if get_origin(hint) is Literal and value not in get_args(hint):
        raise bad(where, expected=f"one of {', '.join(map(str, get_args(hint)))}", found=repr(value))
    if get_origin(hint) is tuple:
        return _tuple(get_args(hint), value, where)
    if get_origin(hint) in (Union, UnionType) and NoneType in get_args(hint):
        others = tuple(one for one in get_args(hint) if one is not NoneType)
        return None if value is None else _convert(Union[others], value, where)  # noqa: UP007
    return value


def _tuple(hints: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    """``value`` for tuple[X, ...] or tuple[X, Y]."""
    if not isinstance(value, list | tuple):
        raise bad(where, expected="a list", found=repr(value))
    each = (hints[0],) * len(value) if hints[1:] == (...,) else hints
    if len(each) != len(value):
        raise bad(where, expected=f"a list of {len(each)}", found=repr(value))
    pairs = zip(each, value, strict=True)
    return tuple(_convert(hint, item, f"{where}.{index}") for index, (hint, item) in enumerate(pairs))


def _scalar(hint: type, value: Any, where: str) -> Any:
    accepted = (int, float) if hint is float else hint
    if not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool):
        raise bad(where, expected=f"a value of type {hint.__name__}", found=repr(value))
    if isinstance(value, float) and not math.isfinite(value):
        raise bad(where, expected="a finite number", found=value)
    return hint(value)
