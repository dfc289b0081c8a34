"""Gather the cells of a suite's tables into its results: all cells, tables for people, metrics, settings."""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from bench.report import paper
from bench.report.aggregate import merged_behind
from bench.report.cells import write_cells
from bench.report.dvc_metrics import write_metrics
from bench.report.missing import missing
from bench.report.part import read_part
from bench.report.query import tables
from bench.report.tables import render
from bench.work.cli import run
from bench.work.makers import scored
from bench.work.suite import Suite, TaskEntry, load_suite
from pnc.base.files import write_json, write_text


def main(arguments: argparse.Namespace) -> None:
    """Write the cells, tables, metrics and settings of one suite."""
    suite = load_suite(arguments.suite)
    wanted, printed = tables(suite.read("tables"), suite.shown.get("notes")), paper.load(Path("paper"))
    parts = [read_part(suite, key) for key in wanted]
    cells = pd.concat([part.cells for part in parts], ignore_index=True)
    behind = merged_behind([part.behind for part in parts])
    title, slips = f"Partial network cloning on {suite.dataset}", list(_slips(printed, cells))
    lacking = {key: missing(table, cells[cells["table"] == key], scored(suite, key)) for key, table in wanted.items()}
    facts = _facts(suite, cells)
    text = render(cells, wanted, title=title, paper=printed, facts=facts, notes=slips, lacking=lacking)

    write_cells(suite.results / "cells.csv", cells)
    write_text(suite.results / "TABLES.md", text)
    write_json(suite.results / "settings.json", behind)
    write_metrics(suite.results, cells)


def _facts(suite: Suite, cells: pd.DataFrame) -> dict[str, str]:
    networks = _names(cells, "source") | _names(cells, "target")
    archs = ", ".join(f"{name} ({suite.arch(name)})" for name in suite.read("networks") if name in networks)
    tasks = {name: suite.entry(TaskEntry, f"tasks.{name}") for name in suite.read("tasks")}
    tasks = {name: task for name, task in tasks.items() if name in _names(cells, "task")}
    sizes = "; ".join(f"{', '.join(names)}: {size}" for size, names in _by_size(tasks).items())
    return {
        "Data and networks": f"{suite.dataset}; {archs}",
        "Tasks": f"how many of the source's classes are cloned: {sizes}" if sizes else "",
    }


def _by_size(tasks: Mapping[str, TaskEntry]) -> dict[str, list[str]]:
    """Tasks of the same size together, e.g. ``{"1": ["S"], "1, from 10 % of their pictures": ["S_10"]}``."""
    found: dict[str, list[str]] = {}
    for name, task in tasks.items():
        share = "" if task.share is None else f", from {100 * task.share:g} % of their pictures"
        found.setdefault(f"{len(task.outputs)}{share}", []).append(name)
    return found


def _names(cells: pd.DataFrame, column: str) -> set[str]:
    return {name for names in cells[column] for name in names.split("+")}


def _slips(printed: pd.DataFrame, cells: pd.DataFrame) -> Iterator[str]:
    """Notes on averages of the paper, among the numbers beside ours, that its own Ori and Tar do not give."""
    averages = cells[cells["metric"] == "avg"]
    names = ["table", "row", "dataset", "scale"]
    shown = set(averages[[*names, "paper"]].itertuples(index=False, name=None))
    for slip in paper.slips(printed).to_dict("records"):
        if (*(slip[name] for name in names), slip["printed"]) in shown:
            where = ", ".join(filter(None, (slip["table"], slip["row"], slip["scale"])))
            average = f"{slip['recomputed']:.2f}"
            yield f"The paper prints Avg {slip['printed']} for {where}; its Ori and Tar give {average}."


if __name__ == "__main__":
    run(main)
