"""The paper's numbers for one table of ours: which of its cells stands beside which of ours."""

from collections.abc import Callable

import pandas as pd

from bench.report.query import Table
from pnc.base.errors import bad


class Printed:
    """The paper's table of the same key, for one data set.

    A cell of the paper belongs to the row of its name (or of the row's alias) and to the column of its scale, where
    the architectures are the same. What the paper does not name fits any; so does its scale where our column has no
    heading.
    """

    def __init__(self, table: Table, paper: pd.DataFrame, *, dataset: str, arch: Callable[[str], str]) -> None:
        fits = (paper["table"] == table.key) & (paper["dataset"] == dataset) & paper["metric"].isin(table.all_metrics)
        self._table, self._cells, self._arch = table, paper[fits], arch

    def of(self, row: str, column: str) -> dict[str, float]:
        """Metric → number for a cell of ours. Raises PncError where the paper has two, one for each of its scales."""
        selection = self._table.select(row, column)
        cells = self._of_pair(column, selection["source"], selection["target"])
        cells = cells[cells["row"] == self._table.paper_row(row)]
        return dict(zip(cells["metric"], cells["value"].astype(float), strict=True))

    def others(self, column: str) -> list[tuple[str, str, float]]:
        """Row, metric and number of rows that our table does not name, if the column alone says which networks."""
        fixed = self._table.where | self._table.columns[column]
        if not {"source", "target"} <= fixed.keys():
            return []
        cells = self._of_pair(column, fixed["source"], fixed["target"])
        cells = cells[~cells["row"].isin([self._table.paper_row(row) for row in self._table.rows])]
        return list(zip(cells["row"], cells["metric"], cells["value"].astype(float), strict=True))

    def _of_pair(self, column: str, source: tuple[str, ...], target: tuple[str, ...]) -> pd.DataFrame:
        fits = self._cells["scale"] == column if column else pd.Series(True, index=self._cells.index)
        for role, names in (("source", source), ("target", target)):
            archs = {self._arch(network) for name in names for network in name.split("+")}
            fits &= self._cells[role].isin(["", *archs] if len(archs) == 1 else [""])
        found = self._cells[fits]
        if found.duplicated(["row", "metric"]).any():
            scales = ", ".join(sorted(set(found["scale"])))
            where = f"tables.{self._table.key}.columns"
            raise bad(where, expected=f"headings from the paper's scales: {scales}", found=repr(column))
        return found
