"""Wait for the time to run the benchmark and compare its cells with those of a git revision, again and again.

Each run shows in Prefect with its report as an artifact, and fails if a stage failed or a cell got worse. Runs can be
started by hand there too.
"""

import argparse
import os
import signal
import sys
import threading

import psutil

from flows._server import server
from pnc.base.errors import PncError, bad

INTERRUPTED = 130
_END_SECONDS = 4.0


def main(arguments: argparse.Namespace) -> None:
    with server() as ready:
        from prefect.runner import Runner  # Prefect reads its settings when it is imported
        from prefect.schedules import Cron

        from flows._graph import read_graph
        from flows._nightly import nightly

        read_graph(arguments.targets)  # an unknown target shall not wait for the night
        try:
            schedule = Cron(arguments.cron) if arguments.cron else None
        except ValueError:
            raise bad("--cron", expected='a schedule like "0 2 * * *"', found=repr(arguments.cron)) from None
        ready()
        parameters = {"targets": arguments.targets, "base": arguments.base, "workers": arguments.workers}
        Runner.handle_sigterm = _end  # type: ignore[method-assign, assignment]
        nightly.serve("nightly", schedule=schedule, parameters=parameters)


def _end(*_: object) -> None:
    """End a run that goes on, then this, which takes Prefect for ever if its server has gone."""
    runs = psutil.Process().children()
    for run in list(runs):
        if run.status() == psutil.STATUS_ZOMBIE or "flows._server" in run.cmdline():
            runs.remove(run)
        else:
            run.terminate()
    for run in psutil.wait_procs(runs, _END_SECONDS)[1]:
        run.kill()
    last = threading.Timer(_END_SECONDS, os._exit, [INTERRUPTED])
    last.daemon = True
    last.start()
    raise KeyboardInterrupt


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="serve", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="as for flows.benchmark")
    parser.add_argument("--cron", metavar="SCHEDULE", help='when, in UTC, for example "0 2 * * *" (default: by hand)')
    parser.add_argument("--base", default="HEAD", help="git revision to compare with (default: HEAD)")
    parser.add_argument("--workers", type=int, metavar="N", help="stages at once (default: one for each core)")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    try:
        main(parser.parse_args())
    except PncError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
