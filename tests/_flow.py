"""A tiny DVC project with the flow run on it, and the Prefect server that the tests share."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import psutil
import pytest
from _paths import ROOT

from flows._server import server

# The first stage waits for the file "go".
SLOW = """
stages:
  slow: {cmd: "echo run >> runs; touch started; until test -e go; do sleep 0.1; done; echo 1 > slow", outs: [slow]}
  quick: {cmd: cp slow quick, deps: [slow], outs: [quick]}
"""


@dataclass
class Flow:
    """A DVC project, and the flow run on it."""

    folder: Path
    environment: dict[str, str]

    @staticmethod
    def make(folder: Path, graph: str, environment: dict[str, str]) -> "Flow":
        folder.mkdir(exist_ok=True)
        (folder / ".dvc").mkdir()
        (folder / ".dvc/config").write_text("[core]\n    no_scm = True\n    analytics = false\n")
        (folder / "dvc.yaml").write_text(graph)
        return Flow(folder, {**environment, "PYTHONPATH": str(ROOT), "FLOW_TEST": uuid4().hex, "SHELL": "/bin/sh"})

    def start(self, *arguments: str, module: str = "flows.benchmark") -> subprocess.Popen[str]:
        command = [sys.executable, "-m", module, *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=pipe, stderr=subprocess.STDOUT, text=True
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        with self.start(*arguments) as process:
            output, _ = process.communicate(timeout=120)
        return process.returncode, output

    def repro(self, *targets: str) -> None:
        command = [sys.executable, "-m", "dvc", "repro", "-q", *targets]
        subprocess.run(command, cwd=self.folder, env=self.environment, check=True)

    def left(self) -> list[str]:
        """Command lines of processes that come from this flow: they have its environment."""
        return [" ".join(process.cmdline()) for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("FLOW_TEST") == self.environment["FLOW_TEST"]
        except psutil.Error:
            return False

    def asked(self, what: str, **filters: Any) -> Any:
        """The answer of Prefect's API to ``POST /WHAT``."""
        url = f"{self.environment['PREFECT_API_URL']}/{what}"
        request = urllib.request.Request(url, json.dumps(filters).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as response:
            return json.load(response)

    def last_run(self, name: str) -> dict[str, Any]:
        filters = {"flow_runs": {"name": {"any_": [name]}}, "sort": "START_TIME_DESC", "limit": 1}
        return self.asked("flow_runs/filter", **filters)[0]  # type: ignore[no-any-return]

    def tasks(self, run: dict[str, Any]) -> dict[str, dict[str, Any]]:
        found = self.asked("task_runs/filter", flow_runs={"id": {"any_": [run["id"]]}})
        return {task["name"]: task for task in found}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """With PREFECT_API_URL, at which a server answers."""
    with patch.dict(os.environ, {"PREFECT_HOME": str(tmp_path_factory.mktemp("prefect"))}):
        os.environ.pop("PREFECT_API_URL", None)
        with server() as ready:
            ready()
            yield dict(os.environ)
