"""What a suite declares, and what the stage ``tables`` left of it in ``results/SUITE``."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from bench.report.cells import as_cells, read_cells
from bench.report.query import Table, joined, tables
from bench.work.makers import Maker, scored
from bench.work.suite import Suite, load_suite, suite_files
from pnc.base.errors import bad
from pnc.base.files import read_json

TITLES = {  # of data sets, in the order of the page
    "mnist": "MNIST",
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "tinyimagenet": "Tiny-ImageNet",
    "digits": "Digits",
}
_IDENTITY = ("source", "target", "task", "variant")


@dataclass(frozen=True)
class Results:
    """One suite: ``cells`` are the measured ones, none where it was never measured; ``behind`` is its settings.json,
    ``head`` what TABLES.md says above its tables, a Markdown text each.
    """

    suite: Suite
    tables: dict[str, Table]
    cells: pd.DataFrame
    behind: dict[str, Any]
    head: tuple[str, ...]

    @cached_property
    def archs(self) -> dict[str, str]:
        return {name: self.suite.arch(name) for name in self.suite.names("networks")}

    @property
    def is_measured(self) -> bool:
        return not self.cells.empty

    def of(self, key: str) -> pd.DataFrame:
        """The measured cells of one table that its rows, columns and metrics ask for."""
        table, own = self.tables[key], self.cells[self.cells["table"] == key]
        asked = {"row": table.rows, "scale": table.columns, "metric": table.all_metrics}
        for name, known in asked.items():
            own = own[own[name].isin(list(known))]
        return own

    def makers(self, key: str) -> list[Maker]:
        """The stages that make the scores of a table."""
        return scored(self.suite, key)

    def command(self, key: str) -> str:
        """What measures all that a table asks for and that is not there."""
        return f"dvc repro {self.suite.stage('cells', key)}"

    def otherwise(self, key: str) -> list[str]:
        """What cells of a table are made of where that is not what it asks for now, e.g. "task S0 in place of M"."""
        table, found = self.tables[key], dict[str, None]()
        for cell in self.of(key).drop_duplicates(["row", "scale", *_IDENTITY]).to_dict("records"):
            selection = table.select(cell["row"], cell["scale"])
            for name in _IDENTITY:
                if (asked := joined(selection[name])) != cell[name]:
                    where = f"{cell['scale']}: " if cell["scale"] else ""
                    found[f"{where}{name} {cell[name] or 'none'} in place of {asked or 'none'}"] = None
        return list(found)


def every_suite() -> list[Results]:
    """Of the project in this folder, known data sets first. Raises PncError naming a file that is damaged."""
    found = [read(load_suite(name)) for name in suite_files()]
    order = [*TITLES, *(results.suite.dataset for results in found)]
    return sorted(found, key=lambda results: order.index(results.suite.dataset))


def titled(dataset: str) -> str:
    """How papers call a data set."""
    return TITLES.get(dataset, dataset)


def read(suite: Suite) -> Results:
    """A suite without a ``results/SUITE/cells.csv`` has no cells, whatever else lies there."""
    wanted = tables(suite.read("tables"), suite.shown.get("notes"))
    if not (path := suite.results / "cells.csv").is_file():
        return Results(suite, wanted, as_cells([]), {}, ())
    cells = read_cells(path)
    cells, file = cells[~cells["quoted"]], suite.results / "settings.json"
    behind = read_json(file)
    if lacking := sorted(set(cells["settings"]) - behind.keys()):
        raise bad(str(file), expected=f"all settings of {path}", found=f"none called {', '.join(lacking)}")
    return Results(suite, wanted, cells, behind, _head(suite.results / "TABLES.md"))


def _head(path: Path) -> tuple[str, ...]:
    lines = path.read_text().partition("\n## ")[0].splitlines() if path.is_file() else []
    return tuple(line.removeprefix("- ") for line in lines if line.startswith("- "))
