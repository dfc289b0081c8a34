"""What a run tells Prefect beside its tasks: stages that no task runs, and that everything has arrived."""

import time
from collections.abc import Iterable
from uuid import UUID, uuid4

from prefect import Task
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import TERMINAL_STATES, State, TaskRun
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.utilities.engine import emit_task_run_state_change_event


def record(task: Task, name: str, flow_run: UUID, state: State, upstream: Iterable[State]) -> State:
    """A task run that is over before it began, with its place in the graph.

    It goes the way that Prefect's own engine takes, as an event: a hundred cost a second, against three for requests
    that create and end them.
    """
    used = [{"input_type": "task_run", "id": other.state_details.task_run_id} for other in upstream]
    state.state_details.task_run_id, state.state_details.flow_run_id = uuid4(), flow_run
    run = {
        "id": state.state_details.task_run_id,
        "name": name,
        "flow_run_id": flow_run,
        "task_key": task.task_key,
        "dynamic_key": name,
        "expected_start_time": state.timestamp,
        "start_time": state.timestamp,
        "end_time": state.timestamp,
        "task_inputs": {"wait_for": used},
    }
    emit_task_run_state_change_event(TaskRun.model_validate(run), None, state)
    return state


def settle(flow_run: State, count: int, seconds: float) -> None:
    """Wait until the server has ``count`` ended task runs and all logs; at most ``seconds`` for each."""
    EventsWorker.drain_all(timeout=seconds, at_exit=False)
    APILogWorker.drain_all(timeout=seconds, at_exit=False)
    ended = {
        "flow_runs": {"id": {"any_": [str(flow_run.state_details.flow_run_id)]}},
        "task_runs": {"state": {"type": {"any_": [kind.value for kind in TERMINAL_STATES]}}},
    }
    patience = time.monotonic() + seconds
    with get_client(sync_client=True) as client:
        while time.monotonic() < patience:
            if client.request("POST", "/task_runs/count", json=ended).json() >= count:
                return
            time.sleep(0.1)
