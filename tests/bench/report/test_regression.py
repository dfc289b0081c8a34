"""Comparing cells with those of a base: what counts as worse, and the command in a repository of its own."""

import math
import os
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from _paths import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.report.cells import COLUMNS, write_cells
from bench.report.regression import DIRECTION, FLOOR, RISK, compare, is_worse, summary, to_markdown
from flows import regression as flow

NOTHING = pd.DataFrame(columns=list(COLUMNS))


def cell(mean: float = 90.0, **changes: Any) -> dict[str, Any]:
    key = {"table": "T1", "row": "PNC (full)", "dataset": "digits", "source": "lenet5", "target": "lenet5"}
    key |= {"scale": "S", "regime": "strict", "metric": "avg"}
    numbers = {"mean": mean, "std": 0.1, "seeds": 3, "paper": math.nan, "quoted": False}
    return key | numbers | {"device": "a made-up machine", "settings": "0123456789ab"} | changes


def frame(*cells: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(cells, columns=list(COLUMNS))


def verdict(base: dict[str, Any], now: dict[str, Any]) -> str:
    """The verdict on the one cell that is in both; empty if it does not differ."""
    compared = compare("digits", frame(base), frame(now))
    assert len(compared) <= 1
    return "".join(compared["verdict"])


def tolerance_of(base: dict[str, float], now: dict[str, float]) -> float:
    return compare("digits", frame(cell(50, **base)), frame(cell(40, **now)))["tolerance"].item()


# Verdicts


def test_equal_cells_are_not_listed() -> None:
    cells = frame(cell(), cell(metric="loss", mean=0.1234))
    compared = compare("digits", cells, cells)
    assert compared.empty
    assert not is_worse(compared)
    assert to_markdown(compared) == ""
    assert summary(compared, "main", ["digits"]) == "digits against main: no cell differs."


@pytest.mark.parametrize("metric", ["ori", "tar", "avg"])
def test_of_an_accuracy_less_is_worse(metric: str) -> None:
    assert verdict(cell(90, metric=metric), cell(89, metric=metric)) == "dropped"
    assert verdict(cell(90, metric=metric), cell(91, metric=metric)) == "improved"


@pytest.mark.parametrize("metric", ["ece", "leak"])
def test_of_an_error_more_is_worse(metric: str) -> None:
    assert verdict(cell(4, metric=metric), cell(5, metric=metric)) == "dropped"
    assert verdict(cell(4, metric=metric), cell(3, metric=metric)) == "improved"


@pytest.mark.parametrize("metric", ["position", "package_bytes", "loss"])
def test_a_metric_without_direction_is_only_reported(metric: str) -> None:
    compared = compare("digits", frame(cell(1, metric=metric)), frame(cell(2000, metric=metric)))
    assert compared["verdict"].tolist() == ["changed"]
    assert compared["tolerance"].isna().all()
    assert not is_worse(compared)


def test_a_change_of_just_the_tolerance_is_within_it() -> None:
    assert FLOOR < 32.2 - 31.7  # by an error of rounding
    assert verdict(cell(32.2), cell(31.7)) == "within tolerance"
    assert verdict(cell(32.2), cell(31.69)) == "dropped"


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
    base, now = frame(cell(), cell(metric="loss")), frame(cell(), cell(metric="leak"))
    compared = compare("digits", base, now)
    assert compared["verdict"].tolist() == ["vanished", "new"]
    assert compared["change"].isna().all()
    assert is_worse(compared)
    assert not is_worse(compare("digits", NOTHING, now))
    assert set(compare("digits", base, NOTHING)["verdict"]) == {"vanished"}


def test_quoted_cells_do_not_count() -> None:
    quoted = cell(math.nan, quoted=True, std=math.nan, seeds=0, paper=97.0)
    assert verdict(quoted, quoted | {"paper": 50.0}) == ""
    assert verdict(quoted, cell()) == "new"
    assert verdict(cell(), quoted) == "vanished"


def test_another_network_is_another_cell() -> None:
    compared = compare("digits", frame(cell()), frame(cell(target="resnetc20")))
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


@settings(max_examples=60)
@given(MEASUREMENTS, MEASUREMENTS, st.sampled_from(sorted(DIRECTION)))
def test_what_dropped_one_way_improved_the_other(base: dict[str, Any], now: dict[str, Any], metric: str) -> None:
    base, now = cell(metric=metric) | base, cell(metric=metric) | now
    opposite = {"dropped": "improved", "improved": "dropped"}
    there, back = verdict(base, now), verdict(now, base)
    assert back == opposite.get(there, there)
    gain = DIRECTION[metric] * (now["mean"] - base["mean"])
    if abs(gain) < FLOOR:
        assert there == ("within tolerance" if gain else "")
    if there == "dropped":
        assert gain < -FLOOR + 1e-6
        assert verdict(base, now | {"mean": base["mean"]}) == ""


# The report


def test_the_table_names_cells_and_stresses_what_is_worse() -> None:
    base = frame(cell(90), cell(0.1234, metric="loss"), cell(row="A | B", metric="ori"))
    now = frame(cell(85.5), cell(0.1235, metric="loss"), cell(row="A | B", metric="ori", mean=90.25))
    compared = compare("digits", base, now)
    assert to_markdown(compared).splitlines() == [
        "| Cell | base | now | change | tolerance | verdict |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
        "| digits, T1, PNC (full), lenet5, S, strict, avg | 90 | 85.5 | -4.5 | 0.5 | **dropped** |",
        r"| digits, T1, A \| B, lenet5, S, strict, ori | 90 | 90.25 | +0.25 | 0.5 | within tolerance |",
        "| digits, T1, PNC (full), lenet5, S, strict, loss | 0.1234 | 0.1235 | +0.0001 | – | changed |",
    ]
    line = summary(compared, "main", ["digits", "mnist"])
    assert line == "digits, mnist against main: 1 dropped, 1 within tolerance, 1 changed."


def test_a_missing_side_is_a_dash() -> None:
    (line,) = to_markdown(compare("mnist", NOTHING, frame(cell()))).splitlines()[2:]
    assert line.endswith("| – | 90 | – | – | new |")


# The command


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two suites, committed."""
    for suite in ("digits", "mnist"):
        write_cells(tmp_path / "results" / suite / "cells.csv", frame(cell(90), cell(4, metric="leak")))
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=someone", "-c", "user.email=someone@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Numbers")


def regress(folder: Path, *arguments: str, base: str = "HEAD") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "flows.regression", "--base", base, *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_the_command_from_commit_to_verdict(repository: Path) -> None:
    same = regress(repository)
    assert (same.returncode, same.stdout, same.stderr) == (0, "digits, mnist against HEAD: no cell differs.\n", "")

    write_cells(repository / "results" / "digits" / "cells.csv", frame(cell(80), cell(4, metric="leak")))
    write_cells(repository / "results" / "cifar" / "cells.csv", frame(cell(50)))
    worse = regress(repository)
    assert worse.returncode == 1
    assert worse.stderr == ""
    *_, dropped, new, _, last = worse.stdout.splitlines()
    assert "| 90 | 80 | -10 | 0.5 | **dropped** |" in dropped
    assert new.startswith("| cifar, T1")
    assert last == "cifar, digits, mnist against HEAD: 1 dropped, 1 new."
    assert regress(repository, "--suite", "mnist", "cifar").returncode == 0

    (repository / "results" / "mnist" / "cells.csv").unlink()
    gone = regress(repository, "--suite", "mnist")
    assert gone.returncode == 1
    assert gone.stdout.endswith("mnist against HEAD: 2 vanished.\n")


@pytest.mark.parametrize(
    ("base", "arguments", "words"),
    [
        ("no-such-branch", (), ["--base", "'no-such-branch'"]),
        ("-x", (), ["--base", "'-x'"]),
        ("HEAD", ("--suite", "cifar"), ["suite 'cifar'", "results/cifar/cells.csv", "HEAD"]),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line(
    repository: Path, base: str, arguments: tuple[str, ...], words: list[str]
) -> None:
    refused = regress(repository, *arguments, f"--base={base}")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.count("\n") == 1
    assert all(word in refused.stderr for word in words), refused.stderr


def test_a_damaged_table_is_named_here_and_in_the_base(repository: Path) -> None:
    path = repository / "results" / "digits" / "cells.csv"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    here = regress(repository)
    assert (here.returncode, here.stderr.count("\n")) == (2, 1)
    assert here.stderr.startswith("pnc-regress: results/digits/cells.csv row")

    commit(repository)
    path.write_bytes(whole)
    before = regress(repository)
    assert (before.returncode, before.stderr.count("\n")) == (2, 1)
    assert before.stderr.startswith("pnc-regress: HEAD:results/digits/cells.csv row")
    assert regress(repository, base="HEAD~1").returncode == 0


def test_outside_a_repository_the_base_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    write_cells(tmp_path / "results" / "digits" / "cells.csv", frame(cell()))
    refused = regress(tmp_path)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "not a git repository" in refused.stderr


def test_the_installed_command_is_that_of_the_flow() -> None:
    name = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["pnc-regress"]
    assert EntryPoint("pnc-regress", name, "console_scripts").load() is flow.main


def test_comparing_needs_no_torch() -> None:
    check = "import sys, flows.regression; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT).returncode == 0
