"""A stage's command line. No torch: some stages do without it, and it takes seconds to load."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from pnc.bench.suite import load_suite
from pnc.errors import PncError


def run(main: Callable[[argparse.Namespace], None], *arguments: str) -> None:
    """Run a stage's ``main`` with required ``--arguments``, all of them of the ``--suite``.

    Bad input ends it with one line on stderr and exit status 1.
    """
    parser = argparse.ArgumentParser(prog=Path(sys.argv[0]).stem, description=main.__doc__)
    for name in arguments:
        parser.add_argument(f"--{name}", required=True)
    try:
        parsed = parser.parse_args()
        load_suite(parsed.suite).check(vars(parsed))
        main(parsed)
    except PncError as error:
        sys.exit(f"{parser.prog}: {error}")
