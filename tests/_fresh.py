"""Programs of a project's folder in processes of their own, which start at once: torch and its like are loaded once,
in a process that forks. None of the project's modules is in them before they begin."""

import json
import multiprocessing
import os
import runpy
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PRELOADED = ["numpy", "pandas", "rich.console", "safetensors.torch", "scipy.optimize", "torch", "yaml"]
ROOMS = ("pnc", "bench", "stages", "flows")


@dataclass(frozen=True)
class Ended:
    """A program that is through: what it printed, the project's files that it imported, the parameters it read."""

    status: int
    output: str
    errors: str
    imported: frozenset[Path]
    read: frozenset[str]


def python(folder: Path, module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Ended:
    """``python -m MODULE ARGUMENTS`` in ``folder``, with one thread."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with tempfile.TemporaryDirectory() as name:
        logs = Path(name)
        settings = os.environ | {"OMP_NUM_THREADS": "1"} | dict(environment or {})
        process = context.Process(target=_run, args=(folder, [module, *arguments], logs, settings))
        process.start()
        process.join()
        said = [(logs / stream).read_text() for stream in ("output", "errors")]
        used = json.loads((logs / "used").read_text()) if (logs / "used").exists() else {"imported": (), "read": ()}
    assert process.exitcode is not None
    return Ended(process.exitcode, *said, frozenset(map(Path, used["imported"])), frozenset(used["read"]))


def _run(folder: Path, command: list[str], logs: Path, environment: dict[str, str]) -> None:
    import torch  # loaded already

    assert not any(name.partition(".")[0] in ROOMS for name in sys.modules)
    for stream, descriptor in (("output", 1), ("errors", 2)):
        opened = os.open(logs / stream, os.O_WRONLY | os.O_CREAT)
        os.dup2(opened, descriptor)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    torch.set_num_threads(1)
    sys.argv = command
    try:
        runpy.run_module(command[0], run_name="__main__", alter_sys=True)
    finally:
        (logs / "used").write_text(json.dumps(_used(folder, command[0])))


def _used(folder: Path, program: str) -> dict[str, list[str]]:
    """Files of the project that were imported, beside the program itself, and the keys of params.yaml it asked for."""
    files = {Path(*program.split(".")).with_suffix(".py")}
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file and Path(file).is_relative_to(folder):
            files.add(Path(file).relative_to(folder))
    suite = sys.modules.get("bench.work.suite")
    return {"imported": sorted(map(str, files)), "read": sorted(suite.READ) if suite else []}
