"""The files that DVC compares between revisions, from the cells of a suite."""

import json
from pathlib import Path

import pytest
from _cells import cell, frame, quoted

from bench.report.dvc_metrics import averages, every_position, numbers, write_metrics

CELLS = frame(
    cell(row="Joint + Full set", mean=99.0, regime=""),
    quoted(row="Continual", regime=""),
    cell(mean=97.5),
    cell("ori", 99.0),
    cell("leak", 3.0),
    cell(mean=96.0, regime="rehearsal"),
    cell(mean=95.0, scale="M"),
    cell(row="Linear probe (ceiling)", mean=99.5),
    cell(row="PNC R=10", mean=91.0, table="positions"),
    cell(row="PNC R=2", mean=92.0, table="positions"),
    cell("loss", 0.1234, row="PNC R=2", table="positions"),
    cell("ori", 98.0, row="PNC R=2", table="positions"),
    cell(row="chosen R", mean=93.0, table="positions"),
    quoted(row="PNC R=1", table="positions"),
    cell(row="10% D_t", mean=80.0, table="S2", scale=""),
)


def test_all_that_was_measured_is_a_metric() -> None:
    assert numbers(CELLS) == {
        "T1": {
            "S": {
                "Joint + Full set": {"avg": 99.0},
                "PNC (full), strict": {"avg": 97.5, "ori": 99.0, "leak": 3.0},
                "PNC (full), rehearsal": {"avg": 96.0},
                "Linear probe (ceiling), strict": {"avg": 99.5},
            },
            "M": {"PNC (full), strict": {"avg": 95.0}},
        },
        "positions": {
            "S": {
                "PNC R=10, strict": {"avg": 91.0},
                "PNC R=2, strict": {"avg": 92.0, "loss": 0.1234, "ori": 98.0},
                "chosen R, strict": {"avg": 93.0},
            }
        },
        "S2": {"all": {"10% D_t, strict": {"avg": 80.0}}},
    }


def test_averages_stand_in_the_order_of_table_1() -> None:
    table = averages(CELLS)
    rows = ["Joint + Full set", "PNC (full), strict", "PNC (full), rehearsal", "Linear probe (ceiling), strict"]
    assert table["row"].tolist() == rows
    assert table["S"].tolist() == [99.0, 97.5, 96.0, 99.5]
    assert table["M"].dropna().tolist() == [95.0]


def test_every_position_is_a_line_in_the_order_of_r() -> None:
    table = every_position(CELLS)
    assert table.columns.tolist() == ["R", "avg S strict", "loss S strict"]
    assert table["R"].tolist() == [2, 10]
    assert table["avg S strict"].tolist() == [92.0, 91.0]
    assert table["loss S strict"].dropna().tolist() == [0.1234]


def test_the_files_have_no_number_that_json_lacks_and_the_same_bytes_again(tmp_path: Path) -> None:
    def written() -> dict[str, str]:
        write_metrics(tmp_path, CELLS)
        return {str(path.relative_to(tmp_path)): path.read_text() for path in sorted(tmp_path.rglob("*.*"))}

    files = written()
    assert list(files) == ["metrics.json", "plots/positions.csv", "plots/rows.csv"]
    assert json.loads(files["metrics.json"], parse_constant=pytest.fail) == numbers(CELLS)
    assert files["plots/rows.csv"].splitlines()[:3] == [
        "row,S,M",
        "Joint + Full set,99.0,",
        '"PNC (full), strict",97.5,95.0',
    ]
    assert files["plots/positions.csv"].splitlines()[1:] == ["2,92.0,0.1234", "10,91.0,"]
    assert written() == files


def test_without_any_measurement_the_files_have_their_headers(tmp_path: Path) -> None:
    write_metrics(tmp_path, frame(quoted()))
    assert json.loads((tmp_path / "metrics.json").read_text()) == {}
    assert (tmp_path / "plots" / "rows.csv").read_text() == "row\n"
    assert (tmp_path / "plots" / "positions.csv").read_text() == "R\n"
