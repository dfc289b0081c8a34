"""What ``pnc.clone`` is asked for, in whichever form: classes, settings, regime."""

import operator
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pnc.arch import BlockNet
from pnc.base.errors import bad
from pnc.base.files import read_json
from pnc.base.mapping import from_mapping
from pnc.cloning.regime import is_said
from pnc.cloning.settings import CloneSettings

Classes = Mapping[int, str] | Iterable[int | str] | int | str
SettingsLike = CloneSettings | Mapping[str, Any] | str | Path


def read_settings(settings: SettingsLike | None, rehearsal: bool) -> CloneSettings:
    """``settings`` from a mapping or a JSON file, too; samples of D_o choose the regime unless ``settings`` do.

    Raises PncError for strict settings beside samples of D_o, and for keys that are unknown or mistyped.
    """
    where = "settings"
    if isinstance(settings, str | Path):
        where, settings = str(settings), read_json(settings)
    read = settings if isinstance(settings, CloneSettings) else from_mapping(CloneSettings, settings or {}, where)
    if not rehearsal or read.regime == "rehearsal":
        return read
    if is_said(read.regime):
        expected = "rehearsal (or no rehearsal samples)"
        raise bad("settings.regime beside rehearsal samples (D_o)", expected=expected, found=read.regime)
    return replace(read, regime="rehearsal")


def read_classes(classes: Classes, source: BlockNet, taken: Mapping[str, int | None]) -> dict[int, str]:
    """``classes`` as output of the source → name. ``taken`` are the target's classes: name → output, if it has one.

    An output may be named instead of counted, where the source names its classes. Raises PncError for one that the
    source lacks or that comes twice, and for a name that the target has, or that the source has for another class.
    """
    known = source.class_names or ()
    asked = classes.items() if isinstance(classes, Mapping) else ((item, None) for item in _listed(classes))
    found: dict[int, str] = {}
    for item, name in asked:
        output = _output(item, known, source.classes)
        if output in found:
            raise bad("classes to clone", expected="each once", found=f"{item!r} again")
        found[output] = name if name is not None else (known[output] if known else str(output))
    if not found:
        raise bad("classes to clone", expected="at least one", found="none")
    if outside := sorted(set(found) - set(range(source.classes))):
        raise bad("classes to clone", expected=f"outputs of the source, 0…{source.classes - 1}", found=outside)
    _check_names(found, known, taken)
    return found


def _listed(classes: Iterable[int | str] | int | str) -> list[int | str]:
    if isinstance(classes, str) or not isinstance(classes, Iterable):
        return [classes]
    return list(classes)


def _output(item: object, known: tuple[str, ...], count: int) -> int:
    if isinstance(item, str):
        if item not in known:
            names = f"one of the source's: {', '.join(known)}" if known else "a number (the source names no classes)"
            raise bad("class to clone", expected=names, found=repr(item))
        return known.index(item)
    try:
        if not isinstance(item, bool):
            return operator.index(item)  # type: ignore[arg-type]
    except TypeError:
        pass
    raise bad("class to clone", expected=f"an output of the source, 0…{count - 1}, or its name", found=repr(item))


def _check_names(found: Mapping[int, str], known: tuple[str, ...], taken: Mapping[str, int | None]) -> None:
    if strange := [name for name in found.values() if not isinstance(name, str) or not name]:
        raise bad("classes to clone", expected="names that are not empty", found=repr(strange[0]))
    if overlap := sorted(set(taken) & set(found.values())):
        swapped = all(taken.get(name) == output and name not in known for output, name in found.items())
        hint = " (at these very outputs: are source and target swapped?)" if swapped else ""
        raise bad("classes to clone (T_s)", expected="names that the target (T_t) lacks", found=f"{overlap}{hint}")
    for output, name in found.items():
        if name in known and known[output] != name:
            calls = f"the name of output {known.index(name)} (which output is meant?)"
            raise bad(
                f"name of class {output}", expected=f"'{known[output]}', or a new name", found=f"'{name}', {calls}"
            )
