"""A stage's command line. No torch: some stages do without it, and it takes seconds to load."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from bench.work.lock import alone
from bench.work.suite import load_suite
from pnc.base.errors import PncError


def run(main: Callable[[argparse.Namespace], None], *arguments: str) -> None:
    """Run a stage's ``main`` with required ``--arguments``, all of them of the ``--suite``.

    Where the environment variable PNC_SCHEDULER names a Dask cluster, one of its workers does it. Bad input ends it
    with one line on stderr and exit status 1.
    """
    parser = argparse.ArgumentParser(prog=Path(sys.argv[0]).stem, description=main.__doc__)
    for name in arguments:
        parser.add_argument(f"--{name}", required=True)
    try:
        parsed = parser.parse_args()
        load_suite(parsed.suite).check(vars(parsed))
        if scheduler := os.environ.get("PNC_SCHEDULER"):
            from flows.dask import remote as _remote  # here: stages that run alone need no Dask

            sys.exit(_remote.run(scheduler, parser.prog))
        # A stage lives on when the DVC that started it is killed: the next one must not write among its files.
        with alone(Path(".scratch", f"{'-'.join([parser.prog, *vars(parsed).values()])}.lock")):
            main(parsed)
    except (PncError, OSError) as error:
        sys.exit(f"{parser.prog}: {error}")
