"""Run stages of DVC's graph, several at a time, watched by Prefect.

TARGETs are what ``dvc repro`` takes: stages, groups of stages, outputs; SUITE:STAGE is short for
suites/SUITE/dvc.yaml:STAGE; none means everything. Exit status: 0 if every stage is done, 1 if one failed, 2 for bad
input, 130 after an interrupt.
"""

import argparse
import os
import sys

from rich.console import Console

from flows._graph import read_graph
from flows._server import server
from flows._stage import interruptible
from pnc.base.errors import PncError, bad

INTERRUPTED = 130


def main(arguments: argparse.Namespace) -> int:
    if arguments.workers is not None and arguments.workers < 1:
        raise bad("--workers", expected="at least 1", found=arguments.workers)
    if arguments.scheduler:
        _check(arguments.scheduler, arguments.runner)
    with Console().status("Reading the graph"):
        graph = read_graph(arguments.targets, arguments.allow_missing)
    if all(stage.clean for stage in graph.values()):  # Prefect and its server take three times as long
        print(f"{len(graph)} Cached")
        return 0
    with server() as ready:
        with Console().status("Starting Prefect"):
            from flows._flow import cores, run  # it reads its settings when it is imported

            ready()
        workers = arguments.workers or cores()
        state = run(graph, arguments.targets, arguments.runner, workers, arguments.scheduler)
    if state.is_cancelled():
        return INTERRUPTED
    return 0 if state.is_completed() else 1


def _check(scheduler: str, runner: str) -> None:
    if runner != "dask":
        raise bad("--scheduler", expected="--runner dask with it", found=f"--runner {runner}")
    from flows.dask.remote import connected  # Dask is an extra

    with connected(scheduler, seconds=3):
        pass


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benchmark", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="stage, group of stages or output")
    parser.add_argument(
        "--allow-missing",
        action="store_true",
        help="stages that ran elsewhere are done, and what they made is made here only where something needs it",
    )
    parser.add_argument("--runner", choices=("threads", "dask"), default="threads", help="where stages run")
    parser.add_argument("--workers", type=int, metavar="N", help="stages at once (default: one for each core)")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="a running Dask cluster's (default: a local one)")
    interruptible()
    try:
        status = main(parser.parse_args())
    except PncError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        status = INTERRUPTED
    if status == INTERRUPTED:  # at once: Prefect's workers would go on looking for a server that has ended
        sys.stdout.flush()
        os._exit(status)
    sys.exit(status)
