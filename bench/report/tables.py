"""Cells as tables for people: Markdown for ``results/SUITE/TABLES.md``, and Table 1 for the terminal."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from bench.report.cells import ACCURACIES, POSITIONS, SENSITIVITY
from bench.report.labels import CHOSEN, PAPER_ROWS, REGIMES, is_ours, label, ordered
from bench.report.paper import CLONED_SHARE
from pnc.base.errors import bad

_OURS = "*ours, not in the paper*"
_MISSING = "–"

_TABLE_1 = {"ori": "Ori", "tar": "Tar", "avg": "Avg"}
_EVERY_R = _TABLE_1 | {"loss": "Loss"}
_CALIBRATION = {"ece": "ECE", "leak": "Leak"}
_PACKAGE = {"position": "R", "package_bytes": "kB"}
_UNITS = {"package_bytes": 1000}
_DECIMALS = {"loss": 3}

_NUMBERS_NOTE = (
    "mean ± sample standard deviation over {seeds} (the paper's number); {missing} where there is none of ours. "
    "Accuracies are in per cent: Ori on the target's own classes, Tar on the cloned ones."
)
_AVG_NOTE = (
    "as in the paper, the mean of Ori and Tar weighted by the number of classes behind each: "
    "5 : 1 for S and 5 : 3 for M where both networks have equally many."
)
_EVERY_R_NOTE = "Loss is what the search over R compares; it chooses the R with the least."
_SENSITIVITY_NOTE = (
    "One reading of the paper at a time in place of ours, at one R; [docs/method.md](../../docs/method.md) says what "
    "each of them is."
)
_CALIBRATION_NOTE = (
    "ECE is the expected calibration error in per cent; Leak is how many pictures of the target's own classes, "
    "in per cent, were called a cloned class."
)
_PACKAGE_NOTE = "R is the position that was chosen; kB is the size of the package {M, R, A, F_c}, in 1000 bytes."


class Line(NamedTuple):
    """One line of a table, with one text per column."""

    row: str
    regime: str
    texts: list[str]


def render(cells: pd.DataFrame, *, title: str, notes: Sequence[str] = ()) -> str:
    """All of a suite's ``cells`` as Markdown, with ``notes`` among the facts under the ``title``.

    Raises PncError for cells of a table that has no layout here.
    """
    known = ("T1", POSITIONS, SENSITIVITY)
    if unknown := sorted(set(cells["table"]) - set(known)):
        raise bad("tables to render", expected=f"no others than {', '.join(known)}", found=", ".join(unknown))
    table_1, sensitivity = (cells[cells["table"] == name] for name in ("T1", SENSITIVITY))
    parts = [
        f"# {title}\n\n{_facts(cells, notes)}",
        _section("Table 1", "", table_1, _TABLE_1),
        _section("Every position R", _EVERY_R_NOTE, _every_position(cells), _EVERY_R),
        _section("Sensitivity", _SENSITIVITY_NOTE, sensitivity, _TABLE_1),
        _section("Calibration", _CALIBRATION_NOTE, table_1, _CALIBRATION),
        _section("Package", _PACKAGE_NOTE, table_1, _PACKAGE),
        _settings(cells),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def to_console(cells: pd.DataFrame) -> Table:
    """Table 1 for the terminal, 80 columns wide or more: the paper's number stands below ours."""
    header, lines = _grid(cells[cells["table"] == "T1"], _TABLE_1)
    title = f"Table 1 on {_unique(cells, 'dataset')}: accuracy in per cent, mean±std of {_seeds(cells)}"
    caption = "(the paper's number)" if cells["paper"].notna().any() else None
    table = Table(title=title, caption=caption, box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("", min_width=max(map(len, PAPER_ROWS)))
    for name in header:
        table.add_column(name, justify="right", overflow="fold")
    for line, following in zip(lines, [*lines[1:], None], strict=True):
        last_of_paper = following is not None and not is_ours(line.row) and is_ours(following.row)
        texts = (text.replace(" ± ", "±").replace(" (", "\n(") for text in line.texts)
        table.add_row(Text(label(line.row, line.regime)), *texts, end_section=last_of_paper)
    return table


def _facts(cells: pd.DataFrame, notes: Sequence[str]) -> str:
    measured = cells[~cells["quoted"]]
    hashes = set(measured["settings"])
    networks = f"source {_unique(cells, 'source')}, target {_unique(cells, 'target')}"
    facts = {
        "Numbers": _NUMBERS_NOTE.format(seeds=_seeds(cells), missing=_MISSING),
        "Average": _AVG_NOTE,
        "Data and networks": f"{_unique(cells, 'dataset')}; {networks}.",
        "Scales": " and ".join(f"{name} clones {100 * share:.0f} %" for name, share in CLONED_SHARE.items())
        + " of the source's classes",
        "Regimes": "; ".join(REGIMES[regime] for regime in REGIMES if regime and regime in set(measured["regime"])),
        "Device": "; ".join(sorted(set(measured["device"]))),
        "Settings": _link(*hashes) if len(hashes) == 1 else f"{len(hashes)} of them, [listed below](#settings)",
    }
    lines = [f"- **{name}**: {text.removesuffix('.')}." for name, text in facts.items() if text]
    return "\n".join([*lines, *(f"- {note}" for note in notes)])


def _section(title: str, note: str, cells: pd.DataFrame, metrics: Mapping[str, str]) -> str:
    """One heading, note and table; nothing where no cell has one of the ``metrics``."""
    header, lines = _grid(cells, metrics)
    if not lines:
        return ""
    rows = [[label(line.row, line.regime), *line.texts] for line in lines]
    ours = [is_ours(line.row) for line in lines]
    if any(ours) and not all(ours):
        rows.insert(ours.index(True), [_OURS, *[""] * len(header)])
    return "\n\n".join(part for part in (f"## {title}", note, _markdown(["", *header], rows)) if part)


def _settings(cells: pd.DataFrame) -> str:
    """Which rows were measured with which settings and where; nothing where the settings are the same for all."""
    rows = []
    for settings, group in cells[~cells["quoted"]].groupby("settings"):
        names = [_with_scales(group, *pair) for pair in ordered(group)]
        rows.append([_link(str(settings)), "; ".join(names), "; ".join(sorted(set(group["device"])))])
    return f"## Settings\n\n{_markdown(['', 'rows', 'device'], rows, align='---')}" if len(rows) > 1 else ""


def _with_scales(cells: pd.DataFrame, row: str, regime: str) -> str:
    scales = set(cells.loc[(cells["row"] == row) & (cells["regime"] == regime), "scale"]) - {""}
    return label(row, regime) + (f" ({', '.join(sorted(scales, reverse=True))})" if scales else "")


def _every_position(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells of every R and, as a row of the same kind, those of the R that was chosen."""
    every = cells[cells["table"] == POSITIONS]
    chosen = cells[(cells["table"] == "T1") & (cells["row"] == CHOSEN) & cells["regime"].isin(every["regime"])]
    found = [every]
    for _, group in chosen.groupby("regime"):
        positions = _records(group[group["metric"] == "position"].sort_values("scale", ascending=False))
        which = ", ".join(f"{_text(cell)} ({cell['scale']})" for cell in positions)
        found.append(group[group["metric"].isin(ACCURACIES)].assign(row=f"chosen R = {which or '?'}"))
    return pd.concat(found, ignore_index=True)


def _grid(cells: pd.DataFrame, metrics: Mapping[str, str]) -> tuple[list[str], list[Line]]:
    """Column names and lines for ``metrics``, whose headings it maps to: S, then M, then cells without a scale."""
    shown = cells[cells["metric"].isin(list(metrics))]
    scales = [*CLONED_SHARE, *[""] * bool((shown["scale"] == "").any())]
    columns = [(scale, metric) for scale in scales for metric in metrics]
    header = [f"{metrics[metric]}-{scale}".removesuffix("-") for scale, metric in columns]
    texts = {(cell["row"], cell["regime"], cell["scale"], cell["metric"]): _text(cell) for cell in _records(shown)}
    lines = [
        Line(row, regime, [texts.get((row, regime, *column), _MISSING) for column in columns])
        for row, regime in ordered(shown)
    ]
    return header, lines


def _text(cell: Mapping[str, Any]) -> str:
    """E.g. "97.1 ± 0.3 (97.0)": ours, its spread over the seeds, the paper's."""
    unit, decimals = _UNITS.get(cell["metric"], 1), _DECIMALS.get(cell["metric"], 1)
    text = _MISSING
    if not math.isnan(cell["mean"]):
        text = f"{cell['mean'] / unit:.{decimals}f}"
        if not math.isnan(cell["std"]):
            text += f" ± {cell['std'] / unit:.{decimals}f}"
    if cell["metric"] == "position":
        text = text.removesuffix(" ± 0.0").removesuffix(".0")
    return text if math.isnan(cell["paper"]) else f"{text} ({cell['paper']:.1f})"


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]], align: str = "---:") -> str:
    ruler = ["---", *[align] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(texts)} |" for texts in (header, ruler, *rows))


def _seeds(cells: pd.DataFrame) -> str:
    counts = sorted(set(cells.loc[~cells["quoted"], "seeds"]))
    text = " to ".join(map(str, dict.fromkeys((counts[0], counts[-1])))) if counts else "0"
    return f"{text} seed" if text == "1" else f"{text} seeds"


def _unique(cells: pd.DataFrame, column: str) -> str:
    return ", ".join(sorted(set(cells[column])))


def _link(settings: str) -> str:
    return f"[`{settings}`](../settings/{settings}.json)"


def _records(cells: pd.DataFrame) -> list[dict[Any, Any]]:
    return cells.to_dict("records")
