"""The files that DVC compares between revisions, from the cells of a suite."""

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from _paths import ROOT

from bench.report.cells import COLUMNS, read_cells
from bench.report.metrics import averages, every_position, headline, position_of, write_metrics
from pnc.base.errors import PncError

RESULTS = ROOT / "results"


def cell(row: str, mean: float, **changes: Any) -> dict[str, Any]:
    key = {"table": "T1", "row": row, "dataset": "digits", "source": "lenet5", "target": "lenet5"}
    key |= {"scale": "S", "regime": "strict", "metric": "avg"}
    numbers = {"mean": mean, "std": 0.1, "seeds": 3, "paper": 50.0, "quoted": False}
    return key | numbers | {"device": "a made-up machine", "settings": "0123456789ab"} | changes


def quoted(row: str, **changes: Any) -> dict[str, Any]:
    return cell(row, math.nan, quoted=True, seeds=0, std=math.nan, **changes)


def frame(*cells: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(cells, columns=list(COLUMNS))


CELLS = frame(
    cell("PNC (full)", 97.5),
    cell("PNC (full)", 99.0, metric="ori"),
    cell("PNC (full)", 3.0, metric="leak"),
    cell("PNC (full)", 95.0, scale="M"),
    cell("PNC (full)", 96.0, regime="rehearsal"),
    cell("Linear probe (ceiling)", 99.5),
    cell("Joint + Full set", 99.0, regime=""),
    quoted("Continual", regime=""),
    cell("PNC R=10", 91.0, table="R"),
    cell("PNC R=2", 92.0, table="R"),
    cell("PNC R=2", 0.1234, table="R", metric="loss"),
    cell("PNC R=2", 98.0, table="R", metric="ori"),
    quoted("PNC R=1", table="R"),
)


def test_the_headline_is_the_measured_part_of_table_1() -> None:
    assert headline(CELLS) == {
        "S": {
            "PNC (full), strict": {"avg": 97.5, "ori": 99.0},
            "PNC (full), rehearsal": {"avg": 96.0},
            "Linear probe (ceiling), strict": {"avg": 99.5},
            "Joint + Full set": {"avg": 99.0},
        },
        "M": {"PNC (full), strict": {"avg": 95.0}},
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


def test_a_row_without_its_position_is_named() -> None:
    assert position_of("PNC R=12") == 12
    with pytest.raises(PncError, match=r"row of table R: expected .*R=NUMBER, found 'PNC'"):
        position_of("PNC")


def test_the_files_have_no_number_that_json_lacks_and_the_same_bytes_again(tmp_path: Path) -> None:
    def written() -> dict[str, str]:
        write_metrics(tmp_path, CELLS)
        return {str(path.relative_to(tmp_path)): path.read_text() for path in sorted(tmp_path.rglob("*.*"))}

    files = written()
    assert list(files) == ["metrics.json", "plots/positions.csv", "plots/rows.csv"]
    assert json.loads(files["metrics.json"], parse_constant=pytest.fail) == headline(CELLS)
    assert files["plots/rows.csv"].splitlines()[:3] == [
        "row,S,M",
        "Joint + Full set,99.0,",
        '"PNC (full), strict",97.5,95.0',
    ]
    assert files["plots/positions.csv"].splitlines()[1:] == ["2,92.0,0.1234", "10,91.0,"]
    assert written() == files


def test_without_any_measurement_the_files_have_their_headers(tmp_path: Path) -> None:
    write_metrics(tmp_path, frame(quoted("PNC (full)")))
    assert json.loads((tmp_path / "metrics.json").read_text()) == {}
    assert (tmp_path / "plots" / "rows.csv").read_text() == "row,S,M\n"
    assert (tmp_path / "plots" / "positions.csv").read_text() == "R\n"


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*/cells.csv")), ids=lambda path: path.parent.name)
def test_the_headline_of_a_suite_has_all_its_measured_accuracies(path: Path) -> None:
    cells = read_cells(path)
    wanted = cells["table"].eq("T1") & cells["metric"].isin(["ori", "tar", "avg"]) & ~cells["quoted"]
    numbers = [number for rows in headline(cells).values() for means in rows.values() for number in means.values()]
    assert sorted(numbers) == sorted(cells.loc[wanted, "mean"])
