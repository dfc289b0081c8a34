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
from typing import Any

PRELOADED = ["__main__", "numpy", "pandas", "rich.console", "safetensors.torch", "scipy.optimize", "torch", "yaml"]
PRELOADED += ["matplotlib.figure", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg"]
ROOMS = ("pnc", "bench", "stages", "flows")
NOTHING: dict[str, list[str]] = {"imported": [], "opened": [], "read": []}


@dataclass(frozen=True)
class Ended:
    """A program that is through. What it used is not known of one that was killed."""

    status: int
    output: str
    errors: str
    imported: frozenset[Path]  # the project's files
    opened: frozenset[Path]  # files of the project that it read or wrote, modules aside
    read: frozenset[str]  # keys of params.yaml


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
        used = json.loads((logs / "used").read_text()) if (logs / "used").exists() else NOTHING
    assert process.exitcode is not None
    files = (frozenset(map(Path, used[how])) for how in ("imported", "opened"))
    return Ended(process.exitcode, *said, *files, read=frozenset(used["read"]))


def _run(folder: Path, command: list[str], logs: Path, environment: dict[str, str]) -> None:
    import torch  # loaded already

    assert not any(name.partition(".")[0] in ROOMS for name in sys.modules)
    for stream, descriptor in (("output", 1), ("errors", 2)):
        os.dup2(os.open(logs / stream, os.O_WRONLY | os.O_CREAT), descriptor)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    torch.set_num_threads(1)
    opened = _watch()
    sys.argv = command
    try:
        runpy.run_module(command[0], run_name="__main__", alter_sys=True)
    finally:
        (logs / "used").write_text(json.dumps(_used(folder, command[0], opened)))


def _watch() -> set[str]:
    """The names of all files that are opened from now on."""
    import safetensors

    opened: set[str] = set()

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str):
            opened.add(arguments[0])

    def safe_open(path: str | Path, *others: Any, **more: Any) -> Any:
        opened.add(str(path))  # not Python that opens it
        return original(path, *others, **more)

    original, safetensors.safe_open = safetensors.safe_open, safe_open  # type: ignore[misc,assignment]
    sys.addaudithook(hear)
    return opened


def _used(folder: Path, program: str, opened: set[str]) -> dict[str, list[str]]:
    modules = [module.__file__ or "" for name, module in list(sys.modules.items()) if name.partition(".")[0] in ROOMS]
    suite = sys.modules.get("bench.work.suite")
    own = str(Path(*program.split(".")).with_suffix(".py"))
    data = [name for name in opened if not name.endswith((".py", ".pyc"))]
    return {
        "imported": [own, *_within(folder, modules)],
        "opened": _within(folder, data),
        "read": sorted(suite.READ) if suite else [],
    }


def _within(folder: Path, names: list[str]) -> list[str]:
    """Those in ``folder``, from there."""
    paths = {Path(folder, name) for name in names if name}
    return sorted(str(path.relative_to(folder)) for path in paths if path.is_relative_to(folder))
