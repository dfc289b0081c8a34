"""Score files, one measured number per seed, read and checked.

A score file is JSON: ``{"scores": [...], "settings": {...}, "made": {...}}``. Every score has the keys ``SCORE``.
Settings leave out the seed, so that every seed of a cell has the same ones; ``made`` has the keys ``MADE``.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bench.report.labels import REGIMES
from bench.report.metrics import METRICS
from bench.work.provenance import MADE
from pnc.base.errors import bad
from pnc.base.files import read_json

KEY = ("source", "target", "task", "variant", "regime", "method", "at", "metric")
SCORE = (*KEY, "seed", "value")
_NAMES = ("source", "target", "task", "method")  # which are never empty
_Form = Mapping[str, type | tuple[type, ...]]
_FILE: _Form = {"scores": list, "settings": dict, "made": dict}
_RECORD: _Form = dict.fromkeys(KEY, str) | {"seed": int, "value": (int, float)}


def read_scores(files: Iterable[Path]) -> pd.DataFrame:
    """The scores of all ``files``, one a row: ``SCORE``, then ``settings`` and ``made`` (as JSON text) and ``file``.

    Raises PncError naming the file if one is missing, damaged or of another form, if a score's metric or regime is
    unknown or its value not a possible one, or if a score was given before; and without any score.
    """
    records = [record for path in files for record in _scores(Path(path))]
    if not records:
        raise bad("score files", expected="at least one", found="none")
    first: dict[tuple[Any, ...], str] = {}
    for record in records:
        key = tuple(record[name] for name in (*KEY, "seed"))
        if key in first:
            where = f"{record['file']}, {_shown(record)}"
            raise bad(where, expected="a new score", found=f"one of {first[key]} again (a leftover?)")
        first[key] = record["file"]
    return pd.DataFrame(records, columns=[*SCORE, "settings", "made", "file"])


def _scores(path: Path) -> Iterator[dict[str, Any]]:
    content = read_json(path)
    _check_form(str(path), content, _FILE)
    _check_form(f"{path}, made", content["made"], dict.fromkeys(MADE, str))
    behind = {name: json.dumps(content[name], sort_keys=True) for name in ("settings", "made")}
    for number, score in enumerate(content["scores"], start=1):
        where = f"{path}, score {number}"
        _check_form(where, score, _RECORD)
        _check_score(where, score)
        yield score | behind | {"file": str(path)}


def _check_form(where: str, content: Any, form: _Form) -> None:
    keys = list(content) if isinstance(content, dict) else type(content).__name__
    if not isinstance(content, dict) or content.keys() != form.keys():
        raise bad(where, expected=f"the keys {list(form)}", found=keys)
    for name, kind in form.items():
        if not isinstance(content[name], kind) or isinstance(content[name], bool):
            kinds = kind if isinstance(kind, tuple) else (kind,)
            expected = " or ".join(each.__name__ for each in kinds)
            raise bad(f"{where}, {name}", expected=expected, found=repr(content[name]))


def _check_score(where: str, score: Mapping[str, Any]) -> None:
    for name in _NAMES:
        if not score[name]:
            raise bad(f"{where}, {name}", expected="a name", found="''")
    for name, known in (("regime", tuple(REGIMES)), ("metric", tuple(METRICS))):
        if score[name] not in known:
            raise bad(f"{where}, {name}", expected=f"one of {known}", found=repr(score[name]))
    metric, value = METRICS[score["metric"]], score["value"]
    if not (math.isfinite(value) and metric.low <= value <= metric.high):
        raise bad(
            f"{where}, {metric.name}", expected=f"a finite number from {metric.low} to {metric.high}", found=value
        )
    if score["seed"] < 0:
        raise bad(f"{where}, seed", expected="0 or more", found=score["seed"])


def _shown(record: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {record[name]!r}" for name in (*KEY, "seed") if record[name] != "")
