"""From scores to the cells of one table: mean and spread over the seeds, what is behind them, the paper's numbers."""

import json
import math
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench.report.cells import as_cells
from bench.report.labels import REGIMES
from bench.report.metrics import METRICS
from bench.report.printed import Printed
from bench.report.query import FREE, Selection, Table, joined
from bench.work.provenance import public, settings_hash
from pnc.base.errors import bad

Cell = dict[str, Any]
Behind = dict[str, dict[str, Any]]  # hash → {"settings": …, "made": [… each commit, device and versions]}


class Gathered(NamedTuple):
    """A table's cells, and what is behind their hashes."""

    cells: pd.DataFrame
    behind: Behind


def aggregate(
    table: Table, scores: pd.DataFrame, *, dataset: str, arch: Callable[[str], str], paper: pd.DataFrame
) -> Gathered:
    """The cells of ``table`` in its order: mean and sample standard deviation over the seeds, beside the paper's.

    ``arch`` is the architecture of a network by its name in params.yaml. A number of the paper that was not measured
    becomes a quoted cell, in every regime that its row was measured in. Where no score is selected, these are all.
    Raises PncError for a cell whose seeds had different settings.
    """
    printed = Printed(table, paper, dataset=dataset, arch=arch)
    behind: Behind = {}
    cells: list[Cell] = []
    for row in table.rows:
        measured = [cell for column in table.columns for cell in _measured(table, row, column, scores, behind)]
        cells += _in_order(table, _with_paper(table, row, measured, printed))
    cells += _unnamed(table, printed)
    identity = {"table": table.key, "dataset": dataset}
    return Gathered(as_cells(identity | cell for cell in cells), behind)


def _measured(table: Table, row: str, column: str, scores: pd.DataFrame, behind: Behind) -> Iterator[Cell]:
    """The cells of one row and column; of a mean over several names, only those seeds that have all of them."""
    selection = table.select(row, column)
    fits = scores["metric"].isin(table.all_metrics)
    for key, values in selection.items():
        fits &= scores[key].isin(values)
    members = math.prod(map(len, selection.values()))
    for (regime, metric), group in scores[fits].groupby([FREE, "metric"]):
        whole = group[group.groupby("seed")["seed"].transform("size") == members]
        if len(whole):
            cell = _identity(row, column, selection, str(regime), str(metric))
            yield cell | _numbers(str(metric), whole) | _origin(cell, selection, whole, behind)


def _identity(row: str, column: str, selection: Selection, regime: str, metric: str) -> Cell:
    names = {key: joined(selection[key]) for key in ("source", "target", "task", "variant")}
    return {"row": row, "scale": column, "regime": regime, "metric": metric, "quoted": False} | names


def _numbers(metric: str, scores: pd.DataFrame) -> Cell:
    values = scores.groupby("seed")["value"].apply(_mean).to_numpy(dtype=float)  # by seed, in whatever order
    decimals = METRICS[metric].decimals
    std = round(float(values.std(ddof=1)), decimals) if len(values) > 1 else np.nan
    return {"mean": round(float(values.mean()), decimals), "std": std, "seeds": len(values), "paper": np.nan}


def _mean(values: pd.Series) -> float:
    return math.fsum(values) / len(values)


def _origin(cell: Cell, selection: Selection, scores: pd.DataFrame, behind: Behind) -> Cell:
    """Device and settings of a cell; the settings are spelled out in ``behind``."""
    several = [key for key, values in selection.items() if len(values) > 1]
    made = [json.loads(text) for text in sorted(set(scores["made"]))]
    devices = {part for each in made for part in each["device"].split("; ")}
    found = {_settings(group, several) for _, group in scores.groupby("seed")}
    versions = sorted({public(each["torch"]) for each in made})
    if len(found) > 1 or len(versions) > 1:
        where = ", ".join(f"{name} {text}" for name, text in cell.items() if text and name != "quoted")
        what = f"torch {' and '.join(versions)}" if len(versions) > 1 else "different ones"
        files = ", ".join(sorted(set(scores["file"])))
        raise bad(f"settings of {where}", expected="the same for every seed", found=f"{what} in {files}")
    settings = json.loads(found.pop())
    digest = settings_hash(settings, versions[0])
    known = behind.setdefault(digest, {"settings": settings, "made": []})
    known["made"] = _distinct([*known["made"], *made])
    return {"device": "; ".join(sorted(devices)), "settings": digest}


def _settings(scores: pd.DataFrame, several: list[str]) -> str:
    """One seed's settings as JSON text. Where a mean is taken, keys that differ hold each member's value by name."""
    if len(scores) == 1:
        return str(scores["settings"].iloc[0])
    names = scores[several].agg(", ".join, axis="columns")
    members = {name: json.loads(text) for name, text in sorted(zip(names, scores["settings"], strict=True))}
    merged = {}
    for key in sorted({key for each in members.values() for key in each}):
        values = {name: each.get(key) for name, each in members.items()}
        one, *others = values.values()
        merged[key] = one if all(other == one for other in others) else values
    return json.dumps(merged, sort_keys=True)


def _distinct(made: list[dict[str, str]]) -> list[dict[str, str]]:
    return [json.loads(text) for text in sorted({json.dumps(each, sort_keys=True) for each in made})]


def merged_behind(parts: list[Behind]) -> Behind:
    """What is behind the cells of several tables."""
    whole: Behind = {}
    for part in parts:
        for digest, each in part.items():
            known = whole.setdefault(digest, {"settings": each["settings"], "made": []})
            known["made"] = _distinct([*known["made"], *each["made"]])
    return whole


def _with_paper(table: Table, row: str, measured: list[Cell], printed: Printed) -> list[Cell]:
    """A row's cells with the paper's numbers, and quoted ones for what only the paper has."""
    by_key = {(cell["scale"], cell["regime"], cell["metric"]): cell for cell in measured}
    for column in table.columns:
        selection = table.select(row, column)
        regimes = {cell["regime"] for cell in measured} or {joined(selection.get(FREE, ("",)))}
        for (metric, number), regime in product(printed.of(row, column).items(), regimes):
            empty = _quoted(_identity(row, column, selection, regime, metric))
            by_key.setdefault((column, regime, metric), empty)["paper"] = number
    return list(by_key.values())


def _unnamed(table: Table, printed: Printed) -> Iterator[Cell]:
    """The paper's rows that no row of ``table`` names."""
    for column in table.columns:
        names: Selection = {key: (table.fixed(key, column),) for key in ("source", "target", "task", "variant")}
        for row, metric, number in printed.others(column):
            yield _quoted(_identity(row, column, names, "", metric)) | {"paper": number}


def _quoted(cell: Cell) -> Cell:
    return cell | {"mean": np.nan, "std": np.nan, "seeds": 0, "quoted": True, "device": "", "settings": ""}


def _in_order(table: Table, cells: list[Cell]) -> list[Cell]:
    order = list(REGIMES), list(table.columns), table.all_metrics
    return sorted(
        cells,
        key=lambda cell: tuple(
            each.index(cell[name]) for each, name in zip(order, (FREE, "scale", "metric"), strict=True)
        ),
    )
