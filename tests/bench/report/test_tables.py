"""Made-up cells as Markdown."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from _cells import PAPER, cell, frame, quoted, table_1

from bench.report.query import Table, table
from bench.report.tables import render

POSITIONS: dict[str, Any] = {
    "title": "Every position R",
    "scores": "main",
    "where": {"source": "new", "target": "old", "task": "S", "method": "pnc"},
    "rows": {"PNC R=0": {"at": "0"}, "PNC R=2": {"at": "2"}},
    "metrics": {"": ["avg", "loss"]},
}
NOTE = "A note of the table's own."
TABLES = {"T1": table_1(), "positions": replace(table("positions", POSITIONS), notes=(NOTE,))}


def accuracies(row: str, scale: str, first: float, **changes: Any) -> Iterator[dict[str, Any]]:
    for step, metric in enumerate(("ori", "tar", "avg")):
        yield cell(metric, first + step, row=row, scale=scale, **changes)


@pytest.fixture
def cells() -> pd.DataFrame:
    """Every kind of cell, in no order."""
    rehearsal = {"regime": "rehearsal", "settings": "ba9876543210", "device": "another machine"}
    return frame(
        *accuracies("Linear probe (ceiling)", "M", 95, regime=""),
        *accuracies("PNC (full)", "S", 96, **rehearsal, paper=96.4),
        *accuracies("PNC (full)", "S", 94, paper=96.4),
        quoted("ori", row="Continual + KD", scale="M", regime="", paper=93.0),
        cell("tar", 99.04, row="Pre-trained", scale="M", regime="", paper=99.5, std=np.nan, seeds=1),
        cell("ece", 2.5),
        cell("leak", 1.5),
        cell("package_bytes", 18250, std=0),
        cell("position", 2, std=0),
        cell("position", 1.5, std=0.71, **rehearsal),
        cell(row="PNC R=2", mean=80, table="positions", scale=""),
        cell("loss", 0.0123, row="PNC R=2", table="positions", std=0.0011, scale=""),
    )


def rendered(cells: pd.DataFrame, tables: dict[str, Table] = TABLES, **changes: Any) -> str:
    return render(cells, tables, **{"title": "Made-up results", "paper": PAPER, "facts": {}, **changes})


GOLDEN = """\
# Made-up results

- **Numbers**: mean ± sample standard deviation over 1 to 3 seeds (the paper's number); \
– where there is none of ours.
- **Metrics**: Ori (%): accuracy on the target's own classes; Tar (%): accuracy on the cloned classes; \
Avg (%): Ori and Tar weighted by the number of classes behind each, as in the paper; \
ECE (%): expected calibration error; Leak (%): pictures of the target's own classes that were called a cloned one; \
R: the position that was chosen; Loss: what the search over R compares; kB: size of {M, R, A, F_c}, in 1000 bytes.
- **Data and networks**: made up; old (lenet5).
- **Regimes**: strict learns from pictures of the cloned classes (D_t) alone; \
rehearsal also sees a stated part of the pictures of the target's own classes (D_o).
- **Device**: a made-up machine: T1, positions; another machine: T1.
- **Settings**: 2 of them, spelled out in [settings.json](settings.json); \
[cells.csv](cells.csv) names those of every number.
- A note of one's own.

## Table 1

|  | Ori-S | Tar-S | Avg-S | Ori-M | Tar-M | Avg-M |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
| Pre-trained | – | – | – | – | 99.0 (99.5) | – |
| Continual | – | – | – | – | – | – |
| PNC (w/o Local) | – | – | – | – | – | – |
| PNC (full), strict | 94.0 ± 0.1 (96.4) | 95.0 ± 0.1 (96.4) | 96.0 ± 0.1 (96.4) | – | – | – |
| PNC (full), rehearsal | 96.0 ± 0.1 (96.4) | 97.0 ± 0.1 (96.4) | 98.0 ± 0.1 (96.4) | – | – | – |
| Continual + KD | – | – | – | – (93.0) | – | – |
| *ours, not in the paper* |  |  |  |  |  |  |
| Linear probe (ceiling) | – | – | – | 95.0 ± 0.1 | 96.0 ± 0.1 | 97.0 ± 0.1 |

### Calibration

|  | ECE-S | Leak-S | ECE-M | Leak-M |
| --- | ---: | ---: | ---: | ---: |
| PNC (full), strict | 2.5 ± 0.1 | 1.5 ± 0.1 | – | – |

### Package

|  | R-S | kB-S | R-M | kB-M |
| --- | ---: | ---: | ---: | ---: |
| PNC (full), strict | 2 | 18.2 ± 0.0 | – | – |
| PNC (full), rehearsal | 1.5 ± 0.7 | – | – | – |

## Every position R

|  | Avg | Loss |
| --- | ---: | ---: |
| PNC R=0 | – | – |
| PNC R=2, strict | 80.0 ± 0.1 | 0.012 ± 0.001 |

- A note of the table's own.
"""


def test_every_kind_of_cell_has_its_place(cells: pd.DataFrame) -> None:
    facts = {"Data and networks": "made up; old (lenet5)", "Tasks": ""}
    assert rendered(cells, facts=facts, notes=["A note of one's own."]) == GOLDEN


def test_the_order_of_cells_does_not_count(cells: pd.DataFrame) -> None:
    own = cells[~cells["quoted"]]
    turned = own.iloc[::-1].reset_index(drop=True)
    assert rendered(turned) == rendered(own).replace(
        "a made-up machine: T1, positions", "a made-up machine: positions, T1"
    )


def test_one_device_is_named_alone(cells: pd.DataFrame) -> None:
    assert "- **Device**: a machine.\n" in rendered(cells.assign(device="a machine"))


def test_of_a_table_that_the_paper_lacks_no_row_is_set_apart() -> None:
    own = frame(cell(table="mine"), cell(table="mine", row="Linear probe (ceiling)"))
    text = rendered(own, {"mine": table_1("mine")})
    assert "ours, not in the paper" not in text
    assert text.index("PNC (full)") < text.index("Linear probe")


def test_a_row_that_the_paper_calls_otherwise_is_the_papers() -> None:
    rows = {"Mine": {"method": "mine"}, "From a CNN": {"method": "pnc", "paper": "PNC"}}
    text = rendered(frame(cell(table="S5", row="From a CNN")), {"S5": table_1("S5", rows=rows)})
    assert text.index("From a CNN") < text.index("ours, not in the paper") < text.index("Mine")


def test_a_table_without_any_cell_is_shown_as_missing(cells: pd.DataFrame) -> None:
    text = rendered(cells, TABLES | {"T9": table_1("T9", title="Table 9")})
    after = text.split("## Table 9")[1]
    assert after.count("| – | – | – | – | – | – |") == 5
    assert "###" not in after
