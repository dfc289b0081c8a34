"""Made-up cells drawn: what the figures hold, that nothing overlaps, that the same figure gives the same bytes."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from _cells import cell, frame, quoted, table_1
from _figures import assert_readable, coordinates, error_bars
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text

from bench.report.drawing import COLOURS
from bench.report.figures import DPI, draw, save
from bench.report.query import table
from pnc.base.errors import PncError

ROWS = ["Pre-trained", "Continual", "PNC-F (w/o Insert)", "PNC (w/o Local)", "PNC (full)", "Linear probe (ceiling)"]
WANTED = table_1(rows={row: {"method": "any"} for row in ROWS})
REGIMES = ("strict", "rehearsal")
COMMON: dict[str, Any] = {
    "title": "Clones",
    "scores": "main",
    "where": {"source": "new", "target": "old", "method": "pnc"},
    "columns": {"S": {"task": "S"}, "M": {"task": "M"}},
    "metrics": {"": ["ori", "tar", "avg", "loss"], "Chosen": ["position"]},
}
POSITIONS = table(
    "positions", COMMON | {"rows": {**{f"PNC R={R}": {"at": R} for R in range(3)}, "chosen R": {"at": "best"}}}
)
SHARES = {"10 %": 0.1, "30 %": 0.3, "all": 1.0}
KEPT = table(
    "kept",
    COMMON
    | {
        "rows": {**{row: {"at": "best", "variant": row} for row in SHARES}, "unmasked": {"at": "last"}},
        "x": SHARES,
        "xlabel": "share of filters kept",
        "metrics": {"": ["tar", "avg", "package_bytes"]},
    },
)
STEPS = table(
    "T3",
    COMMON
    | {
        "where": {"source": "new", "target": "old", "task": "s1"},
        "columns": {f"{at} classes": {"at": at} for at in (1, 2, 3)},
        "rows": {f"learner {number}": {"method": str(number)} for number in range(10)},
        "metrics": {"": ["acc_final", "ori"]},
        "figure": "steps",
        "xlabel": "classes added",
    },
)


@pytest.fixture(scope="module")
def by_step() -> pd.DataFrame:
    """Ten learners in one of two regimes; the last was not measured after the second step."""
    found = itertools.product(range(10), (1, 2, 3))
    return frame(
        *(
            cell(
                "acc_final",
                90 - number - at,
                row=f"learner {number}",
                scale=f"{at} classes",
                regime=REGIMES[number % 2],
            )
            for number, at in found
            if (number, at) != (9, 2)
        ),
        quoted("acc_final", row="quoted", scale="1 classes", regime="", paper=50.0),
    )


PLACES = {"Both whole": (95.0, 0.4), "R = 2": (94.0, 0.02), "R = 1": (93.0, 0.1), "keep = 0.1": (90.0, 0.01)}
COSTS = table(
    "costs",
    COMMON
    | {
        "rows": {row: {"at": "best"} for row in (*PLACES, "Joint", "Alone", "Not measured")},
        "figure": "pareto",
        "metrics": {"": ["avg", "added_macs_m"]},
    },
)


@pytest.fixture(scope="module")
def cells() -> pd.DataFrame:
    """Two rows in both regimes and scales and some in none, with the paper's numbers for all but one."""
    found = [
        cell(mean=90 if regime == "strict" else 92, std=0.5, row=row, scale=scale, regime=regime, paper=91.0)
        for row, scale, regime in itertools.product(("PNC (w/o Local)", "PNC (full)"), "SM", REGIMES)
    ]
    found.append(cell(mean=95, row="Linear probe (ceiling)", std=np.nan, seeds=1, regime=""))
    found.append(quoted(row="Continual", scale="M", regime="", paper=77.7))
    return frame(*found)


@pytest.fixture(scope="module")
def every_position() -> pd.DataFrame:
    """Every R, and its choice: 2 with strict, 1.5 on average with rehearsal."""
    found = []
    for scale, regime in itertools.product("SM", REGIMES):
        own = {"table": "positions", "scale": scale, "regime": regime}
        for position, metric in itertools.product(range(3), ("ori", "tar", "avg", "loss")):
            mean = 1.0 - 0.1 * position if metric == "loss" else 80.0 + position
            found.append(cell(metric, mean, row=f"PNC R={position}", **own))
        found.append(cell("position", 2.0 if regime == "strict" else 1.5, row="chosen R", **own))
        found.append(cell("avg", 82.0, row="chosen R", **own))
    return frame(*found)


@pytest.fixture(scope="module")
def kept() -> pd.DataFrame:
    return frame(
        *(
            cell(metric, 1000.0 + 5000 * share if metric == "package_bytes" else 90 + share, row=row, table="kept")
            for row, share in {**SHARES, "unmasked": 5}.items()
            for metric in ("tar", "avg", "package_bytes")
        )
    )


@pytest.fixture(scope="module")
def costs() -> pd.DataFrame:
    """Four clones in one regime, joint training without one, and the target alone, which adds nothing."""
    places = {**{row: (*place, "strict") for row, place in PLACES.items()}, "Joint": (98.0, 0.0001, "")}
    found = [
        cell(metric, mean, row=row, scale=scale, regime=regime, table="costs")
        for scale in "SM"
        for row, (avg, macs, regime) in places.items()
        for metric, mean in (("avg", avg), ("added_macs_m", macs))
    ]
    alone = [cell(metric, 0.0, row="Alone", table="costs") for metric in ("avg", "added_macs_m")]
    return frame(*found, *alone, cell("avg", 50.0, row="Not measured", table="costs"))


# Rows


def test_accuracies_of_ours_and_the_paper_stand_in_one_row(cells: pd.DataFrame) -> None:
    figure = draw(WANTED, cells)
    small, large = figure.axes
    names = [label.get_text() for label in small.get_yticklabels()]
    assert names == [
        "Continual",
        *(f"{row}, {regime}" for row in ("PNC (w/o Local)", "PNC (full)") for regime in REGIMES),
        "Linear probe (ceiling)",
    ]
    assert [axes.get_title() for axes in (small, large)] == ["digits, S", "digits, M"]
    assert small.get_xlabel() == "Avg (%)"
    drawn = {(names[round(y[0])], x[0], colour) for x, y, colour in error_bars(small)}
    assert len(drawn) == 2 * 2 + 1
    assert ("PNC (full), strict", 90, COLOURS["strict"].lower()) in drawn
    assert ("PNC (full), rehearsal", 92, COLOURS["rehearsal"].lower()) in drawn
    paper = next(line for line in large.lines if line.get_marker() == "D")
    printed = {names[round(place)]: value for value, place in zip(*coordinates(paper), strict=True)}
    assert printed["PNC (full), strict"] == 91.0
    assert printed["Continual"] == 77.7
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["no regime", "strict", "rehearsal", "paper"]


def test_error_bars_are_one_standard_deviation_each_way(cells: pd.DataFrame) -> None:
    only = cells[(cells["row"] == "PNC (full)") & (cells["regime"] == "strict") & (cells["scale"] == "S")]
    (bar,) = draw(WANTED, only).axes[0].containers
    assert isinstance(bar, ErrorbarContainer)
    (spread,) = bar.lines[2]
    assert isinstance(spread, LineCollection)
    assert spread.get_segments()[0][:, 0].tolist() == [89.5, 90.5]


def test_without_the_papers_numbers_it_is_not_in_the_legend(cells: pd.DataFrame) -> None:
    figure = draw(WANTED, cells[~cells["quoted"]].assign(paper=np.nan))
    assert "paper" not in [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_table_without_avg_draws_its_first_metric() -> None:
    wanted = table_1(metrics={"Size": ["package_bytes"]})
    (axes,) = draw(wanted, frame(cell("package_bytes", 18250, std=0))).axes
    assert axes.get_xlabel() == "kB"
    assert error_bars(axes)[0][0] == [18.25]


# Curves


def test_every_position_is_drawn_beside_the_chosen_one(every_position: pd.DataFrame) -> None:
    figure = draw(POSITIONS, every_position)
    assert len(figure.axes) == 4
    accuracy, _, loss, _ = figure.axes
    curves = error_bars(accuracy)
    assert len(curves) == 2 * 3
    for x, y, _ in curves:
        assert np.round(x).tolist() == [0, 1, 2]
        assert y == [80, 81, 82]
    assert [y for _, y, _ in error_bars(loss)] == [[1.0, 0.9, 0.8]] * 2
    assert [axes.get_ylabel() for axes in (accuracy, loss)] == ["per cent", "Loss"]
    for axes in figure.axes:
        chosen = {
            to_hex(line.get_color()): coordinates(line)[0]
            for line in axes.lines
            if coordinates(line)[1] == [0, 1] and line.get_linestyle() == "--"
        }
        assert chosen == {COLOURS["strict"].lower(): [2, 2], COLOURS["rehearsal"].lower(): [1.5, 1.5]}


def test_without_losses_or_a_choice_they_are_left_out(every_position: pd.DataFrame) -> None:
    few = every_position[~every_position["metric"].isin(["loss", "position"]) & (every_position["scale"] == "S")]
    figure = draw(POSITIONS, few)
    assert [axes.get_ylabel() for axes in figure.axes] == ["per cent"]
    assert "chosen R*" not in [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_curve_runs_over_the_numbers_of_its_rows(kept: pd.DataFrame) -> None:
    figure = draw(KEPT, kept)
    accuracy, size = figure.axes
    for x, y, _ in error_bars(accuracy):
        assert np.round(x, 1).tolist() == [0.1, 0.3, 1.0]
        assert y == [90.1, 90.3, 91.0]
    assert [y for _, y, _ in error_bars(size)] == [[1.5, 2.5, 6.0]]
    assert (size.get_xlabel(), size.get_ylabel()) == ("share of filters kept", "kB")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Tar", "Avg", "strict"]


def test_steps_are_a_line_for_each_row_from_column_to_column(by_step: pd.DataFrame) -> None:
    (axes,) = draw(STEPS, by_step).axes
    lines = error_bars(axes)
    assert [x for x, _, _ in lines] == [[0, 1, 2]] * 10
    assert [y for _, y, _ in lines[:9]] == [[89 - number, 88 - number, 87 - number] for number in range(9)]
    assert lines[9][1][::2] == [80, 78] and np.isnan(lines[9][1][1])
    assert len({colour for _, _, colour in lines}) == 10
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1 classes", "2 classes", "3 classes"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("classes added", "Final (%)")
    legend = [text.get_text() for text in axes.figure.legends[0].get_texts()]  # type: ignore[union-attr]
    assert legend[:2] == ["learner 0, strict", "learner 1, rehearsal"] and len(legend) == 10


@pytest.mark.parametrize("wanted", [WANTED, POSITIONS, KEPT, COSTS, STEPS])
def test_nothing_to_draw_is_refused(wanted: Any) -> None:
    with pytest.raises(PncError, match=r"cells to draw: expected cells of .*, found none"):
        draw(wanted, frame(cell("leak", 1.0)))


# Fronts


def test_every_row_with_both_numbers_is_a_named_point(costs: pd.DataFrame) -> None:
    figure = draw(COSTS, costs)
    small, large = figure.axes
    points = {(x, y, colour) for xs, ys, colour in error_bars(small) for x, y in zip(xs, ys, strict=True)}
    strict = COLOURS["strict"].lower()
    whole = {(0.4, 95.0, strict), (0.02, 94.0, strict), (0.1, 93.0, strict), (0.01, 90.0, strict)}
    assert points == whole
    assert {text.get_text() for text in small.texts} == {*PLACES, "Joint (adds 0.0001)"}
    assert len(large.texts) == 5 and small.get_xscale() == "log"
    assert (small.get_xlabel(), small.get_ylabel()) == ("M MACs added per picture", "Avg (%)")


def test_the_front_is_what_no_row_of_the_same_regime_beats_for_less(costs: pd.DataFrame) -> None:
    axes = draw(COSTS, costs).axes[0]
    fronts = [coordinates(line) for line in axes.lines if line.get_drawstyle() == "steps-post"]
    assert fronts == [([0.01, 0.02, 0.4], [90.0, 94.0, 95.0])]
    levels = [coordinates(line)[1] for line in axes.lines if line.get_linestyle() == "--"]
    assert levels == [[98.0, 98.0]]


@pytest.mark.parametrize("crowd", [1, 6, 12])
def test_names_of_points_that_lie_close_hide_neither_each_other_nor_a_point(crowd: int) -> None:
    rows = {f"PNC, keep = 0.{row}": {"at": row} for row in range(crowd)}
    wanted = table("costs", COMMON | {"rows": rows, "figure": "pareto", "metrics": {"": ["avg", "added_macs_m"]}})
    places = [(94 + row % 3 / 10, 0.02 * 1.2**row) for row in range(crowd)]
    found = [
        cell(metric, mean, row=row, scale=scale, table="costs")
        for scale in "SM"
        for row, place in zip(rows, places, strict=True)
        for metric, mean in zip(("avg", "added_macs_m"), place, strict=True)
    ]
    figure = draw(wanted, frame(*found))
    figure.set_dpi(DPI)
    figure.draw_without_rendering()
    for axes in figure.axes:
        boxes = [Text.get_window_extent(text) for text in axes.texts]
        assert len(boxes) == crowd
        assert not [pair for pair in itertools.combinations(boxes, 2) if pair[0].overlaps(pair[1])]
        points = axes.transData.transform([(cost, mean) for mean, cost in places])
        assert not [box for box in boxes for x, y in points if box.contains(x, y)]


# Files


@pytest.fixture(scope="module")
def drawings(
    cells: pd.DataFrame,
    every_position: pd.DataFrame,
    kept: pd.DataFrame,
    costs: pd.DataFrame,
    by_step: pd.DataFrame,
) -> dict[str, Figure]:
    return {
        "rows": draw(WANTED, cells),
        "one scale": draw(WANTED, cells[cells["scale"] == "S"]),
        "positions": draw(POSITIONS, every_position),
        "one scale's positions": draw(POSITIONS, every_position[every_position["scale"] == "S"]),
        "curve": draw(KEPT, kept),
        "front": draw(COSTS, costs),
        "steps": draw(STEPS, by_step),
    }


def test_texts_do_not_overlap_or_leave_the_figure(drawings: dict[str, Figure]) -> None:
    for figure in drawings.values():
        assert_readable(figure)


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_same_cells_give_the_same_bytes(every_position: pd.DataFrame, tmp_path: Path, kind: str) -> None:
    first, second = (tmp_path / name / f"positions.{kind}" for name in ("first", "second"))
    for path in (first, second):
        save(draw(POSITIONS, every_position), path)
    content = first.read_bytes()
    assert content == second.read_bytes()
    assert not any(word in content for word in (b"Software", b"Date", b"<dc:date>", b"Matplotlib v"))


def test_a_png_has_the_size_of_its_figure(drawings: dict[str, Figure], tmp_path: Path) -> None:
    save(drawings["curve"], tmp_path / "curve.png")
    width, height = drawings["curve"].get_size_inches() * DPI
    assert imread(tmp_path / "curve.png").shape[:2] == (int(height), int(width))


def test_a_figure_that_cannot_be_drawn_leaves_the_old_file(
    cells: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "figure.png"
    path.write_bytes(b"old")
    figure = draw(WANTED, cells)
    monkeypatch.setattr(figure, "draw", lambda renderer: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save(figure, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
