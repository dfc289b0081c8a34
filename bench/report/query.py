"""Tables as queries over scores: ``tables.KEY`` of a suite's tables.yaml, typed.

A row's and a column's selection, together with the table's ``where``, say which scores a cell is made of.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from bench.report.metrics import METRICS
from pnc.base.errors import bad
from pnc.base.mapping import from_mapping

NAMED = ("source", "target", "task", "method")  # what every cell must select
DEFAULTS = {"variant": "", "at": ""}  # what stands for a key that is not selected
FREE = "regime"  # each one found becomes a row of its own, unless it is selected
KEYS = (*NAMED, *DEFAULTS, FREE)
ALIAS = "paper"  # beside a row's keys: how the paper calls the row, where its title is another
KINDS = ("rows", "positions", "curve", "pareto", "steps")  # of figures

Selection = dict[str, tuple[str, ...]]  # key → values; over several, the mean is taken


@dataclass(frozen=True)
class _Entry:
    """The keys of ``tables.KEY``; those without a default are required."""

    title: str
    scores: str
    rows: Any
    metrics: Any
    columns: Any = field(default_factory=lambda: {"": {}})
    where: Any = field(default_factory=dict)
    figure: str = ""
    x: Any = field(default_factory=dict)
    xlabel: str = ""


@dataclass(frozen=True)
class Table:
    """One table: ``metrics`` are those of each section, ``aliases`` the paper's names of rows, ``x`` for curves.

    ``scores`` is the group of scores that it shows beside the main one.
    """

    key: str
    title: str
    rows: dict[str, Selection]
    columns: dict[str, Selection]
    metrics: dict[str, tuple[str, ...]]
    scores: str = ""
    where: Selection = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    figure: str = "rows"
    x: dict[str, float] = field(default_factory=dict)
    xlabel: str = ""

    @cached_property
    def all_metrics(self) -> tuple[str, ...]:
        """Those of all sections, each once."""
        return tuple(dict.fromkeys(metric for section in self.metrics.values() for metric in section))

    @property
    def first_metrics(self) -> tuple[str, ...]:
        """Those of the first section, which every row is in."""
        return next(iter(self.metrics.values()))

    def select(self, row: str, column: str) -> Selection:
        """What a cell is made of; a row may say otherwise than ``where``."""
        return {key: (value,) for key, value in DEFAULTS.items()} | self.where | self.rows[row] | self.columns[column]

    def fixed(self, key: str, column: str) -> str:
        """A name that the column has whatever the row is, else ''."""
        return joined((self.where | self.columns[column]).get(key, ()))

    def paper_row(self, row: str) -> str:
        """How the paper calls a row."""
        return self.aliases.get(row, row)


def joined(values: tuple[str, ...]) -> str:
    """How cells name what was selected: "S0+S1+S2" where it was averaged."""
    return "+".join(values)


def tables(values: Any, notes: Any = None) -> dict[str, Table]:
    """All of ``tables``, in its order, with the ``notes`` on them. Raises PncError as ``table`` does."""
    found = {key: table(key, entry) for key, entry in _mapping("tables", values).items()}
    for key, texts in (_mapping("notes", notes) if notes else {}).items():
        if key not in found:
            raise bad("notes", expected=f"one of {', '.join(found)}", found=repr(key))
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise bad(f"notes.{key}", expected="a list of texts", found=repr(texts))
        found[key] = replace(found[key], notes=tuple(texts))
    return found


def table(key: str, values: Any) -> Table:
    """``tables.KEY`` from plain values.

    Raises PncError naming the key for one that is unknown, missing or mistyped, for an unknown metric or kind of
    figure, and for a row and column that leave one of ``NAMED`` open or contradict each other.
    """
    where = f"tables.{key}"
    entry = from_mapping(_Entry, values, where)
    rows, aliases = _rows(f"{where}.rows", entry.rows)
    columns = {
        heading: _selection(f"{where}.columns.{heading}", keys)
        for heading, keys in _mapping(f"{where}.columns", entry.columns).items()
    }
    found = Table(
        key=key,
        title=entry.title,
        rows=rows,
        columns=columns,
        metrics=_metrics(f"{where}.metrics", entry.metrics),
        scores=entry.scores,
        where=_selection(f"{where}.where", entry.where),
        aliases=aliases,
        figure=_figure(key, entry),
        x=_places(f"{where}.x", entry.x, rows),
        xlabel=entry.xlabel or entry.title,
    )
    for row in rows:
        for column in columns:
            _check_cell(found, row, column)
    return found


def _check_cell(found: Table, row: str, column: str) -> None:
    where = f"tables.{found.key}, row '{row}'" + (f", column '{column}'" if column else "")
    own, across = found.rows[row], found.columns[column]
    if both := [key for key in own if key in across and own[key] != across[key]]:
        raise bad(where, expected="each key selected by the row or by the column", found=f"both {', '.join(both)}")
    if missing := [key for key in NAMED if key not in found.select(row, column)]:
        raise bad(where, expected=f"{', '.join(NAMED)} selected", found=f"no {', '.join(missing)}")


def _rows(where: str, values: Any) -> tuple[dict[str, Selection], dict[str, str]]:
    """Selections by title, and the paper's names of those rows that have one."""
    rows: dict[str, Selection] = {}
    aliases: dict[str, str] = {}
    for title, keys in _mapping(where, values).items():
        own = dict(_mapping(f"{where}.{title}", keys, empty=True))
        if ALIAS in own:
            aliases[title] = str(own.pop(ALIAS))
        rows[title] = _selection(f"{where}.{title}", own)
    return rows, aliases


def _selection(where: str, values: Any) -> Selection:
    keys = _mapping(where, values, empty=True)
    if unknown := [key for key in keys if key not in KEYS]:
        raise bad(f"{where}: unknown key", expected=f"one of {', '.join(KEYS)}", found=", ".join(unknown))
    if isinstance(keys.get(FREE), list):
        raise bad(f"{where}.{FREE}", expected="one of them, or none for a row each", found=repr(keys[FREE]))
    return {key: _values(f"{where}.{key}", value) for key, value in keys.items()}


def _values(where: str, value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    plain = all(isinstance(each, str | int) and not isinstance(each, bool) for each in values)
    texts = tuple(map(str, values))
    if not plain or not texts or len(set(texts)) < len(texts):
        raise bad(where, expected="a name or a list of different ones", found=repr(value))
    return texts


def _metrics(where: str, values: Any) -> dict[str, tuple[str, ...]]:
    sections: dict[str, tuple[str, ...]] = {}
    for section, names in _mapping(where, values).items():
        inner = f"{where}.{section}" if section else where
        if not isinstance(names, list) or not names:
            raise bad(inner, expected="a list of metrics", found=repr(names))
        if unknown := [name for name in names if name not in METRICS]:
            raise bad(f"{inner}: unknown metric", expected=f"one of {', '.join(METRICS)}", found=unknown)
        sections[section] = tuple(names)
    return sections


def _figure(key: str, entry: _Entry) -> str:
    """The kind asked for; else the one that the key names, a curve where there is an x, and rows otherwise."""
    kind = entry.figure or (key if key in KINDS else "curve" if entry.x else "rows")
    if kind not in KINDS:
        raise bad(f"tables.{key}.figure", expected=f"one of {', '.join(KINDS)}", found=repr(kind))
    if kind == "curve" and not entry.x:
        raise bad(f"tables.{key}", expected="x, a number for each row of the curve", found="none")
    return kind


def _places(where: str, values: Any, rows: Mapping[str, Selection]) -> dict[str, float]:
    places = _mapping(where, values, empty=True)
    if unknown := [row for row in places if row not in rows]:
        raise bad(f"{where}: unknown row", expected=f"one of {', '.join(rows)}", found=", ".join(unknown))
    for row, place in places.items():
        if not isinstance(place, int | float) or isinstance(place, bool) or not math.isfinite(place):
            raise bad(f"{where}.{row}", expected="a finite number", found=repr(place))
    return {row: float(place) for row, place in places.items()}


def _mapping(where: str, values: Any, empty: bool = False) -> dict[str, Any]:
    """A mapping with texts as keys: YAML reads ``1:`` as a number."""
    if not isinstance(values, dict) or not (values or empty):
        raise bad(where, expected="a mapping" if empty else "a mapping with at least one key", found=repr(values))
    return {str(key): value for key, value in values.items()}
