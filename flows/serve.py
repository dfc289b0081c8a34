"""Wait for the time to run the benchmark and compare its cells with those of a git revision, again and again.

Each run shows in Prefect with its report as an artifact, and fails if a stage failed or a cell got worse. Runs can be
started by hand there too.
"""

import argparse
import sys

from flows._server import server
from pnc.base.errors import PncError, bad


def main(arguments: argparse.Namespace) -> None:
    with server() as ready:
        from prefect.schedules import Cron  # Prefect reads its settings when it is imported

        from flows._graph import read_graph
        from flows._nightly import nightly

        read_graph(arguments.targets)  # an unknown target shall not wait for the night
        try:
            schedule = Cron(arguments.cron) if arguments.cron else None
        except ValueError:
            raise bad("--cron", expected='a schedule like "0 2 * * *"', found=repr(arguments.cron)) from None
        ready()
        parameters = {"targets": arguments.targets, "base": arguments.base, "workers": arguments.workers}
        nightly.serve("nightly", schedule=schedule, parameters=parameters)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="serve", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="as for flows.benchmark")
    parser.add_argument("--cron", metavar="SCHEDULE", help='when, in UTC, for example "0 2 * * *" (default: by hand)')
    parser.add_argument("--base", default="HEAD", help="git revision to compare with (default: HEAD)")
    parser.add_argument("--workers", type=int, metavar="N", help="stages at once (default: one for each core)")
    try:
        main(parser.parse_args())
    except PncError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
