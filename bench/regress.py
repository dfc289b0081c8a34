"""``python -m bench.regress``: compare every suite's cells with those of a git revision, from the root of a checkout.

The report is Markdown, for a pull request. Exit status: 0 if no cell got worse, 1 if one dropped beyond its tolerance
or vanished, 2 for input that cannot be compared.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.report.cells import COLUMNS, as_cells, read_cells
from bench.report.part import CELLS, FOLDER
from bench.report.regression import compare, hardware, is_worse, sort, summary, to_markdown
from pnc.base.errors import PncError, bad

RESULTS, ARTEFACTS = Path("results"), Path("artifacts")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="bench.regress", description=__doc__)
    parser.add_argument("--base", required=True, help="git revision to compare with")
    parser.add_argument("--suite", nargs="+", metavar="NAME", help="compare these alone (default: all)")
    parser.add_argument(
        "--table", nargs="+", metavar="NAME", help="compare these alone, as their cells stand in artifacts/"
    )
    arguments = parser.parse_args()
    try:
        sys.exit(int(report(arguments.base, arguments.suite, arguments.table)))
    except PncError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        sys.exit(2)


def report(revision: str, chosen: Sequence[str] | None = None, tables: Sequence[str] | None = None) -> bool:
    """Print the comparison of the ``chosen`` suites, or of all; whether any cell got worse.

    With ``tables`` just their cells are compared: those of the artefacts, whatever the results say.
    """
    base = Base.find(revision)
    before = base.suites()
    suites = chosen or sorted(before | {path.parent.name for path in RESULTS.glob("*/cells.csv")})
    if not suites:
        raise bad(str(RESULTS), expected="at least one suite with its cells.csv", found="none")
    sides = {suite: _sides(suite, base, suite in before) for suite in suites}
    if tables:
        sides = {suite: (old[old["table"].isin(tables)], _made(suite, tables)) for suite, (old, _) in sides.items()}
    cells = sort(pd.concat([compare(suite, *both) for suite, both in sides.items()], ignore_index=True))
    moved = dict.fromkeys(hardware(*both) for both in sides.values())
    print(*filter(None, (to_markdown(cells), *moved, summary(cells, base.revision, suites))), sep="\n\n")
    return is_worse(cells)


@dataclass(frozen=True)
class Base:
    """The commit to compare with, and what the user called it."""

    revision: str
    commit: str

    @staticmethod
    def find(revision: str) -> "Base":
        commit = _git(revision, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
        return Base(revision, commit.decode().strip())

    def suites(self) -> set[str]:
        """Those that have cells in the commit."""
        listed = _git(self.revision, "ls-tree", "-r", "-z", "--name-only", self.commit, "--", str(RESULTS))
        files = map(Path, listed.decode().split("\0"))
        return {file.parent.name for file in files if file == _path(file.parent.name)}

    def cells(self, suite: str) -> pd.DataFrame:
        """Raises PncError naming revision and file if it is damaged."""
        path = _path(suite)
        content = _git(self.revision, "cat-file", "blob", f"{self.commit}:./{path}")
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, path.name)
            copy.write_bytes(content)
            try:
                return _read(copy)
            except PncError as error:
                raise PncError(str(error).replace(str(copy), f"{self.revision}:{path}")) from None


def _sides(suite: str, base: Base, in_base: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The cells of a suite in the base and now; none where it is not there."""
    path = _path(suite)
    if not in_base and not path.is_file():
        raise bad(f"suite '{suite}'", expected=f"{path}, here or in {base.revision}", found="neither")
    return base.cells(suite) if in_base else as_cells([]), _read(path) if path.is_file() else as_cells([])


def _made(suite: str, tables: Sequence[str]) -> pd.DataFrame:
    """The cells of ``tables`` as the stages left them."""
    paths = [ARTEFACTS / suite / FOLDER / table / CELLS for table in tables]
    if lacking := [str(path) for path in paths if not path.is_file()]:
        raise bad("--table", expected=f"tables of {suite} that were made", found=f"no {', '.join(lacking)}")
    return pd.concat([_read(path) for path in paths], ignore_index=True)


def _read(path: Path) -> pd.DataFrame:
    """Cells; of those of an older layout, whose identity was another, it is said that they are."""
    with path.open("rb") as opened:
        header = opened.readline().decode(errors="replace").strip().split(",")
    if "table" in header and set(header) < set(COLUMNS):
        lacking = ", ".join(name for name in COLUMNS if name not in header)
        raise bad(str(path), expected="cells of today's layout", found=f"an older one, without {lacking}")
    return read_cells(path)


def _path(suite: str) -> Path:
    return RESULTS / suite / "cells.csv"


def _git(revision: str, *arguments: str) -> bytes:
    """What git prints. Raises PncError naming ``revision``, the one input that can be wrong."""
    try:
        return subprocess.run(["git", *arguments], capture_output=True, check=True).stdout
    except OSError as error:
        raise bad("git", expected="an installed command", found=error.strerror) from None
    except subprocess.CalledProcessError as error:
        found = f"{revision!r} ({error.stderr.decode().strip()})"
        raise bad("--base", expected="a git revision", found=found) from None


if __name__ == "__main__":
    main()
