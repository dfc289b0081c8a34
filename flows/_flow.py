"""The benchmark as a Prefect flow: one task run for each of DVC's stages, started once its upstream is done."""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from graphlib import TopologicalSorter
from queue import Empty, SimpleQueue
from uuid import UUID

from prefect import State, flow, get_run_logger, runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture
from prefect.states import Cancelled, Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from flows._graph import Graph
from flows._prefect import record, settle
from flows._report import publish
from flows._stage import Dvc, Outcome, interruptible
from flows._view import View

_SETTLE_SECONDS, _HURRY_SECONDS, _END_SECONDS = 10.0, 0.3, 4.0
_KINDS = {Outcome.FAILED: Failed, Outcome.SKIPPED: Cancelled, Outcome.INTERRUPTED: Cancelled}


@task(name="stage", task_run_name="{stage}", cache_policy=NO_CACHE, persist_result=False)
def reproduce(stage: str, address: str, dvc: Dvc, view: View) -> State:
    """Reproduce one stage; the state's name says how that ended."""
    ended = dvc.reproduce(address, view.log(stage), get_run_logger().info, lambda line: view.show(stage, line))
    return _state(ended.outcome, ended.message)


def _state(outcome: Outcome, message: str = "") -> State:
    """With a result, as Prefect asks for one before it starts what waits for the state, and one that it does not
    trace: it would take every state with an equal text for upstream.
    """
    return _KINDS.get(outcome, Completed)(name=outcome.value, message=message or None, data=True)


class Run:
    """One run over a graph: at most ``workers`` stages at once, each after its upstream."""

    def __init__(self, graph: Graph, workers: int, dvc: Dvc, view: View) -> None:
        self._graph, self._workers, self._dvc, self._view = graph, workers, dvc, view
        self._states: dict[str, State] = {}
        self._culprits: dict[str, set[str]] = {}  # the failed stages that a failed or skipped one needs
        self._running = 0
        self._ended: SimpleQueue[tuple[str, PrefectFuture[State]]] = SimpleQueue()
        self._flow_run = UUID(runtime.flow_run.id)

    def execute(self) -> State:
        """Completed, Failed (a stage failed) or Cancelled (interrupted)."""
        try:
            self._all()
        except KeyboardInterrupt:
            self._dvc.stop()
            with suppress(Empty):  # interrupted as one was being started
                while self._running:
                    self._wait(_END_SECONDS)
            return Cancelled(message=self._view.totals())
        failed = any(row.outcome is Outcome.FAILED for row in self._view.rows)
        return (Failed if failed else Completed)(message=self._view.totals())

    def _all(self) -> None:
        sorter = TopologicalSorter({name: stage.upstream for name, stage in self._graph.items()})
        sorter.prepare()
        waiting: deque[str] = deque()
        while sorter.is_active():
            for name in sorter.get_ready():
                if self._decide(name):
                    sorter.done(name)
                else:
                    waiting.append(name)
            while waiting and self._running < self._workers:
                self._start(waiting.popleft())
            if self._running:
                sorter.done(self._wait())

    def _decide(self, name: str) -> bool:
        """Whether the stage needs no process: it is clean, or something upstream failed."""
        culprits = set().union(*(self._culprits.get(used, set()) for used in self._graph[name].upstream))
        if culprits:
            self._culprits[name] = culprits
            state = _state(Outcome.SKIPPED, f"needs {', '.join(sorted(culprits))}")
        elif self._graph[name].clean:
            state = _state(Outcome.CACHED)
        else:
            return False
        self._end(name, record(reproduce, name, self._flow_run, state, self._upstream(name)))
        return True

    def _start(self, name: str) -> None:
        self._running += 1
        self._view.start(name)
        future = reproduce.submit(
            name, self._graph[name].address, self._dvc, self._view, wait_for=self._upstream(name), return_state=False
        )
        future.add_done_callback(lambda ended: self._ended.put((name, ended)))

    def _wait(self, seconds: float | None = None) -> str:
        name, future = self._ended.get(timeout=seconds)
        future.wait()
        state = future.state
        if state.name not in list(Outcome):  # an error of the flow's own
            state = state.model_copy(update={"name": Outcome.FAILED.value})
        if not state.is_completed():
            self._culprits[name] = {name}
        self._running -= 1
        self._end(name, state)
        return name

    def _end(self, name: str, state: State) -> None:
        self._states[name] = state
        self._view.end(name, Outcome(state.name or ""), state.message or "")

    def _upstream(self, name: str) -> list[State]:
        return [self._states[used] for used in self._graph[name].upstream]


def run(graph: Graph, targets: Sequence[str], runner: str, workers: int, scheduler: str | None) -> State:
    """Run the stages of ``graph``. Completed, Failed (a stage failed) or Cancelled (interrupted)."""
    view = View(len(graph))

    @flow(
        name="benchmark",
        flow_run_name=" ".join(targets) or "everything",
        task_runner=ThreadPoolTaskRunner(max_workers=workers),  # type: ignore[arg-type]
    )
    def benchmark(targets: Sequence[str], runner: str, workers: int, scheduler: str | None) -> State:
        interruptible()  # again: Prefect takes SIGTERM for itself
        with _cluster(runner, workers, scheduler) as environment, Dvc(environment) as dvc, view:
            state = Run(graph, workers, dvc, view).execute()
        if not state.is_cancelled():
            publish(graph, view.rows)
        return state

    state = benchmark(list(targets), runner, workers, scheduler, return_state=True)
    settle(state, len(view.rows), _HURRY_SECONDS if state.is_cancelled() else _SETTLE_SECONDS)
    return state


@contextmanager
def _cluster(runner: str, workers: int, scheduler: str | None) -> Iterator[dict[str, str]]:
    """What stages need in their environment to run there."""
    if runner == "threads":
        yield {}
        return
    from flows.dask.cluster import cluster  # Dask is an extra

    with cluster(workers, scheduler) as address:
        yield {"PNC_SCHEDULER": address}


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
