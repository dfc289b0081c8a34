"""The benchmark as a Prefect flow: one task run for each of DVC's stages, started once its upstream is done."""

import os
import time
from collections import deque
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from graphlib import TopologicalSorter
from queue import SimpleQueue
from typing import Any
from uuid import UUID

from prefect import State, flow, get_run_logger, runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import TaskRun
from prefect.context import TaskRunContext
from prefect.exceptions import TerminationSignal
from prefect.futures import PrefectFuture
from prefect.states import Cancelled, Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from flows._graph import Graph, Stage
from flows._prefect import record, settle
from flows._report import publish
from flows._stage import Dvc, Outcome
from flows._summary import Row, show, totals

RETRY_SECONDS = (2.0, 8.0)
_SETTLE_SECONDS, _HURRY_SECONDS = 10.0, 0.3


class KilledError(Exception):
    """A stage ended by a signal that we did not send; another try may do better."""


def _was_killed(_task: Any, _run: TaskRun, state: State) -> bool:
    return isinstance(state.data.exception if hasattr(state.data, "exception") else state.data, KilledError)


@task(
    name="stage",
    task_run_name="{stage}",
    retries=len(RETRY_SECONDS),
    retry_delay_seconds=list(RETRY_SECONDS),
    retry_condition_fn=_was_killed,
    cache_policy=NO_CACHE,
    persist_result=False,
)
def reproduce(stage: str, dvc: Dvc) -> State:
    """Reproduce one stage; the state's name says how that ended."""
    ended = dvc.reproduce(stage, get_run_logger().info)
    context = TaskRunContext.get()
    if ended.killed and context and context.task_run.run_count <= len(RETRY_SECONDS):
        raise KilledError(ended.message)
    return _state(ended.outcome, ended.message)


def _state(outcome: Outcome, message: str = "") -> State:
    """With a result, as Prefect asks for one before it starts what waits for the state, and one that it does not
    trace: it would take every state with an equal text for upstream.
    """
    kind = {Outcome.FAILED: Failed, Outcome.SKIPPED: Cancelled, Outcome.INTERRUPTED: Cancelled}.get(
        outcome, Completed
    )
    return kind(name=outcome.value, message=message or None, data=True)


class Run:
    """One run over a graph: at most ``workers`` stages at once, each after its upstream."""

    def __init__(self, graph: Graph, workers: int, dvc: Dvc) -> None:
        self._graph, self._workers, self._dvc = graph, workers, dvc
        self._states: dict[str, State] = {}
        self._seconds: dict[str, float] = {}
        self._running: dict[str, float] = {}  # since when
        self._ended: SimpleQueue[tuple[str, PrefectFuture[State]]] = SimpleQueue()
        self._flow_run = UUID(runtime.flow_run.id)

    def execute(self) -> None:
        sorter = TopologicalSorter({name: stage.upstream for name, stage in self._graph.items()})
        sorter.prepare()
        waiting: deque[str] = deque()
        while sorter.is_active():
            for name in sorter.get_ready():
                if self._decide(self._graph[name]):
                    sorter.done(name)
                else:
                    waiting.append(name)
            while waiting and len(self._running) < self._workers:
                self._start(waiting.popleft())
            if self._running:
                sorter.done(self._wait())

    def rows(self) -> list[Row]:
        """What is known so far; an interrupt leaves stages out."""
        return [
            Row(
                name,
                Outcome(self._states[name].name or ""),
                self._seconds.get(name),
                self._states[name].message or "",
            )
            for name in self._graph
            if name in self._states
        ]

    def interrupt(self) -> None:
        """End what runs."""
        self._dvc.stop()
        while self._running:
            self._wait()

    def _decide(self, stage: Stage) -> bool:
        """Whether the stage needs no process: it is clean, or something upstream failed."""
        upstream = [self._states[name] for name in stage.upstream]
        lost = [name for name, state in zip(stage.upstream, upstream, strict=True) if not state.is_completed()]
        if lost:
            state = _state(Outcome.SKIPPED, f"needs {', '.join(lost)}")
        elif stage.clean:
            state = _state(Outcome.CACHED)
        else:
            return False
        self._states[stage.name] = record(reproduce, stage.name, self._flow_run, state, upstream)
        return True

    def _start(self, name: str) -> None:
        upstream = [self._states[used] for used in self._graph[name].upstream]
        self._running[name] = time.monotonic()
        future = reproduce.submit(name, self._dvc, wait_for=upstream, return_state=False)
        future.add_done_callback(lambda ended: self._ended.put((name, ended)))

    def _wait(self) -> str:
        name, future = self._ended.get()
        future.wait()
        state = future.state
        if state.name not in list(Outcome):  # an error of the flow's own
            state = state.model_copy(update={"name": Outcome.FAILED.value})
        self._states[name] = state
        self._seconds[name] = time.monotonic() - self._running.pop(name)
        return name


def run(graph: Graph, targets: Sequence[str], runner: str, workers: int, scheduler: str | None) -> State:
    """Run the stages of ``graph``. Completed, Failed (a stage failed) or Cancelled (interrupted)."""
    rows: list[Row] = []

    @flow(
        name="benchmark",
        flow_run_name=" ".join(targets) or "everything",
        task_runner=ThreadPoolTaskRunner(max_workers=workers),  # type: ignore[arg-type]
    )
    def benchmark(targets: Sequence[str], runner: str, workers: int, scheduler: str | None) -> State:
        with _cluster(runner, workers, scheduler) as address:
            run = Run(graph, workers, Dvc({"PNC_SCHEDULER": address} if address else {}))
            state = _execute(run)
        rows.extend(run.rows())
        show(rows)
        if not state.is_cancelled():
            publish(graph, rows)
        return state

    state = benchmark(list(targets), runner, workers, scheduler, return_state=True)
    settle(state, len(rows), _HURRY_SECONDS if state.is_cancelled() else _SETTLE_SECONDS)
    return state


def _execute(run: Run) -> State:
    try:
        run.execute()
    except (KeyboardInterrupt, TerminationSignal):
        run.interrupt()
        return Cancelled(message=totals(run.rows()))
    rows = run.rows()
    failed = any(row.outcome == Outcome.FAILED for row in rows)
    return (Failed if failed else Completed)(message=totals(rows))


def _cluster(runner: str, workers: int, scheduler: str | None) -> AbstractContextManager[str | None]:
    if runner == "threads":
        return nullcontext()
    from flows.dask.cluster import cluster  # Dask is an extra

    return cluster(workers, scheduler)


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
