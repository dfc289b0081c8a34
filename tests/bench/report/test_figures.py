"""Made-up cells drawn: what the figures hold, that nothing overlaps, that the same figure gives the same bytes."""

import argparse
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.lines import Line2D
from matplotlib.text import Text

from bench.report.cells import COLUMNS, write_cells
from bench.report.figures import COLOURS, DPI, accuracy_by_row, positions, save, similarity
from bench.report.labels import PAPER_ROWS
from pnc.base.errors import PncError
from stages import figures as stage

RNG = np.random.default_rng(0)


def cell(row: str, scale: str, metric: str, mean: float, **changes: Any) -> dict[str, Any]:
    identity = {"table": "T1", "row": row, "dataset": "mnist", "source": "lenet5", "target": "lenet5"}
    found = {"scale": scale, "regime": "", "metric": metric, "mean": mean, "std": 0.5, "seeds": 2, "paper": np.nan}
    return identity | found | {"quoted": False, "device": "made up", "settings": "0123456789ab"} | changes


@pytest.fixture(scope="module")
def cells() -> pd.DataFrame:
    """All rows in both regimes and scales, every R, and its choice: 2 with strict, 1.5 on average with rehearsal."""
    found = []
    for scale, regime in itertools.product("SM", ("strict", "rehearsal")):
        for row in PAPER_ROWS:
            found.append(cell(row, scale, "avg", 90 if regime == "strict" else 92, regime=regime, paper=91.0))
        for position, metric in itertools.product(range(3), ("ori", "tar", "avg", "loss")):
            mean = 1.0 - 0.1 * position if metric == "loss" else 80.0 + position
            found.append(cell(f"PNC R={position}", scale, metric, mean, table="R", regime=regime))
        chosen = 2.0 if regime == "strict" else 1.5
        found.append(cell("PNC (full)", scale, "position", chosen, regime=regime))
    found.append(cell("Linear probe (ceiling)", "S", "avg", 95, std=np.nan, seeds=1))
    unmeasured = {"mean": np.nan, "std": np.nan, "seeds": 0, "quoted": True, "device": "", "settings": ""}
    found.append(cell("Continual", "M", "avg", np.nan, paper=77.7) | unmeasured)
    return pd.DataFrame(found, columns=list(COLUMNS))


def assert_readable(figure: Figure) -> None:
    """Every text lies inside the figure, and no two tick labels of one axis, titles or legend entries overlap."""
    figure.set_dpi(DPI)
    figure.draw_without_rendering()
    legends = [figure.legends[0].get_texts()] if figure.legends else []
    titles = [[axes.title for axes in figure.axes]]
    ticks = [tick_labels(axis) for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
    groups: list[list[Text]] = [*legends, *titles, *ticks]
    for group in groups:
        boxes = [(text, text.get_window_extent()) for text in group if text.get_text()]
        for text, box in boxes:
            assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1, text
            assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1, text
        for (first, box), (second, other) in itertools.combinations(boxes, 2):
            assert not box.overlaps(other), (first, second)


def tick_labels(axis: Axis) -> list[Text]:
    """Those that are drawn: matplotlib keeps some beyond the ends of the axis."""
    low, high = sorted(axis.get_view_interval())
    drawn = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    return [label for tick in drawn for label in (tick.label1, tick.label2) if label.get_visible()]


def coordinates(line: Line2D) -> tuple[list[float], list[float]]:
    return np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist()


def error_bars(axes: Axes) -> list[tuple[list[float], list[float], str]]:
    """x, y and colour of each."""
    bars = [found for found in axes.containers if isinstance(found, ErrorbarContainer)]
    lines = [bar.lines[0] for bar in bars]
    return [(*coordinates(line), to_hex(line.get_color())) for line in lines]


# Accuracy by row


def test_accuracies_of_ours_and_the_paper_stand_in_one_row(cells: pd.DataFrame) -> None:
    figure = accuracy_by_row(cells)
    small, large = figure.axes
    names = [label.get_text() for label in small.get_yticklabels()]
    assert names[0] == "Pre-trained, strict"
    assert names[-1] == "Linear probe (ceiling)"
    assert [axes.get_title() for axes in (small, large)] == ["mnist, S", "mnist, M"]
    drawn = {(names[round(y[0])], x[0], colour) for x, y, colour in error_bars(small)}
    assert len(drawn) == 2 * len(PAPER_ROWS) + 1
    assert ("PNC (full), strict", 90, COLOURS["strict"].lower()) in drawn
    assert ("PNC (full), rehearsal", 92, COLOURS["rehearsal"].lower()) in drawn
    paper = next(line for line in large.lines if line.get_marker() == "D")
    printed = {names[round(place)]: value for value, place in zip(*coordinates(paper), strict=True)}
    assert printed["PNC (full), strict"] == 91.0
    assert printed["Continual"] == 77.7
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["baseline", "strict", "rehearsal", "paper"]


def test_error_bars_are_one_standard_deviation_each_way(cells: pd.DataFrame) -> None:
    only = cells[(cells["row"] == "PNC (full)") & (cells["regime"] == "strict") & (cells["scale"] == "S")]
    (bar,) = accuracy_by_row(only).axes[0].containers
    assert isinstance(bar, ErrorbarContainer)
    (spread,) = bar.lines[2]
    assert isinstance(spread, LineCollection)
    assert spread.get_segments()[0][:, 0].tolist() == [89.5, 90.5]


def test_without_the_papers_numbers_it_is_not_in_the_legend(cells: pd.DataFrame) -> None:
    figure = accuracy_by_row(cells.assign(paper=np.nan))
    assert "paper" not in [text.get_text() for text in figure.legends[0].get_texts()]


# Every R


def test_every_position_is_drawn_beside_the_chosen_one(cells: pd.DataFrame) -> None:
    figure = positions(cells)
    assert len(figure.axes) == 4
    accuracy, _, loss, _ = figure.axes
    curves = error_bars(accuracy)
    assert len(curves) == 2 * 3
    for x, y, _ in curves:
        assert np.round(x).tolist() == [0, 1, 2]
        assert y == [80, 81, 82]
    assert [y for _, y, _ in error_bars(loss)] == [[1.0, 0.9, 0.8]] * 2
    for axes in figure.axes:
        chosen = {
            to_hex(line.get_color()): coordinates(line)[0]
            for line in axes.lines
            if coordinates(line)[1] == [0, 1] and line.get_linestyle() == "--"
        }
        assert chosen == {COLOURS["strict"].lower(): [2, 2], COLOURS["rehearsal"].lower(): [1.5, 1.5]}


def test_without_losses_there_is_no_panel_for_them(cells: pd.DataFrame) -> None:
    figure = positions(cells[(cells["metric"] != "loss") & (cells["scale"] == "S")])
    assert [axes.get_ylabel() for axes in figure.axes] == ["accuracy (%)"]


@pytest.mark.parametrize("draw", [accuracy_by_row, positions])
def test_nothing_to_draw_is_refused(cells: pd.DataFrame, draw: Any) -> None:
    with pytest.raises(PncError, match=r"cells to draw: expected cells .*, found none"):
        draw(cells[cells["metric"] == "leak"])


def test_a_position_that_its_row_does_not_name_is_refused() -> None:
    with pytest.raises(PncError, match="row of table R: expected a name that ends in R=NUMBER, found 'PNC'"):
        positions(pd.DataFrame([cell("PNC", "S", "avg", 90, table="R")]))


# Similarity


def test_both_matrices_share_one_scale_and_say_their_locality() -> None:
    left, right = np.full((3, 3), 0.5), np.full((3, 3), -0.1)
    np.fill_diagonal(left, 1)
    np.fill_diagonal(right, 0.9)
    figure = similarity(left, right, ["a", "b", "c"])
    source, modules = figure.axes[:2]
    assert source.get_title() == "source\nlocality 0.50"
    assert modules.get_title() == "transferable modules\nlocality 1.00"
    for axes, matrix in ((source, left), (modules, right)):
        np.testing.assert_array_equal(axes.images[0].get_array(), matrix)
        assert axes.images[0].get_clim() == (-0.1, 1)
    assert [text.get_text() for text in modules.texts] == [".90", "-.10", "-.10", "-.10", ".90", *["-.10"] * 3, ".90"]


def test_many_classes_are_drawn_without_numbers() -> None:
    matrix = np.eye(13)
    assert not similarity(matrix, matrix, list("abcdefghijklm")).axes[0].texts


@pytest.mark.parametrize(
    ("left", "right", "names"),
    [
        (np.eye(3), np.eye(2), "abc"),
        (np.ones((3, 2)), np.eye(3), "abc"),
        (np.eye(3), np.eye(3), "ab"),
        (np.eye(2), np.full((2, 2), np.nan), "ab"),
        (np.eye(1), np.eye(1), "a"),
    ],
)
def test_matrices_that_do_not_fit_are_refused(left: np.ndarray, right: np.ndarray, names: str) -> None:
    with pytest.raises(
        PncError, match=r"similarities of the (source|transferable modules): expected a finite matrix"
    ):
        similarity(left, right, list(names))


# Files


def drawings(cells: pd.DataFrame) -> dict[str, Figure]:
    matrix = RNG.random((5, 5))
    return {
        "accuracy": accuracy_by_row(cells),
        "one scale": accuracy_by_row(cells[cells["scale"] == "S"]),
        "positions": positions(cells),
        "one scale's positions": positions(cells[cells["scale"] == "S"]),
        "similarity": similarity(matrix, matrix, ["airplane", "automobile", "bird", "cat", "deer"]),
        "digits": similarity(np.eye(10), np.eye(10), list("0123456789")),
    }


def test_texts_do_not_overlap_or_leave_the_figure(cells: pd.DataFrame) -> None:
    for figure in drawings(cells).values():
        assert_readable(figure)


def test_the_same_figure_gives_the_same_bytes(cells: pd.DataFrame, tmp_path: Path) -> None:
    first, second = tmp_path / "first.png", tmp_path / "second.png"
    for path in (first, second):
        save(positions(cells), path)
    assert first.read_bytes() == second.read_bytes()
    assert b"Software" not in first.read_bytes() and b"Date" not in first.read_bytes()
    width, height = positions(cells).get_size_inches() * DPI
    assert imread(first).shape[:2] == (int(height), int(width))


def test_a_figure_that_cannot_be_drawn_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "figure.png"
    path.write_bytes(b"old")
    figure = similarity(np.eye(2), np.eye(2), ["a", "b"])
    monkeypatch.setattr(figure, "draw", lambda renderer: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save(figure, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_stage_draws_what_was_measured(
    cells: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_cells(Path("results/whole/cells.csv"), cells)
    write_cells(Path("results/short/cells.csv"), cells[cells["table"] == "T1"])
    for suite, names in (("whole", ["accuracy.png", "positions.png"]), ("short", ["accuracy.png"])):
        stage.main(argparse.Namespace(suite=suite))
        drawn = sorted(path.name for path in Path(f"results/{suite}/figures").iterdir())
        assert drawn == names
