"""From score files, one measured number per seed, to the cells of a suite: ``results/SUITE/cells.csv``.

A score file is JSON: ``{"scores": [...], "settings": {...}, "device": "..."}``; every score has the keys ``SCORE``.
Settings leave out the seed, so that every seed of a cell has the same ones.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.report import paper as printed
from bench.report.rows import read_rows
from bench.work.provenance import settings_hash
from bench.work.suite import scale_of
from pnc.base.errors import bad
from pnc.base.files import read_json, write_text

KEY = ("table", "row", "scale", "regime", "metric")
SCORE = (*KEY, "seed", "value")
IDENTITY = ("table", "row", "dataset", "source", "target", "scale", "regime", "metric")
COLUMNS = (*IDENTITY, "mean", "std", "seeds", "paper", "quoted", "device", "settings")
ACCURACIES = ("ori", "tar", "avg")
POSITIONS = "R"  # the table with the accuracy and the loss of every R
SENSITIVITY = "sensitivity"  # the table with one reading of the paper at a time in place of ours
_OWN_METRICS = ("ece", "leak", "package_bytes", "position", "loss")
_TABLES = {POSITIONS: ACCURACIES, SENSITIVITY: ACCURACIES} | printed.METRICS
_CHOICES = {"table": tuple(_TABLES), "scale": ("", "S", "M"), "regime": ("", "strict", "rehearsal")}
_RANGES = {  # every other metric is in per cent
    "loss": (-math.inf, math.inf),
    "package_bytes": (0, math.inf),
    "position": (0, math.inf),
    "params_m": (0, math.inf),
    "extra_params": (0, math.inf),
    "recoverable": (0, 1),
}
_DECIMALS = {"loss": 4}  # two would make neighbouring positions equal


def read_scores(files: Iterable[Path]) -> pd.DataFrame:
    """The scores of all ``files``, one a row: ``SCORE``, then ``settings`` (as JSON text), ``device`` and ``file``.

    Raises PncError naming the file if one is missing, damaged or of another form, if a score's table, scale, regime,
    metric, seed or value is not a known or possible one, or if a score was given before; and without any score.
    Scores of S0, S1, … become one of S for each seed: their mean. Their settings may differ in the classes alone.
    """
    records = [record for path in files for record in _scores(Path(path))]
    if not records:
        raise bad("score files", expected="at least one", found="none")
    first: dict[tuple[Any, ...], str] = {}
    for record in records:
        key = tuple(record[name] for name in (*KEY, "seed"))
        if key in first:
            where = f"{record['file']}, {_shown(record)}"
            raise bad(where, expected="a new score", found=f"one of {first[key]} again")
        first[key] = record["file"]
    frame = pd.DataFrame(records, columns=[*SCORE, "settings", "device", "file"])
    if (frame["scale"].map(scale_of) == frame["scale"]).all():
        return frame
    renamed = frame.assign(experiment=frame["scale"], scale=frame["scale"].map(scale_of))
    merged = [_mean_over_classes(group) for _, group in renamed.groupby([*KEY, "seed"], sort=False)]
    return pd.DataFrame(merged, columns=list(frame))


def settings_of(scores: pd.DataFrame) -> list[dict[str, Any]]:
    """The distinct settings behind ``scores``."""
    return [json.loads(text) for text in sorted(scores["settings"].unique())]


def aggregate(scores: pd.DataFrame, *, dataset: str, source: str, target: str, paper: pd.DataFrame) -> pd.DataFrame:
    """Cells with ``COLUMNS``, sorted: mean and sample standard deviation over the seeds, beside the paper's number.

    Of the paper's cells count those of the same data set and networks, in the tables that ``scores`` has. One that
    was not measured becomes a quoted cell, in every regime that its row was measured in. Numbers have 2 decimals,
    losses 4. Raises PncError for a cell whose seeds had different settings.
    """
    numbers = _paper_numbers(paper, set(scores["table"]), dataset=dataset, source=source, target=target)
    measured = [_measured(key, group, numbers) for key, group in scores.groupby(list(KEY))]
    identity = {"dataset": dataset, "source": source, "target": target}
    cells = [cell | identity for cell in (*measured, *_quoted(measured, numbers))]
    frame = pd.DataFrame(cells, columns=list(COLUMNS)).astype({"mean": float, "std": float, "paper": float})
    return frame.sort_values(list(KEY), ignore_index=True)


def write_cells(path: Path, frame: pd.DataFrame) -> None:
    """Write cells as CSV: the same cells give the same bytes."""
    as_text = frame.assign(quoted=frame["quoted"].map({True: "true", False: "false"}))
    write_text(path, as_text.to_csv(index=False, lineterminator="\n"))


def read_cells(path: Path) -> pd.DataFrame:
    """Cells as ``aggregate`` gave them. Raises PncError naming file and row (the header is row 1)."""
    cells: list[dict[str, Any]] = []
    first: dict[tuple[str, ...], str] = {}
    for where, texts in read_rows(path, COLUMNS, "a table of cells"):
        _check_key(where, texts)
        earlier = first.setdefault(tuple(texts[name] for name in IDENTITY), where)
        if earlier != where:
            raise bad(where, expected="a cell of its own", found=f"that of {earlier} again")
        cells.append(texts | _typed(where, texts))
    return pd.DataFrame(cells, columns=list(COLUMNS)).astype({"mean": float, "std": float, "paper": float})


def _scores(path: Path) -> Iterator[dict[str, Any]]:
    content = read_json(path)
    _check_form(str(path), content, {"scores": list, "settings": dict, "device": str})
    for number, score in enumerate(content["scores"], start=1):
        where = f"{path}, score {number}"
        texts: dict[str, type | tuple[type, ...]] = dict.fromkeys(KEY, str)
        _check_form(where, score, texts | {"seed": int, "value": (int, float)})
        _check_key(where, score | {"scale": scale_of(score["scale"])})
        _check_value(where, score)
        settings = json.dumps(content["settings"], sort_keys=True)
        yield score | {"settings": settings, "device": content["device"], "file": str(path)}


def _mean_over_classes(group: pd.DataFrame) -> dict[str, Any]:
    """One seed's scores of experiments that differ in their classes: their mean, with all classes in its settings."""
    first = {str(name): value for name, value in group.iloc[0].items()}
    classes, others = {}, set()
    for experiment, text in zip(group["experiment"], group["settings"], strict=True):
        settings = json.loads(text)
        classes[experiment] = settings.pop("classes", None)
        others.add(json.dumps(settings, sort_keys=True))
    files = ", ".join(sorted(group["file"].unique()))
    if len(others) > 1:
        raise bad(f"settings of {_shown(first)}", expected="the same but for the classes", found=f"others in {files}")
    settings = json.dumps({**json.loads(others.pop()), "classes": classes}, sort_keys=True)
    device = "; ".join(sorted(group["device"].unique()))
    return first | {"value": float(group["value"].mean()), "settings": settings, "device": device, "file": files}


def _check_form(where: str, content: Any, form: Mapping[str, type | tuple[type, ...]]) -> None:
    keys = list(content) if isinstance(content, dict) else type(content).__name__
    if not isinstance(content, dict) or content.keys() != form.keys():
        raise bad(where, expected=f"the keys {list(form)}", found=keys)
    for name, kind in form.items():
        if not isinstance(content[name], kind) or isinstance(content[name], bool):
            kinds = kind if isinstance(kind, tuple) else (kind,)
            expected = " or ".join(each.__name__ for each in kinds)
            raise bad(f"{where}, {name}", expected=expected, found=repr(content[name]))


def _check_key(where: str, record: Mapping[str, Any]) -> None:
    choices = _CHOICES | {"metric": (*_TABLES.get(record["table"], ()), *_OWN_METRICS)}
    for name, known in choices.items():
        if record[name] not in known:
            raise bad(f"{where}, {name}", expected=f"one of {known}", found=repr(record[name]))
    if not record["row"]:
        raise bad(f"{where}, row", expected="a name", found="''")


def _check_value(where: str, score: Mapping[str, Any]) -> None:
    low, high = _RANGES.get(score["metric"], (0, 100))
    if not (math.isfinite(score["value"]) and low <= score["value"] <= high):
        expected = f"a finite number from {low} to {high}"
        raise bad(f"{where}, {score['metric']}", expected=expected, found=score["value"])
    if score["seed"] < 0:
        raise bad(f"{where}, seed", expected="0 or more", found=score["seed"])


def _shown(record: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {record[name]!r}" for name in (*KEY, "seed") if record[name] != "")


def _paper_numbers(paper: pd.DataFrame, tables: set[str], **identity: str) -> dict[tuple[str, ...], float]:
    """The paper's values by (table, row, scale, metric). A network that the paper does not name fits any."""
    fits = paper["table"].isin(tables)
    for name, text in identity.items():
        fits &= paper[name].isin([text] if name == "dataset" else [text, ""])
    names = ["table", "row", "scale", "metric", "value"]
    return {tuple(key): value for *key, value in paper.loc[fits, names].itertuples(index=False)}


def _measured(key: tuple[Any, ...], group: pd.DataFrame, numbers: Mapping[tuple[str, ...], float]) -> dict[str, Any]:
    cell = dict(zip(KEY, key, strict=True))
    if group["settings"].nunique() > 1:
        found = f"different ones in {', '.join(sorted(group['file'].unique()))}"
        raise bad(f"settings of {_shown(cell | {'seed': ''})}", expected="the same for every seed", found=found)
    values = group.sort_values("seed")["value"].to_numpy(dtype=float)  # so that the files' order cannot count
    decimals = _DECIMALS.get(cell["metric"], 2)
    return cell | {
        "mean": round(float(values.mean()), decimals),
        "std": round(float(values.std(ddof=1)), decimals) if len(values) > 1 else np.nan,
        "seeds": len(values),
        "paper": numbers.get((cell["table"], cell["row"], cell["scale"], cell["metric"]), np.nan),
        "quoted": False,
        "device": "; ".join(sorted(group["device"].unique())),
        "settings": settings_hash(json.loads(group["settings"].iloc[0])),
    }


def _quoted(measured: list[dict[str, Any]], numbers: Mapping[tuple[str, ...], float]) -> Iterator[dict[str, Any]]:
    """The paper's cells that were not measured."""
    done = {tuple(cell[name] for name in KEY) for cell in measured}
    for (table, row, scale, metric), value in numbers.items():
        regimes = {cell["regime"] for cell in measured if (cell["table"], cell["row"]) == (table, row)}
        for regime in regimes or {""}:
            key = (table, row, scale, regime, metric)
            if key not in done:
                empty = {"mean": np.nan, "std": np.nan, "seeds": 0, "device": "", "settings": ""}
                yield dict(zip(KEY, key, strict=True)) | empty | {"paper": value, "quoted": True}


def _typed(where: str, texts: Mapping[str, str]) -> dict[str, Any]:
    """The columns that are not text."""
    numbers = {name: _number(f"{where}, {name}", texts[name]) for name in ("mean", "std", "paper")}
    if texts["quoted"] not in ("true", "false"):
        raise bad(f"{where}, quoted", expected="true or false", found=repr(texts["quoted"]))
    if not texts["seeds"].isdecimal():
        raise bad(f"{where}, seeds", expected="a whole number", found=repr(texts["seeds"]))
    seeds, quoted = int(texts["seeds"]), texts["quoted"] == "true"
    if not math.isnan(numbers["mean"]) == quoted == (seeds == 0):
        expected = "a mean over seeds where it is not quoted, and none where it is"
        raise bad(where, expected=expected, found=f"mean {texts['mean']!r}, seeds {seeds}, quoted {texts['quoted']}")
    return numbers | {"seeds": seeds, "quoted": quoted}


def _number(where: str, text: str) -> float:
    if not text:
        return math.nan
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise bad(where, expected="a number or nothing", found=repr(text))
    return number
