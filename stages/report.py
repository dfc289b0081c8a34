"""Every suite's tables and figures on one page, ``results/report.html``, and the README's table over all data sets.

DVC does not know it: a stage over all suites would tie them together. It reads what is in ``results/``, in seconds.
"""

import argparse
import sys
from pathlib import Path

from bench.html.grid import suited
from bench.html.page import page
from bench.html.results import every_suite
from bench.html.summary import into, markdown
from bench.report import paper
from pnc.base.errors import PncError
from pnc.base.files import write_text

PAGE, README = Path("results", "report.html"), Path("README.md")


def main(readme: bool = False) -> None:
    """Write the page and the README's table; with ``readme`` print that table and write nothing."""
    printed = paper.load(Path("paper"))
    suites = [suited(results, printed) for results in every_suite()]
    table = markdown(suites, printed)
    if readme:
        print(table, end="")
        return
    write_text(PAGE, page(suites, printed))
    print(PAGE)
    if README.is_file():
        write_text(README, into(README.read_text(), table))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="report", description=__doc__)
    parser.add_argument("--readme", action="store_true", help="print the README's table and write nothing")
    try:
        main(parser.parse_args().readme)
    except (PncError, OSError) as error:
        sys.exit(f"{parser.prog}: {error}")
