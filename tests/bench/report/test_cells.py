"""Cells as CSV and back, and what is refused."""

import csv
import math
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from _cells import cell, frame, quoted
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.report.cells import COLUMNS, read_cells, write_cells
from bench.report.metrics import METRICS
from pnc.base.errors import PncError


def test_cells_are_written_as_agreed(tmp_path: Path) -> None:
    cells = frame(cell("loss", 0.6234, table="positions", row="PNC R=1"), quoted(row="A, b", regime="", scale=""))
    write_cells(tmp_path / "cells.csv", cells)
    assert (tmp_path / "cells.csv").read_text() == (
        "table,row,dataset,source,target,task,variant,scale,regime,metric,mean,std,seeds,paper,quoted,device,settings\n"
        "positions,PNC R=1,digits,new,old,S,,S,strict,loss,0.6234,0.1,3,,false,a made-up machine,0123456789ab\n"
        'T1,"A, b",digits,new,old,S,,,,avg,,,0,97.0,true,,\n'
    )


NUMBERS = st.one_of(st.just(math.nan), st.integers(0, 10_000).map(lambda hundredths: hundredths / 100))
TEXTS = st.text("ab ,\"'|–", max_size=5)
CELLS = st.builds(
    lambda metric, row, variant, std, paper: cell(
        metric, 90.5, row=f"row{row}", variant=variant, std=std, paper=paper
    ),
    st.sampled_from(sorted(METRICS)),
    TEXTS,
    TEXTS,
    NUMBERS,
    NUMBERS,
)


@settings(max_examples=30)
@given(st.lists(CELLS, max_size=6, unique_by=lambda cell: (cell["metric"], cell["row"], cell["variant"])))
def test_any_cells_are_read_as_they_were_written(cells: list[dict[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cells.csv"
        write_cells(path, frame(*cells))
        pd.testing.assert_frame_equal(read_cells(path), frame(*cells))


@pytest.mark.parametrize(
    ("column", "text", "message"),
    [
        ("table", "", "table: expected a name"),
        ("regime", "lax", "regime: expected one of"),
        ("metric", "acc", "metric: expected one of"),
        ("row", "", "row: expected a name"),
        ("mean", "high", "mean: expected a number or nothing, found 'high'"),
        ("std", "inf", "std: expected a number or nothing, found 'inf'"),
        ("paper", "nan", "paper: expected a number or nothing, found 'nan'"),
        ("seeds", "1.5", "seeds: expected a whole number, found '1.5'"),
        ("quoted", "no", "quoted: expected true or false, found 'no'"),
        ("quoted", "true", "expected a mean over seeds where it is not quoted"),
        ("seeds", "0", "expected a mean over seeds where it is not quoted"),
        ("mean", "", "expected a mean over seeds where it is not quoted"),
    ],
)
def test_a_bad_cell_is_named(tmp_path: Path, column: str, text: str, message: str) -> None:
    path = tmp_path / "cells.csv"
    good = "T1,{row},mnist,new,old,S,,S,strict,avg,97.1,0.3,3,,false,CPU,00"
    bad = next(csv.DictReader([",".join(COLUMNS), good.format(row="PNC")])) | {column: text}
    path.write_text("\n".join([",".join(COLUMNS), good.format(row="Continual"), ",".join(bad.values())]))
    with pytest.raises(PncError, match=rf"cells\.csv row 3.*{message}"):
        read_cells(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"cells\.csv row 1: expected the columns table,.*, found nothing"),
        (b"table,row\n", r"cells\.csv row 1: expected the columns table,.*, found table,row"),
        (",".join(COLUMNS).encode() + b"\nT1,PNC\n", r"cells\.csv row 2: expected 17 fields, found 2"),
        (b"\xff\xfe", r"cells\.csv: expected comma-separated text, found damaged text"),
    ],
)
def test_a_damaged_table_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "cells.csv"
    path.write_bytes(content)
    with pytest.raises(PncError, match=message):
        read_cells(path)


def test_missing_cells_are_named(tmp_path: Path) -> None:
    with pytest.raises(PncError, match=r"cells\.csv: expected a table of cells, found no file"):
        read_cells(tmp_path / "cells.csv")


def test_a_cell_given_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cells.csv"
    write_cells(path, frame(cell()))
    path.write_text(path.read_text() + path.read_text().splitlines()[1])
    with pytest.raises(PncError, match=r"row 3: expected a cell of its own, found that of .*row 2 again"):
        read_cells(path)
