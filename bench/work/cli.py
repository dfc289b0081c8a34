"""A stage's command line. No torch: some stages do without it, and it takes seconds to load."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from bench.work.lock import alone
from bench.work.suite import DEFAULT, Suite, load_suite
from pnc.base.errors import PncError, bad

# A stage's options, and where in a suite's parameters the names stand that each takes.
_NAMES = {
    "network": "networks",
    "source": "networks",
    "target": "networks",
    "task": "tasks",
    "variant": "variants",
    "method": "methods",
    "sequence": "sequences",
    "table": "tables",
    "seeds": "seeds",
}


def run(main: Callable[[argparse.Namespace], None], *arguments: str) -> None:
    """Run a stage's ``main`` with required ``--arguments``, all of them names of the ``--suite``.

    Where the environment variable PNC_SCHEDULER names a Dask cluster, one of its workers does it. Bad input ends it
    with one line on stderr and exit status 1.
    """
    parser = argparse.ArgumentParser(prog=Path(sys.argv[0]).stem, description=main.__doc__)
    parser.add_argument("--suite", default=DEFAULT, help=f"a data set's folder in suites/ (default: {DEFAULT})")
    for name in arguments:
        parser.add_argument(f"--{name}", required=True)
    try:
        parsed = parser.parse_args()
        _check(load_suite(parsed.suite), vars(parsed))
        if scheduler := os.environ.get("PNC_SCHEDULER"):
            from flows.dask import remote  # here: stages that run alone need no Dask

            sys.exit(remote.run(scheduler, parser.prog))
        # A stage lives on when the DVC that started it is killed: the next one must not write among its files.
        with alone(Path(".scratch", f"{'-'.join([parser.prog, *vars(parsed).values()])}.lock")):
            main(parsed)
    except (PncError, OSError) as error:
        sys.exit(f"{parser.prog}: {error}")


def _check(suite: Suite, arguments: dict[str, str]) -> None:
    """Raise PncError for a name that the suite lacks."""
    for option in filter(arguments.__contains__, _NAMES):
        if arguments[option] not in (known := suite.names(_NAMES[option])):
            where = f"--{option} of the suite '{suite.name}'"
            raise bad(where, expected=f"one of {', '.join(known)}", found=repr(arguments[option]))
