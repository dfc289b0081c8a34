"""Gather a suite's scores into ``results/``: its cells, tables and metrics, and the settings behind them."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from rich.console import Console

from bench.report import paper
from bench.report.cells import aggregate, read_scores, settings_of, write_cells
from bench.report.metrics import write_metrics
from bench.report.tables import render, to_console
from bench.work.cli import run
from bench.work.provenance import write_settings
from bench.work.suite import expected_scores, load_suite
from pnc.base.files import write_text

RESULTS = Path("results")
NOTES = (
    "The paper does not say what **w/o Local** and **w/o Insert** are. Ours: the whole tail of the source, without a "
    "mask; and a fixed R = L − 1, where the search starts.",
    "The paper does not name the regularisation of **Continual**. Ours: fine-tuning on D_t with L2-SP and LwF; "
    "**+ KD** adds the source's answers for the cloned classes as a second teacher.",
)


def main(arguments: argparse.Namespace) -> None:
    """Write the cells, tables, metrics and settings of one suite, and print Table 1."""
    suite = load_suite(arguments.suite)
    scores, printed = read_scores(expected_scores(suite)), paper.load(Path("paper"))
    networks = {"source": suite.source_arch, "target": suite.target_arch}
    cells = aggregate(scores, dataset=suite.dataset, paper=printed, **networks)
    title = f"Partial network cloning on {suite.dataset}"
    text = render(cells, title=title, notes=[*NOTES, *_slips(printed, dataset=suite.dataset, **networks)])

    for settings in settings_of(scores):
        write_settings(RESULTS / "settings", settings, Path())
    folder = RESULTS / suite.name
    write_cells(folder / "cells.csv", cells)
    write_text(folder / "TABLES.md", text)
    write_metrics(folder, cells)
    console = Console()
    console.print(to_console(cells))
    console.print(f"All tables: {folder / 'TABLES.md'}", highlight=False)


def _slips(printed: pd.DataFrame, **identity: str) -> Iterator[str]:
    """Notes on the paper's averages in Table 1 that its own Ori and Tar do not give."""
    for slip in paper.slips(printed).to_dict("records"):
        if slip["table"] == "T1" and all(slip[name] == text for name, text in identity.items()):
            where, given = f"{slip['row']}, {slip['scale']}", f"{slip['recomputed']:.2f}"
            yield f"The paper prints Avg {slip['printed']} for {where}; its Ori and Tar give {given}."


if __name__ == "__main__":
    run(main, "suite")
