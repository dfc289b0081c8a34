"""The numbers that the paper prints, read from ``paper/*.csv`` and checked.

One cell is one row of a frame. Accuracies are in per cent; ``paper/README.md`` says what each metric means.
"""

from pathlib import Path

import pandas as pd

from bench.report.metrics import METRICS as KNOWN
from bench.report.rows import read_rows
from pnc.base.errors import bad

IDENTITY = ("table", "row", "dataset", "source", "target", "scale")
COLUMNS = (*IDENTITY, "metric", "value", "quoted_from")
_ACCURACIES = ("ori", "tar", "avg")
METRICS: dict[str, tuple[str, ...]] = {
    "T1": _ACCURACIES,
    "T2": _ACCURACIES,
    "T3": ("acc_mean",),
    "S2": _ACCURACIES,
    "S3": ("params_m", *(f"acc{task}" for task in range(1, 11)), "avg"),
    "S4": _ACCURACIES,
    "S5": ("source_acc", *_ACCURACIES),
    "S6": ("recoverable", "extra_params", "avg"),
}

OLD_CLASSES = {"mnist": 5, "cifar10": 5, "cifar100": 50, "tinyimagenet": 100}
CLONED_SHARE = {"S": 0.2, "M": 0.6}
FUNCTIONS = {"1": 1, "2": 2, "3": 3, "4": 4, "5 (Full)": 5}  # S4's rows: classes cloned
TOLERANCE = 0.15  # points; rounding Ori, Tar and Avg to 0.1 explains at most 0.1
_STEPS = tuple(f"s = {size}" for size in (5, 10, 20, 50))
_SCALES = {"T3": _STEPS, "S3": ("",), "S4": ("",), "S6": ("",)}  # all others have S and M

_NETWORKS = ("", "lenet5", "plain_cnn", "resnet18", "resnet50", "resnetc20", "mobilenetv2", "shufflenetv2")
_NAMES: dict[str, tuple[str, ...]] = {
    "dataset": tuple(OLD_CLASSES),
    "source": _NETWORKS,
    "target": _NETWORKS,
}


def load(folder: Path) -> pd.DataFrame:
    """All tables but the supplement's Table 1, one cell a row, with ``COLUMNS``; ``value`` is a float, the rest text.

    Raises PncError naming file and row (the header is row 1) for a missing file, other columns, an unknown
    table, metric, data set, network or scale, a value that is no number or out of range, or a cell given twice.
    """
    cells = [cell for table in METRICS for cell in _cells(folder, table)]
    return pd.DataFrame(cells, columns=list(COLUMNS)).astype({"value": float})


def weighted_average(ori: float, tar: float, old_classes: int, new_classes: int) -> float:
    """The paper's Avg. Acc: ``ori`` and ``tar`` weighted by the number of classes behind each."""
    return (old_classes * ori + new_classes * tar) / (old_classes + new_classes)


def slips(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows whose printed Avg is more than ``TOLERANCE`` off the average of their own accuracies.

    Columns: ``IDENTITY``, then ``printed``, ``recomputed`` and ``difference`` (printed − recomputed) in points.
    Rows that lack one of the numbers are passed over.
    """
    rows: dict[tuple[str, ...], dict[str, float]] = {}
    for *identity, metric, number in frame[[*IDENTITY, "metric", "value"]].itertuples(index=False):
        rows.setdefault(tuple(identity), {})[metric] = number
    found = []
    for key, cells in rows.items():
        recomputed = _recomputed(dict(zip(IDENTITY, key, strict=True)), cells)
        if recomputed is not None and abs(cells["avg"] - recomputed) > TOLERANCE:
            found.append((*key, cells["avg"], recomputed, cells["avg"] - recomputed))
    return pd.DataFrame(found, columns=[*IDENTITY, "printed", "recomputed", "difference"])


def _recomputed(identity: dict[str, str], cells: dict[str, float]) -> float | None:
    if identity["table"] == "S3":
        return _ten_tasks(identity["row"], cells)
    if not cells.keys() >= set(_ACCURACIES):
        return None
    old = OLD_CLASSES[identity["dataset"]]
    new = FUNCTIONS[identity["row"]] if identity["table"] == "S4" else round(old * CLONED_SHARE[identity["scale"]])
    return weighted_average(cells["ori"], cells["tar"], old, new)


def _ten_tasks(row: str, cells: dict[str, float]) -> float | None:
    """Ten classes in the target's task; in every later one 1 (PNC-s), 5 (PNC-m) or all 10 (Pre-trained)."""
    later = [cells[name] for name in METRICS["S3"][2:-1] if name in cells]
    if "avg" not in cells or "acc1" not in cells or not later:
        return None
    each = {"PNC-s": 1, "PNC-m": 5}.get(row[:5], 10)
    return weighted_average(cells["acc1"], sum(later) / len(later), 10, each * len(later))


def _cells(folder: Path, table: str) -> list[dict[str, str | float]]:
    path = folder / f"{'table' if table[0] == 'T' else 'supp_table'}{table[1:]}.csv"
    known = _NAMES | {
        "table": (table,),
        "scale": _SCALES.get(table, tuple(CLONED_SHARE)),
        "metric": METRICS[table],
    }
    if table == "S4":
        known["row"] = tuple(FUNCTIONS)
    seen: dict[tuple[str, ...], str] = {}
    cells: list[dict[str, str | float]] = []
    for where, texts in read_rows(path, COLUMNS, "a table of the paper"):
        _check_known(texts, where, known)
        first = seen.setdefault(tuple(texts[name] for name in (*IDENTITY, "metric")), where)
        if first != where:
            raise bad(where, expected="a cell of its own", found=f"that of {first} again")
        number = _number(texts["value"], KNOWN[texts["metric"]].high, f"{where}, value")
        cells.append({**texts, "value": number})
    return cells


def _check_known(texts: dict[str, str], where: str, known: dict[str, tuple[str, ...]]) -> None:
    for name, choices in known.items():
        if texts[name] not in choices:
            raise bad(f"{where}, {name}", expected=f"one of {choices}", found=repr(texts[name]))


def _number(text: str, largest: float, where: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise bad(where, expected="a number", found=repr(text)) from None
    if not 0 <= number <= largest:
        raise bad(where, expected=f"a number from 0 to {largest}", found=text)
    return number
