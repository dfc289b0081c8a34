"""The paper's numbers that no table of a suite has a place for: tables, columns, metrics that we do not measure."""

from collections.abc import Iterator

import pandas as pd

from bench.html.grid import Grid, Place, Suited, of_paper
from bench.report.metrics import METRICS

Title = str


def theirs(suite: Suited, paper: pd.DataFrame) -> Iterator[tuple[Title, Grid]]:
    """By the paper's table, one grid each, with rows named after their networks where a row has several."""
    own = paper[paper["dataset"] == suite.results.suite.dataset]
    shown = {
        (key, scale, metric)
        for key, grids in suite.grids.items()
        for scale in grids.table.columns
        for metric in grids.printed
    }
    left = [number not in shown for number in zip(own["table"], own["scale"], own["metric"], strict=True)]
    for key, cells in own.loc[left].groupby("table", sort=False):
        yield _title(str(key)), _grid(cells)


def _title(key: str) -> Title:
    return f"{'Supplement, ' if key[0] == 'S' else ''}Table {key[1:]}"


def _grid(cells: pd.DataFrame) -> Grid:
    columns, metrics = (tuple(dict.fromkeys(cells[name])) for name in ("scale", "metric"))
    places = [(column, metric) for column in columns for metric in metrics]
    networks = [" → ".join(filter(None, pair)) for pair in zip(cells["source"], cells["target"], strict=True)]
    lines: dict[str, dict[Place, str]] = {}
    for cell, between in zip(cells.to_dict("records"), networks, strict=True):
        row = f"{cell['row']}, {between}" if len(set(networks)) > 1 else cell["row"]
        lines.setdefault(row, {})[cell["scale"], cell["metric"]] = METRICS[cell["metric"]].printed(cell["value"])
    group = [of_paper(row, found, places) for row, found in lines.items()]
    return Grid("", columns, tuple(METRICS[metric] for metric in metrics), {"": group}, ())
