"""Tables on a terminal of 80 columns, and the sentence below."""

import io

import numpy as np
import pandas as pd
import pytest
from _cells import cell, frame, quoted, table_1
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from bench.report.query import Table
from bench.report.sentence import sentence
from bench.report.terminal import to_console

WANTED = table_1()
NUMBERS = [(metric, scale) for scale in "SM" for metric in ("ori", "tar", "avg")]
WIDEST = {"mean": 55.5, "std": 44.4, "paper": 97.0}  # of 100 per cent there is no spread


def every_row(**changes: float) -> pd.DataFrame:
    cells = [
        cell(metric, row=row, scale=scale, regime=regime, **changes)
        for row in [*WANTED.rows, "Direct Ensemble (calibrated)"]
        for regime in (("strict", "rehearsal") if row.startswith("PNC") else ("",))
        for metric, scale in NUMBERS
    ]
    return frame(*cells)


def printed(cells: pd.DataFrame, width: int = 80, wanted: Table = WANTED) -> str:
    console = Console(width=width, file=io.StringIO())
    console.print(to_console(cells, wanted, "digits", width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 100, 160])
def test_all_six_numbers_of_every_row_are_visible(width: int) -> None:
    cells = every_row(**WIDEST)
    text = printed(cells, width)
    assert max(map(len, text.splitlines())) <= width
    header = next(line for line in text.splitlines() if "Ori-S" in line)
    assert header.split() == ["Ori-S", "Tar-S", "Avg-S", "Ori-M", "Tar-M", "Avg-M"]
    assert text.count("55.5±44.4") == text.count("(97.0)") == len(cells)
    assert "…" not in text


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.one_of(st.just(np.nan), st.floats(0, 50)), st.sampled_from([np.nan, 97.0])),
        min_size=6,
        max_size=6,
    ),
    st.text("Aab (-", min_size=1, max_size=60),
)
def test_whatever_the_numbers_are_80_columns_hold_them(numbers: list[tuple[float, float, float]], row: str) -> None:
    keys = ("mean", "std", "paper")
    cells = [
        cell(metric, row=row, scale=scale, **dict(zip(keys, each, strict=True)))
        for (metric, scale), each in zip(NUMBERS, numbers, strict=True)
    ]
    text = printed(frame(*cells))
    assert max(map(len, text.splitlines())) <= 80
    shown = "".join(text.split("Avg-M")[1])
    assert all(f"{mean:.1f}" in shown for mean, _, _ in numbers)


def test_the_papers_number_widens_nothing() -> None:
    def widest(text: str) -> int:
        return max(len(line) for line in text.splitlines()[1:])

    assert widest(printed(every_row(mean=90.0, std=0.2, paper=97.0))) == widest(
        printed(every_row(mean=90.0, std=0.2))
    )


def test_rows_are_grouped_by_regime_and_missing_ones_shown() -> None:
    cells = frame(cell(), cell(regime="rehearsal"), cell(row="Pre-trained", regime=""))
    lines = [line.split("  ")[0].strip() for line in printed(cells).splitlines()[3:]]
    assert [line for line in lines if line] == [
        "Pre-trained",
        "Continual",
        "PNC (w/o Local)",
        "Linear probe (ceiling)",
        "strict:",
        "PNC (full)",
        "rehearsal:",
        "PNC (full)",
    ]


def test_the_title_says_what_the_numbers_are() -> None:
    assert printed(frame(cell())).startswith("Table 1 on digits: per cent, mean±std of 3 seeds\n")
    assert "below it (the paper's number)" in printed(frame(cell(paper=97.0))).replace("\n", " ")


def test_of_too_many_columns_the_spreads_are_left_out() -> None:
    metrics = ["ori", "tar", *(f"acc{group}" for group in range(1, 8)), "avg"]
    wanted = table_1(metrics={"": metrics}, columns={"": {"task": "S"}})
    text = printed(frame(*(cell(metric, 87.5, scale="") for metric in metrics)), wanted=wanted)
    assert "±" not in text and text.count("87.5") == 10
    assert max(map(len, text.splitlines())) <= 80


def test_what_is_too_wide_even_so_stands_in_several_grids() -> None:
    metrics = [f"acc{group}" for group in range(1, 14)]
    wanted = table_1(metrics={"": metrics}, columns={"": {"task": "S"}})
    text = printed(frame(*(cell(metric, 87.5, scale="", paper=96.4) for metric in metrics)), wanted=wanted)
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("87.5±0.1") == text.count("(96.4)") == len(metrics)
    assert text.count("PNC (full)") == 2


# The sentence

CLASSES = {"S": 1, "M": 3}


def clones(**means: tuple[float, float]) -> pd.DataFrame:
    """Ori and Tar of M, by names of ``_ROWS``."""
    cells = [
        cell(metric, mean, row=row, regime=regime, scale="M", task="M")
        for name, both in means.items()
        for (row, regime), metric, mean in [
            (_ROWS[name], metric, mean) for metric, mean in zip(("ori", "tar"), both, strict=True)
        ]
    ]
    return frame(*cells)


_ROWS = {
    "alone": ("Pre-trained", ""),
    "strict": ("PNC (full)", "strict"),
    "rehearsal": ("PNC (full)", "rehearsal"),
    "unmasked": ("PNC (w/o Local)", "strict"),
    "unmasked_rehearsal": ("PNC (w/o Local)", "rehearsal"),
}


def test_the_sentence_sets_the_clone_beside_the_target_its_variants_and_its_regimes() -> None:
    cells = clones(
        alone=(99.6, 98.9),
        strict=(96.1, 96.3),
        rehearsal=(97.3, 98.2),
        unmasked=(96.6, 95.6),
        unmasked_rehearsal=(1, 2),
    )
    assert sentence(cells, WANTED, CLASSES) == (
        "Strict PNC (full), M: 96.1 % on the target's own classes, where the target alone has 99.6 %, and 96.3 % on "
        "3 new ones; PNC (w/o Local): 96.6 % and 95.6 %; with rehearsal: 97.3 % and 98.2 %."
    )


def test_the_sentence_says_only_what_was_measured() -> None:
    assert sentence(clones(alone=(99.6, 98.9), rehearsal=(97.3, 98.2)), WANTED, {}) == (
        "Rehearsal PNC (full), M: 97.3 % on the target's own classes, where the target alone has 99.6 %, and 98.2 % "
        "on the new ones."
    )


def test_only_rows_of_the_same_target_are_set_beside_each_other() -> None:
    rows = {
        "CNN alone": {"method": "pretrained", "target": "cnn"},
        "Pre-trained": {"method": "pretrained", "target": "old"},
        "PNC (full)": {"method": "pnc", "at": "best", "target": "old"},
        "PNC (w/o Local)": {"method": "pnc", "variant": "unmasked", "at": "best", "target": "cnn"},
    }
    cells = clones(alone=(99.6, 98.9), strict=(96.1, 96.3), unmasked=(1.0, 2.0))
    other = frame(*cells.to_dict("records"), cell("ori", 12.3, row="CNN alone", regime="", scale="M"))
    said = sentence(other, table_1(rows=rows), CLASSES)
    assert "the target alone has 99.6 %, and 96.3 % on 3 new ones." in said


PERCENT = st.integers(0, 1000).map(lambda tenths: tenths / 10)


@settings(max_examples=25)
@given(
    st.fixed_dictionaries({"strict": st.tuples(PERCENT, PERCENT)}, optional={"alone": st.tuples(PERCENT, PERCENT)})
)
def test_the_sentence_quotes_the_cells_whatever_they_are(means: dict[str, tuple[float, float]]) -> None:
    said = sentence(clones(**means), WANTED, CLASSES)
    expected = [*means["strict"], means["alone"][0]] if "alone" in means else [means["strict"][0]]
    assert all(f"{mean:.1f}" in said for mean in expected)
    assert said.endswith(".")


@settings(max_examples=25)
@given(st.lists(PERCENT, min_size=1, max_size=5), st.sampled_from(["avg", "ece"]))
def test_of_other_tables_it_names_the_best_and_the_worst_row(means: list[float], metric: str) -> None:
    rows = {f"row {number}": {"method": "mine"} for number in range(len(means))}
    wanted = table_1(rows=rows, metrics={"": [metric]})
    cells = frame(*(cell(metric, mean, row=row, scale="M") for row, mean in zip(rows, means, strict=True)))
    best, worst = (max(means), min(means)) if metric == "avg" else (min(means), max(means))
    said = sentence(cells, wanted, CLASSES)
    assert said.startswith("Avg-M: best row" if metric == "avg" else "ECE-M: best row")
    assert f"({best:.1f}), worst" in said and said.endswith(f"({worst:.1f}).")


def test_without_numbers_there_is_no_sentence() -> None:
    assert sentence(frame(quoted()), WANTED, CLASSES) == ""
    assert sentence(frame(cell("loss", 1.0, scale="M")), table_1(metrics={"": ["loss"]}), CLASSES) == ""
