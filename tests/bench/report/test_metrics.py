"""The one table of metrics, and that a line in it is all that a new one needs."""

from pathlib import Path

import pytest
from _cells import PAPER, cell, frame, score, table_1, write_scores

from bench.report import paper, tables, terminal
from bench.report.cells import read_cells, write_cells
from bench.report.figures import draw
from bench.report.metrics import METRICS, Metric
from bench.report.regression import compare, is_worse
from bench.report.scores import read_scores


def test_every_metric_is_called_by_its_name() -> None:
    assert all(name == metric.name and metric.heading for name, metric in METRICS.items())
    assert {metric.better for metric in METRICS.values()} == {-1, 0, 1}


def test_every_metric_of_the_paper_is_known() -> None:
    assert {metric for names in paper.METRICS.values() for metric in names} <= METRICS.keys()


def test_percentages_are_compared_from_half_a_point_on() -> None:
    percentages = [metric for metric in METRICS.values() if metric.unit == "%"]
    assert {(metric.low, metric.high, metric.floor) for metric in percentages} == {(0, 100, 0.5)}


@pytest.mark.parametrize(
    ("name", "mean", "std", "shown"),
    [
        ("avg", 97.06, 0.25, "97.1 ± 0.2"),
        ("avg", 97.06, float("nan"), "97.1"),
        ("loss", 0.0123, 0.0011, "0.012 ± 0.001"),
        ("package_bytes", 18250, 0, "18.2 ± 0.0"),
        ("added_macs_m", 0.0218681, 0, "0.022"),
        ("added_macs_m", 0.0218681, 0.004, "0.022 ± 0.004"),
        ("added_params", 15802, 0, "15.8"),
        ("ms_per_picture", 0.1234, 0, "0.123 ± 0.000"),
        ("position", 2, 0, "2"),
        ("position", 1.5, 0.71, "1.5 ± 0.7"),
        ("position", 1, 1, "1.0 ± 1.0"),
        ("recoverable", 1, float("nan"), "1"),
    ],
)
def test_numbers_as_tables_show_them(name: str, mean: float, std: float, shown: str) -> None:
    assert METRICS[name].text(mean, std) == shown


def test_axes_name_the_unit_once() -> None:
    assert [METRICS[name].axis for name in ("avg", "loss", "package_bytes")] == ["Avg (%)", "Loss", "kB"]


def test_one_line_is_all_that_a_new_metric_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores of it are checked, its cells read, shown, drawn and compared."""
    watts = Metric("watts", "Watts", "W", "what it draws", better=-1, high=500, floor=2)
    monkeypatch.setitem(METRICS, "watts", watts)
    read_scores([write_scores(tmp_path / "a.json", score(metric="watts", value=100.0))])
    wanted = table_1(metrics={"Power": ["watts"]})
    base, worse, noise = (frame(cell("watts", mean)) for mean in (100.0, 103.0, 101.5))
    write_cells(tmp_path / "cells.csv", base)
    assert read_cells(tmp_path / "cells.csv")["metric"].tolist() == ["watts"]
    text = tables.render(base, {"T1": wanted}, title="", paper=PAPER, facts={})
    assert "| PNC (full), strict | 100.0 ± 0.1 | – |" in text and "Watts (W): what it draws" in text
    assert terminal.to_console(base, wanted, "digits", 80)
    assert draw(wanted, base).axes[0].get_xlabel() == "Watts (W)"
    assert is_worse(compare("digits", base, worse))
    assert not is_worse(compare("digits", base, noise))
    assert not is_worse(compare("digits", worse, base))
