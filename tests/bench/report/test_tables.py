"""Made-up cells as Markdown, on a terminal, and through the stage."""

import argparse
import io
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from _paths import ROOT
from rich.console import Console

from bench.report import paper
from bench.report.cells import COLUMNS, aggregate, read_cells, read_scores
from bench.report.labels import PAPER_ROWS, ordered
from bench.report.tables import render, to_console
from bench.work.provenance import settings_hash
from pnc.base.errors import PncError
from stages import tables as stage

PAPER = ROOT / "paper"


def cell(row: str, scale: str, metric: str, mean: float, **changes: Any) -> dict[str, Any]:
    """A cell measured with two seeds, made up."""
    identity = {"table": "T1", "row": row, "dataset": "mnist", "source": "lenet5", "target": "lenet5"}
    found = {"scale": scale, "regime": "", "metric": metric, "mean": mean, "std": 0.25, "seeds": 2, "paper": np.nan}
    return identity | found | {"quoted": False, "device": "a made-up machine", "settings": "0123456789ab"} | changes


def frame(*cells: Mapping[Any, Any]) -> pd.DataFrame:
    return pd.DataFrame(cells, columns=list(COLUMNS))


def accuracies(row: str, scale: str, first: float, **changes: Any) -> Iterator[dict[str, Any]]:
    for step, metric in enumerate(("ori", "tar", "avg")):
        yield cell(row, scale, metric, first + step, **changes)


@pytest.fixture
def cells() -> pd.DataFrame:
    """Every kind of cell, in no order."""
    strict, rehearsal = {"regime": "strict"}, {"regime": "rehearsal", "settings": "ba9876543210"}
    unmeasured = {"mean": np.nan, "std": np.nan, "seeds": 0, "quoted": True, "device": "", "settings": ""}
    return frame(
        *accuracies("Linear probe (ceiling)", "M", 95),
        *accuracies("PNC (full)", "S", 96, **rehearsal, paper=96.4),
        *accuracies("PNC (full)", "S", 94, **strict, paper=96.4),
        *accuracies("Direct Ensemble", "S", 50, std=np.nan, seeds=1),
        cell("Continual + KD", "M", "ori", np.nan, paper=93.0) | unmeasured,
        cell("Pre-trained", "M", "tar", 99.04, paper=99.5),
        cell("PNC (full)", "S", "ece", 2.5, **strict),
        cell("PNC (full)", "S", "leak", 1.5, **strict),
        cell("PNC (full)", "S", "package_bytes", 18250, std=0, **strict),
        cell("PNC (full)", "S", "position", 2, std=0, **strict),
        cell("PNC (full)", "S", "position", 1.5, std=0.71, **rehearsal),
        *accuracies("PNC R=10", "S", 70, table="R", **strict),
        *accuracies("PNC R=2", "S", 80, table="R", **strict),
        cell("PNC R=2", "S", "loss", 0.0123, table="R", std=0.0011, **strict),
    )


GOLDEN = """\
# Made-up results

- **Numbers**: mean ± sample standard deviation over 1 to 2 seeds (the paper's number); \
– where there is none of ours. Accuracies are in per cent: Ori on the target's own classes, Tar on the cloned ones.
- **Average**: as in the paper, the mean of Ori and Tar weighted by the number of classes behind each: \
5 : 1 for S and 5 : 3 for M where both networks have equally many.
- **Data and networks**: mnist; source lenet5, target lenet5.
- **Scales**: S clones 20 % and M clones 60 % of the source's classes.
- **Regimes**: strict learns from pictures of the cloned classes (D_t) alone; \
rehearsal also sees a stated part of the pictures of the target's own classes (D_o).
- **Device**: a made-up machine.
- **Settings**: 2 of them, [listed below](#settings).
- A note of one's own.

## Table 1

|  | Ori-S | Tar-S | Avg-S | Ori-M | Tar-M | Avg-M |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
| Pre-trained | – | – | – | – | 99.0 ± 0.2 (99.5) | – |
| Direct Ensemble | 50.0 | 51.0 | 52.0 | – | – | – |
| Continual + KD | – | – | – | – (93.0) | – | – |
| PNC (full), strict | 94.0 ± 0.2 (96.4) | 95.0 ± 0.2 (96.4) | 96.0 ± 0.2 (96.4) | – | – | – |
| PNC (full), rehearsal | 96.0 ± 0.2 (96.4) | 97.0 ± 0.2 (96.4) | 98.0 ± 0.2 (96.4) | – | – | – |
| *ours, not in the paper* |  |  |  |  |  |  |
| Linear probe (ceiling) | – | – | – | 95.0 ± 0.2 | 96.0 ± 0.2 | 97.0 ± 0.2 |

## Every position R

Loss is what the search over R compares; it chooses the R with the least.

|  | Ori-S | Tar-S | Avg-S | Loss-S | Ori-M | Tar-M | Avg-M | Loss-M |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| PNC R=2, strict | 80.0 ± 0.2 | 81.0 ± 0.2 | 82.0 ± 0.2 | 0.012 ± 0.001 | – | – | – | – |
| PNC R=10, strict | 70.0 ± 0.2 | 71.0 ± 0.2 | 72.0 ± 0.2 | – | – | – | – | – |
| chosen R = 2 (S), strict | 94.0 ± 0.2 (96.4) | 95.0 ± 0.2 (96.4) | 96.0 ± 0.2 (96.4) | – | – | – | – | – |

## Calibration

ECE is the expected calibration error in per cent; Leak is how many pictures of the target's own classes, \
in per cent, were called a cloned class.

|  | ECE-S | Leak-S | ECE-M | Leak-M |
| --- | ---: | ---: | ---: | ---: |
| PNC (full), strict | 2.5 ± 0.2 | 1.5 ± 0.2 | – | – |

## Package

R is the position that was chosen; kB is the size of the package {M, R, A, F_c}, in 1000 bytes.

|  | R-S | kB-S | R-M | kB-M |
| --- | ---: | ---: | ---: | ---: |
| PNC (full), strict | 2 | 18.2 ± 0.0 | – | – |
| PNC (full), rehearsal | 1.5 ± 0.7 | – | – | – |

## Settings

|  | rows | device |
| --- | --- | --- |
| [`0123456789ab`](../settings/0123456789ab.json) | Pre-trained (M); Direct Ensemble (S); PNC (full), strict (S); \
Linear probe (ceiling) (M); PNC R=2, strict (S); PNC R=10, strict (S) | a made-up machine |
| [`ba9876543210`](../settings/ba9876543210.json) | PNC (full), rehearsal (S) | a made-up machine |
"""


# Markdown


def test_every_kind_of_cell_has_its_place(cells: pd.DataFrame) -> None:
    assert render(cells, title="Made-up results", notes=["A note of one's own."]) == GOLDEN


def test_the_order_of_cells_does_not_count(cells: pd.DataFrame) -> None:
    turned = cells.iloc[::-1].reset_index(drop=True)
    assert render(turned, title="", notes=[]) == render(cells, title="", notes=[])


def test_one_setting_is_linked_at_the_top_and_not_listed(cells: pd.DataFrame) -> None:
    text = render(cells.assign(settings="0123456789ab"), title="")
    assert "- **Settings**: [`0123456789ab`](../settings/0123456789ab.json).\n" in text
    assert "## Settings" not in text


def test_tables_without_cells_are_left_out() -> None:
    text = render(frame(*accuracies("Continual", "S", 90)), title="")
    assert [line for line in text.splitlines() if line.startswith("#")] == ["# ", "## Table 1"]
    assert "Regimes" not in text
    assert "ours, not in the paper" not in text


def test_cells_without_a_scale_get_columns_of_their_own() -> None:
    text = render(frame(*accuracies("Continual", "", 90)), title="")
    assert "|  | Ori-S | Tar-S | Avg-S | Ori-M | Tar-M | Avg-M | Ori | Tar | Avg |" in text
    assert "| Continual | – | – | – | – | – | – | 90.0 ± 0.2 | 91.0 ± 0.2 | 92.0 ± 0.2 |" in text


def test_an_unknown_table_is_refused_not_skipped() -> None:
    with pytest.raises(PncError, match="tables to render: expected no others than T1, R, sensitivity, found S4, T2"):
        render(frame(cell("1", "", "avg", 9, table="T2"), cell("1", "", "avg", 9, table="S4")), title="")


def test_rows_stand_in_the_papers_order() -> None:
    printed = paper.load(PAPER)
    in_the_paper = printed[(printed["table"] == "T1") & (printed["dataset"] == "mnist")]["row"].unique()
    assert tuple(in_the_paper) == PAPER_ROWS
    ours = ["A ceiling", "Another"]
    shuffled = frame(*(cell(row, "S", "avg", 9) for row in [*ours, *PAPER_ROWS[::-1]]))
    assert ordered(shuffled) == [(row, "") for row in (*PAPER_ROWS, *ours)]


# The terminal


def printed_on(width: int, cells: pd.DataFrame) -> str:
    console = Console(width=width, file=io.StringIO())
    console.print(to_console(cells))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_terminal_shows_all_of_table_1(cells: pd.DataFrame, width: int) -> None:
    every = [cell(row, scale, m, 90, paper=97) for row in PAPER_ROWS for scale in "SM" for m in ("ori", "tar", "avg")]
    text = printed_on(width, frame(*every, *cells.to_dict("records")[:3]))
    assert all(len(line) <= width for line in text.splitlines())
    assert [name for name in text.split() if name[:4] in ("Ori-", "Tar-", "Avg-")] == [
        f"{name}-{scale}" for scale in "SM" for name in ("Ori", "Tar", "Avg")
    ]
    assert text.count("90.0±0.2") == text.count("(97.0)") == 6 * len(PAPER_ROWS)
    assert "95.0±0.2  96.0±0.2  97.0±0.2" in text
    assert "…" not in text


def test_the_paper_is_named_only_where_it_has_numbers(cells: pd.DataFrame) -> None:
    assert "(the paper's number)" in printed_on(100, cells)
    assert "paper" not in printed_on(100, cells.assign(paper=np.nan))


# The stage


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the paper's tables and two score files, of which params.yaml asks for the first."""
    monkeypatch.chdir(tmp_path)
    Path("paper").symlink_to(PAPER)
    for name, value in (("asked", 97.1), ("lingering", 12.0)):
        common = {"table": "T1", "row": "PNC (full)", "scale": "S", "regime": "strict", "metric": "avg"}
        scores = [common | {"seed": 0, "value": value}]
        content = {"scores": scores, "settings": {"epochs": 3}, "device": "a made-up machine"}
        Path(f"{name}.json").write_text(json.dumps(content))
    suite = SimpleNamespace(name="tiny", dataset="mnist", source_arch="lenet5", target_arch="lenet5")
    monkeypatch.setattr(stage, "load_suite", {"tiny": suite}.__getitem__)
    monkeypatch.setattr(stage, "expected_scores", lambda suite: [Path("asked.json")])
    return tmp_path


def run() -> None:
    stage.main(argparse.Namespace(suite="tiny"))


def test_the_stage_writes_cells_tables_and_settings(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run()
    results = workplace / "results"
    asked = aggregate(
        read_scores([Path("asked.json")]),
        dataset="mnist",
        source="lenet5",
        target="lenet5",
        paper=paper.load(PAPER),
    )
    pd.testing.assert_frame_equal(read_cells(results / "tiny" / "cells.csv"), asked)
    text = (results / "tiny" / "TABLES.md").read_text()
    assert "| PNC (full), strict | – (96.4) | – (99.7) | 97.1 (97.0) |" in text
    assert "- The paper prints Avg 90.0 for PNC-F (w/o Local), S; its Ori and Tar give 89.75." in text
    assert "CIFAR" not in text and text.count("The paper prints Avg") == 1
    spelled_out = json.loads((results / "settings" / f"{settings_hash({'epochs': 3})}.json").read_text())
    assert spelled_out["settings"] == {"epochs": 3}
    shown = capsys.readouterr().out
    assert "97.1" in shown and "results/tiny/TABLES.md" in shown


def test_the_same_scores_give_the_same_bytes(workplace: Path) -> None:
    def written() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in sorted((workplace / "results").rglob("*.*"))}

    run()
    first = written()
    run()
    assert written() == first
    assert len(first) == 6  # cells, tables, settings; metrics and two tables of plots


def test_bad_scores_leave_the_old_results(workplace: Path) -> None:
    run()
    before = (workplace / "results" / "tiny" / "cells.csv").read_bytes()
    Path("asked.json").write_text("{}")
    with pytest.raises(PncError, match=r"asked\.json"):
        run()
    assert (workplace / "results" / "tiny" / "cells.csv").read_bytes() == before


def test_tables_and_figures_need_no_torch_and_no_pyplot() -> None:
    """Torch takes seconds to load; pyplot is global state."""
    script = "import sys, stages.tables, stages.figures; print({'torch', 'matplotlib.pyplot'} & set(sys.modules))"
    root = ROOT
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
