"""Comparing cells with those of a base: what counts as worse, and how it is reported."""

import math
from typing import Any

import numpy as np
import pytest
from _cells import DEVICE, cell, frame
from _cells import quoted as quoted_cell
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.report.metrics import METRICS
from bench.report.regression import RISK, compare, hardware, is_worse, summary, to_markdown

NOTHING = frame()
FLOOR = METRICS["avg"].floor
DIRECTED = sorted(name for name, metric in METRICS.items() if metric.better)


def verdict(base: dict[str, Any], now: dict[str, Any]) -> str:
    """The verdict on the one cell that is in both; empty if it does not differ."""
    compared = compare("digits", frame(base), frame(now))
    assert len(compared) <= 1
    return "".join(compared["verdict"])


def tolerance_of(base: dict[str, float], now: dict[str, float]) -> float:
    return compare("digits", frame(cell(mean=50, **base)), frame(cell(mean=40, **now)))["tolerance"].item()


# Verdicts


def test_equal_cells_are_not_listed() -> None:
    cells = frame(cell(), cell("loss", mean=0.1234))
    compared = compare("digits", cells, cells)
    assert compared.empty
    assert not is_worse(compared)
    assert to_markdown(compared) == ""
    assert summary(compared, "main", ["digits"]) == "digits against main: no cell differs."


@pytest.mark.parametrize("metric", ["ori", "tar", "avg"])
def test_of_an_accuracy_less_is_worse(metric: str) -> None:
    assert verdict(cell(metric, 90), cell(metric, 89)) == "dropped"
    assert verdict(cell(metric, 90), cell(metric, 91)) == "improved"


@pytest.mark.parametrize("metric", ["ece", "leak"])
def test_of_an_error_more_is_worse(metric: str) -> None:
    assert verdict(cell(metric, 4), cell(metric, 5)) == "dropped"
    assert verdict(cell(metric, 4), cell(metric, 3)) == "improved"


@pytest.mark.parametrize("metric", ["position", "milliseconds", "ms_per_picture", "loss"])
def test_a_metric_without_direction_is_only_reported(metric: str) -> None:
    compared = compare("digits", frame(cell(metric, 1)), frame(cell(metric, 2000)))
    assert compared["verdict"].tolist() == ["changed"]
    assert compared["tolerance"].isna().all()
    assert not is_worse(compared)


def test_a_change_of_just_the_tolerance_is_within_it() -> None:
    assert FLOOR < 32.2 - 31.7  # by an error of rounding
    assert verdict(cell(mean=32.2), cell(mean=31.7)) == "within tolerance"
    assert verdict(cell(mean=32.2), cell(mean=31.69)) == "dropped"


@pytest.mark.parametrize(
    ("base", "now"),
    [
        ({"std": 3.0, "seeds": 3}, {"std": 3.0, "seeds": 3}),
        ({"std": 3.0, "seeds": 9}, {"std": 4.0, "seeds": 16}),
        ({"std": 0.0, "seeds": 3}, {"std": 2.0, "seeds": 5}),
    ],
)
def test_the_tolerance_is_where_students_test_finds_a_change_at_the_risk(
    base: dict[str, float], now: dict[str, float]
) -> None:
    tolerance = tolerance_of(base, now)
    before, after = (0, base["std"], base["seeds"]), (tolerance, now["std"], now["seeds"])
    assert stats.ttest_ind_from_stats(*before, *after).pvalue == pytest.approx(RISK)


def test_a_single_seed_borrows_the_others_spread() -> None:
    known, alone = {"std": 3.0, "seeds": 9}, {"std": math.nan, "seeds": 1}
    expected = stats.t.ppf(1 - RISK / 2, 8) * 3 * math.sqrt(1 + 1 / 9)
    assert tolerance_of(known, alone) == tolerance_of(alone, known) == pytest.approx(expected)
    assert tolerance_of(alone, alone) == FLOOR


def test_the_tolerance_has_a_floor() -> None:
    assert tolerance_of({"std": 0.01, "seeds": 3}, {"std": 0.01, "seeds": 3}) == FLOOR
    assert tolerance_of({"std": 0.0, "seeds": 3}, {"std": 0.0, "seeds": 3}) == FLOOR


@pytest.mark.parametrize(("mean", "found"), [(21, "within tolerance"), (21.1, "dropped"), (18.9, "improved")])
def test_the_floor_of_a_size_is_a_share_of_it(mean: float, found: str) -> None:
    assert verdict(cell("package_bytes", 20_000, std=0), cell("package_bytes", 1000 * mean, std=0)) == found


def test_numbers_that_are_only_drawn_anew_seldom_drop() -> None:
    """As often as half the risk says, which counts both directions; two standard errors would be twice that."""
    draws = np.random.default_rng(0).normal(90, 4, size=(2, 4000, 3))
    sides = [
        frame(*(cell(row=str(number), mean=seeds.mean(), std=seeds.std(ddof=1)) for number, seeds in enumerate(side)))
        for side in draws
    ]
    dropped = (compare("digits", *sides)["verdict"] == "dropped").mean()
    assert 0.7 * RISK / 2 < dropped < 1.3 * RISK / 2


def test_one_seed_that_moved_alone_is_within_tolerance() -> None:
    """One of 30 pictures, in one of three seeds whose accuracies were the same."""
    before, after = {"mean": 96.67, "std": 0.0}, {"mean": 95.56, "std": 1.92}
    assert verdict(cell(**before), cell(**after)) == "within tolerance"


def test_a_cell_that_vanished_is_worse_and_a_new_one_is_not() -> None:
    base, now = frame(cell(), cell("loss")), frame(cell(), cell("leak"))
    compared = compare("digits", base, now)
    assert compared["verdict"].tolist() == ["vanished", "new"]
    assert compared["change"].isna().all()
    assert is_worse(compared)
    assert not is_worse(compare("digits", NOTHING, now))
    assert set(compare("digits", base, NOTHING)["verdict"]) == {"vanished"}


def test_quoted_cells_do_not_count() -> None:
    quoted = quoted_cell()
    assert verdict(quoted, quoted | {"paper": 50.0}) == ""
    assert verdict(quoted, cell()) == "new"
    assert verdict(cell(), quoted) == "vanished"


def test_another_network_is_another_cell() -> None:
    compared = compare("digits", frame(cell()), frame(cell(target="resnetc20")))
    assert compared["verdict"].tolist() == ["vanished", "new"]
    assert compared["cell"].nunique() == 2


@pytest.mark.parametrize("name", ["task", "variant"])
def test_another_task_or_variant_is_another_cell(name: str) -> None:
    compared = compare("digits", frame(cell()), frame(cell(**{name: "another"})))
    assert compared["verdict"].tolist() == ["vanished", "new"]
    assert compared["cell"].nunique() == 2


MEANS = st.integers(0, 10_000).map(lambda hundredths: hundredths / 100)
SPREADS = st.one_of(st.just(math.nan), st.integers(0, 500).map(lambda hundredths: hundredths / 100))
MEASUREMENTS = st.builds(
    lambda mean, std, more: {"mean": mean, "std": std, "seeds": 1 if math.isnan(std) else 2 + more},
    MEANS,
    SPREADS,
    st.integers(0, 5),
)


@settings(max_examples=25)
@given(MEASUREMENTS, MEASUREMENTS, st.sampled_from(DIRECTED))
def test_what_dropped_one_way_improved_the_other(base: dict[str, Any], now: dict[str, Any], metric: str) -> None:
    base, now = cell(metric) | base, cell(metric) | now
    opposite = {"dropped": "improved", "improved": "dropped"}
    there, back = verdict(base, now), verdict(now, base)
    assert back == opposite.get(there, there)
    known = METRICS[metric]
    gain = known.better * (now["mean"] - base["mean"])
    floor = max(known.floor, known.relative * max(base["mean"], now["mean"]))
    if abs(gain) < floor:
        assert there == ("within tolerance" if gain else "")
    if there == "dropped":
        assert gain < -floor + 1e-6
        assert verdict(base, now | {"mean": base["mean"]}) == ""


# The report


def test_the_table_names_cells_and_stresses_what_is_worse() -> None:
    base = frame(cell(mean=90), cell("loss", 0.1234), cell("ori", row="A | B"))
    now = frame(cell(mean=85.5), cell("loss", 0.1235), cell("ori", 90.25, row="A | B"))
    compared = compare("digits", base, now)
    assert to_markdown(compared).splitlines() == [
        "| Cell | base | now | change | tolerance | verdict |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
        "| digits, T1, PNC (full), new, old, S, strict, avg | 90 | 85.5 | -4.5 | 0.5 | **dropped** |",
        r"| digits, T1, A \| B, new, old, S, strict, ori | 90 | 90.25 | +0.25 | 0.5 | within tolerance |",
        "| digits, T1, PNC (full), new, old, S, strict, loss | 0.1234 | 0.1235 | +0.0001 | – | changed |",
    ]
    line = summary(compared, "main", ["digits", "mnist"])
    assert line == "digits, mnist against main: 1 dropped, 1 within tolerance, 1 changed."


def test_a_missing_side_is_a_dash() -> None:
    (line,) = to_markdown(compare("mnist", NOTHING, frame(cell()))).splitlines()[2:]
    assert line.endswith("| – | 90 | – | – | new |")


def test_other_hardware_is_said_in_one_line() -> None:
    base, now = frame(cell(), cell("ori")), frame(cell(device="B"), cell("ori", device="B"), cell("tar", device="C"))
    assert hardware(base, now) == (
        f"Measured on other hardware: {DEVICE}, now B: last bits, and with them single pictures, may differ."
    )
    assert hardware(base, base) == hardware(NOTHING, now) == hardware(base, NOTHING) == ""
