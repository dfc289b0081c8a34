"""What is behind a table's numbers: hardware, versions, commits, and its settings with what they share told once."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.report.labels import label

Flat = dict[str, str]  # dotted key → the value as JSON


@dataclass(frozen=True)
class Setting:
    """One of several settings: its hash, the rows that have it, and what it does not share with the others."""

    digest: str
    rows: tuple[str, ...]
    own: Flat


@dataclass(frozen=True)
class Behind:
    """``made`` is what was used for any of the numbers, by its kind: device, commit, torch, …"""

    made: dict[str, tuple[str, ...]]
    shared: Flat
    settings: tuple[Setting, ...]


def behind(cells: pd.DataFrame, known: Mapping[str, Any]) -> Behind:
    """Of a table's measured ``cells``, at least one; ``known`` is the suite's settings.json."""
    rows: dict[str, dict[str, None]] = {}
    for cell in cells.to_dict("records"):
        where = f" ({cell['scale']})" if cell["scale"] else ""
        rows.setdefault(cell["settings"], {})[label(cell["row"], cell["regime"]) + where] = None
    flat = {digest: dict(_flat(known[digest]["settings"])) for digest in rows}
    shared = _shared(list(flat.values()))
    settings = tuple(
        Setting(digest, tuple(rows[digest]), {key: value for key, value in own.items() if key not in shared})
        for digest, own in flat.items()
    )
    made: dict[str, set[str]] = {"device": {part for each in cells["device"] for part in each.split("; ")}}
    for digest in rows:
        for name, text in _made(known[digest]):
            made.setdefault(name, set()).add(text)
    kinds = {name: tuple(sorted(found)) for name, found in made.items()}
    return Behind(kinds, shared, settings)


def _shared(several: Sequence[Flat]) -> Flat:
    """What all of them say alike."""
    first, *rest = several
    return {key: value for key, value in first.items() if all(other.get(key) == value for other in rest)}


def _made(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Commit and versions."""
    for made in entry["made"]:
        yield from ((name, text) for name, text in made.items() if name != "device")


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, inner in sorted(value.items()):
            yield from _flat(inner, f"{key}.{name}" if key else name)
    elif isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        members = [dict(_flat(each)) for each in value]
        shared = _shared(members)
        yield from ((f"{key}.*.{name}", text) for name, text in shared.items())
        for number, own in enumerate(members, start=1):
            yield from ((f"{key}.{number}.{name}", text) for name, text in own.items() if name not in shared)
    else:
        yield key, json.dumps(value)
