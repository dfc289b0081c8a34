"""DVC in a process that stays: reproduces the stages that standard input names, one after the other.

A line there is ``[address, file]`` in JSON: all that is printed goes to the end of the file. The answer on standard
output is a line with the exit status of ``dvc repro``. It ends with its input, after the stage that it is at.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

from dvc.cli import main as dvc
from dvc.dvcfile import Lockfile
from dvc.stage import run as stage_run
from dvc.stage.exceptions import StageCmdFailedError
from dvc.stage.serialize import to_lockfile
from dvc.utils.serialize import dumps_yaml, parse_yaml

from flows import _warm
from flows._quick import quicken
from flows.unlock import opened
from pnc.base.files import write_text

_HEAD = "schema: '2.0'\nstages:\n"
_load_all, _dump_all, _run_any = Lockfile._load, Lockfile.dump_stages, stage_run._run
_at_work = ""  # the stage's name


def serve() -> None:
    global _at_work
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    _redirect(os.devnull, os.O_RDONLY, 0)  # stages shall not read the requests
    quicken()
    Lockfile._load, Lockfile.dump_stages, stage_run._run = _load, _dump, _run
    with opened():  # the last such process may have been killed as it wrote DVC's list of busy paths
        pass
    for request in requests:
        address, file = json.loads(request)
        _at_work = address.rpartition(":")[2]
        _redirect(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 1, 2)
        status = dvc(["--wait-for-lock", "repro", "--single-item", address])
        print(status, file=answers, flush=True)


def _redirect(path: str, flags: int, *descriptors: int) -> None:
    opened = os.open(path, flags, 0o666)
    for descriptor in descriptors:
        os.dup2(opened, descriptor)
    os.close(opened)


def _dump(self: Lockfile, stages: list[Any], **options: Any) -> None:
    """Put the stages' own paragraphs into dvc.lock, and leave the rest of its text alone.

    DVC parses and writes the whole file for each stage: 3 CPU seconds at 60 stages of ten dependencies. The bytes
    are the same, and the file is never half-written.
    """
    path = Path(self.path)
    before = text = path.read_text() if path.exists() else _HEAD
    if not _is_plain(text):
        return _dump_all(self, stages, **options)
    for stage in stages:
        entry = _entry(_copied(to_lockfile(stage, **options)))
        found = _paragraph(entry, text)
        text = text[: found.start()] + entry + text[found.end() :] if found else text + entry
    if text != before:
        write_text(path, text)
        self.repo.scm_context.track_file(self.relpath)


def _load(self: Lockfile, **options: Any) -> tuple[Any, str]:
    """Parse the paragraph of the stage at work alone: nothing else is asked for."""
    path = Path(self.path)
    text = path.read_text() if path.is_file() else ""
    if options or not _is_plain(text):
        return _load_all(self, **options)
    found = _paragraph(_entry({_at_work: {"cmd": ""}}), text)
    return self.validate(parse_yaml(_HEAD + found[0], self.path) if found else {"schema": "2.0"}, self.relpath), text


def _is_plain(text: str) -> bool:
    """Whether a lock file looks as DVC writes it: a head, and paragraphs of stages."""
    return text.startswith(_HEAD) and len(re.findall(r"^\S", text, re.MULTILINE)) == 2


def _entry(stages: dict[str, Any]) -> str:
    return str(dumps_yaml({"stages": stages}).partition("\n")[2])


def _paragraph(entry: str, text: str) -> re.Match[str] | None:
    """Where the stage of an entry stands in a lock file's text."""
    name = entry.partition("\n")[0]
    return re.search(rf"^{re.escape(name)}\n(?:    .*\n|\n)*", text, re.MULTILINE)


def _copied(value: Any) -> Any:
    """Values that params.yaml names once and uses twice (&, *) as values: their anchors would clash in the file."""
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value


def _run(executable: str | None, command: str, **options: Any) -> None:
    if not _warm.is_stage(command):
        return _run_any(executable, command, **options)
    if status := _warm.run(command, str(options["cwd"]), options["env"]):
        raise StageCmdFailedError(command, status)


if __name__ == "__main__":
    serve()
