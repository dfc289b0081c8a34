"""A working copy of this project with a suite of seconds, for stages on their own and for DVC's real commands."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from operator import getitem
from pathlib import Path
from typing import Any

import _fresh
import yaml
from _paths import ROOT

FOLDERS = ("bench", "flows", "paper", "pnc", "stages")
FILES = (".dvc/config", ".dvc/.gitignore", ".dvcignore", ".gitignore", "dvc.yaml", "params.yaml", "tables.yaml")
SHOWN = ("tables", "notes", "figures")  # the keys of tables.yaml
REPRO = ("-m", "dvc", "--wait-for-lock", "repro")
EVERYTHING = ("tables", "figures")
HALF_A_LOCK = "Unable to read RWLock-file '.dvc/tmp/rwlock'"
OUTCOMES = {
    "Ran": r"^Running stage '(.+)':$",
    "Cached": r"^Stage '(.+)' didn't change, skipping$",
    "Restored": r"^Stage '(.+)' is cached - skipping run, checking out outputs",
    "Failed": r"ERROR: failed to reproduce '(.+?)'",
}
Params = dict[str, Any]
Change = Callable[[Params], Params]


class Plain(yaml.SafeDumper):
    """What stands in several places is written in each: DVC's ``--set-param`` changes nothing that is shared."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


class Command(subprocess.Popen[str]):
    """A command in a process group of its own; all that it prints goes to the file ``log``."""

    def __init__(self, command: list[str], log: Path, **options: Any) -> None:
        self.log = log
        with open(log, "w") as output:
            super().__init__(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **options,
            )

    def ended(self) -> tuple[int, str]:
        """Exit status and output, once it has ended."""
        status = self.wait()
        return status, self.log.read_text()


@dataclass(frozen=True)
class Project:
    """A folder that looks like a clone of the project."""

    folder: Path

    def copy(self, folder: Path) -> "Project":
        """The same with all that DVC has there: artefacts, cache and lock."""
        half = shutil.ignore_patterns("*.pyc.*")  # of processes that still run there
        shutil.copytree(self.folder, folder, symlinks=True, ignore=half)
        return Project(folder)

    # Commands

    def start(self, *arguments: str, **options: Any) -> Command:
        """``python ARGUMENTS``; ``options`` are Popen's."""
        handle, log = tempfile.mkstemp(dir=self.folder.parent, prefix=f"{self.folder.name}-", suffix=".log")
        os.close(handle)
        return Command([sys.executable, *arguments], Path(log), cwd=self.folder, env=self.environment(), **options)

    def python(self, *arguments: str, **options: Any) -> tuple[int, str]:
        """Exit status and output of ``python ARGUMENTS``."""
        return self.start(*arguments, **options).ended()

    def stage(self, name: str, **arguments: object) -> _fresh.Ended:
        """``python -m stages.NAME --ARGUMENTS`` without DVC."""
        words = [word for option, value in arguments.items() for word in (f"--{option}", str(value))]
        return _fresh.python(self.folder, f"stages.{name}", *words, environment=self.environment())

    def repro(self, *targets: str) -> dict[str, str]:
        """What ``dvc repro TARGETS`` did with each stage. AssertionError with its output if it failed.

        A DVC that was killed as it wrote its lock file leaves half of one, which the next names and refuses.
        """
        status, output = self.python(*REPRO, *targets)
        if status and HALF_A_LOCK in output:
            assert self.python("-m", "flows.unlock") == (0, "")
            status, output = self.python(*REPRO, *targets)
        assert status == 0, output
        return outcomes(output)

    def git(self, *arguments: str) -> str:
        command = ["git", "-c", "user.name=Nobody", "-c", "user.email=nobody@localhost", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment(), check=True, capture_output=True, text=True
        )
        return done.stdout

    def commit(self, message: str) -> None:
        """All files, in git."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)

    def environment(self) -> dict[str, str]:
        """One thread, this interpreter's ``python``, and no settings or caches of the user's own."""
        site = self.folder.parent / f"{self.folder.name}-site"
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return kept | {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "OMP_NUM_THREADS": "1",
            "OMP_WAIT_POLICY": "PASSIVE",
            "DO_NOT_TRACK": "1",
            "DVC_NO_ANALYTICS": "1",
            "DVC_GLOBAL_CONFIG_DIR": str(site / "global"),
            "DVC_SYSTEM_CONFIG_DIR": str(site / "system"),
            "DVC_SITE_CACHE_DIR": str(site / "cache"),
        }

    # Its files

    def params(self) -> Params:
        """All that params.yaml and tables.yaml say."""
        files = (yaml.safe_load((self.folder / name).read_text()) for name in ("params.yaml", "tables.yaml"))
        return dict(chain.from_iterable(values.items() for values in files))

    def change(self, change: Callable[[Params], Params]) -> None:
        """Change parameters; each goes to its file."""
        values = change(self.params())
        own = {"tables.yaml": SHOWN, "params.yaml": [key for key in values if key not in SHOWN]}
        for name, keys in own.items():
            self.write(name, {key: values[key] for key in keys})

    def set(self, place: str, value: Any) -> None:
        """Change a parameter, or add one: ``set("clone.keep", 0.5)``."""
        *outer, last = place.split(".")

        def changed(params: Params) -> Params:
            reduce(getitem, outer, params)[last] = value
            return params

        self.change(changed)

    def rewrite(self, name: str, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> None:
        """Change a YAML file's values."""
        self.write(name, change(yaml.safe_load((self.folder / name).read_text())))

    def write(self, name: str, values: Mapping[str, Any]) -> None:
        text = yaml.dump(values, Dumper=Plain, sort_keys=False)
        path = self.folder / name
        if not path.is_file() or path.read_text() != text:
            path.write_text(text)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text that stands once in a file."""
        path = self.folder / name
        before = path.read_text()
        assert before.count(old) == 1, f"{name}: {old!r} stands {before.count(old)} times"
        path.write_text(before.replace(old, new))

    def append(self, name: str, line: str = "# A remark.") -> None:
        with open(self.folder / name, "a") as opened:
            opened.write(f"{line}\n")

    def lock(self) -> dict[str, Any]:
        """The stages of dvc.lock."""
        return yaml.safe_load((self.folder / "dvc.lock").read_text())["stages"]

    def command(self, stage: str) -> list[str]:
        """What dvc.lock says that ``python -m`` ran for a stage."""
        python, flag, *words = self.lock()[stage]["cmd"].split()
        assert (python, flag) == ("python", "-m")
        return words

    def outputs(self, stage: str) -> list[dict[str, Any]]:
        """A stage's outputs in dvc.lock."""
        return self.lock()[stage]["outs"]

    def files(self, *tops: str) -> dict[str, bytes]:
        """The content of all files below some folders."""
        found = (path for top in tops for path in sorted((self.folder / top).rglob("*")) if path.is_file())
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in found}

    def made(self) -> dict[str, bytes]:
        """What stages have written: artefacts, results and checkpoints.

        Files that were never finished (``.part``) and locks are in nobody's way.
        """
        checkpoints = {name: content for name, content in self.files(".scratch").items() if name.endswith(".pt")}
        made = self.files("artifacts", "results").items()
        return checkpoints | {name: content for name, content in made if not name.endswith(".part")}

    def state(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """What a run leaves behind: DVC's hashes of everything, and ``made``."""
        return self.lock(), self.made()

    def forget(self, *stages: str) -> None:
        """Take back what these stages made, as if they had never run: outputs, cached bytes, DVC's records."""
        for stage in stages:
            for out in self.outputs(stage):
                for cached in self.cached(out):
                    cached.unlink(missing_ok=True)
                remove(self.folder / out["path"])
        kept = {name: entry for name, entry in self.lock().items() if name not in stages}
        self.rewrite("dvc.lock", lambda lock: lock | {"stages": kept})
        remove(self.folder / ".dvc" / "cache" / "runs")

    def cached(self, out: dict[str, Any]) -> Iterator[Path]:
        """The files of the cache that hold an output of dvc.lock."""
        whole = self._object(out["md5"])
        if whole.suffix == ".dir" and whole.is_file():
            yield from (self._object(entry["md5"]) for entry in json.loads(whole.read_text()))
        yield whole

    def _object(self, md5: str) -> Path:
        return self.folder / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]


def lay_out(folder: Path, change: Change | None = None, *, save_often: bool = False) -> Project:
    """The sources of this working tree, committed, with the digits suite changed by ``change`` (default: ``small``).

    The other suites are left out: DVC would read their hundreds of stages in every command.
    ``save_often``: training is saved after every epoch, so that there is something to go on from.
    """
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".dvc").mkdir()
    for name in FILES:
        shutil.copy2(ROOT / name, folder / name)
    project = Project(folder)
    project.change(change or small)
    if save_often:
        project.edit("pnc/base/train.py", "seconds: float = 15.0", "seconds: float = 0.0")
    project.git("init", "--quiet", "--initial-branch", "main")
    project.commit("Clone")
    return project


def small(params: Params) -> Params:
    """One pair, one task, one regime, two positions, one seed, two baselines and two tables: seconds of training."""
    recipe = {"schedule": {"epochs": 3, "batch": 128, "lr": 0.004}, "augmentation": {"crop": 2, "flip": False}}
    pair = {"source": ["new"], "target": ["old"], "task": ["S"]}
    where = {"where": {"source": "new", "target": "old"}, "columns": {"S": {"task": "S"}}}
    best = {"method": "pnc", "at": "best"}
    return params | {
        "seeds": ["0"],
        "samples": {"share": 0.2, "held_out": 0.2},
        "recipes": {"usual": recipe},
        "networks": {
            "old": {"arch": "lenet5", "width": 0.25, "classes": "0-4", "recipe": "usual"},
            "new": {"arch": "lenet5", "width": 0.25, "classes": "5-9", "recipe": recipe},
        },
        "sources": ["new"],
        "tasks": {"S": {"classes": [0]}},
        "local_models": {"ridge": 0.001, "neighbourhood": {"grid": 4, "masks": 24}},
        "clone": {
            "inputs_per_epoch": 256,
            "schedule": {"epochs": 3, "batch": 64, "lr": 0.003},
            "insert": {"epochs": 2, "batch": 64, "lr": 0.003},
            "start_inputs": 64,
            "held_out_inputs": 64,
        },
        "finetune": {"epochs": 2, "batch": 64, "lr": 0.001},
        "variants": {"unmasked": {"clone": {"keep": 1.0}, "finetune": True}},
        "methods": {
            "untrained": {
                "direct_ensemble_calibrated": {"regime": "strict", "settings": {"q": 0.96, "neutral": 0.5}}
            },
            "continual": {"continual": {"regime": "strict", "settings": {"schedule": {"epochs": 2, "batch": 64}}}},
        },
        "grids": {name: {key: [] for key in grid} for name, grid in params["grids"].items()}
        | {
            "main": {**pair, "regime": ["strict"], "R": [2, 1]},
            "unmasked": {**pair, "regime": ["strict"], "variant": ["unmasked"]},
            "baselines": {**pair, "method": ["untrained", "continual"]},
        },
        "sequences": {},
        "learners": {},
        "increments": {},
        "incremental": {"learner": [], "target": [], "increment": []},
        "tables": {
            "T1": {
                "title": "Table 1",
                "scores": "main",
                "figure": "rows",
                **where,
                "rows": {
                    "Continual": {"method": "continual"},
                    "PNC (w/o Local)": {"variant": "unmasked", **best},
                    "PNC (full)": best,
                    "Direct Ensemble (calibrated)": {"method": "direct_ensemble_calibrated"},
                },
                "metrics": {"": ["ori", "tar", "avg"]},
            },
            "positions": {
                "title": "Every position R",
                "scores": "main",
                "figure": "positions",
                **where,
                "rows": {f"PNC R={R}": {"method": "pnc", "at": str(R)} for R in (1, 2)},
                "metrics": {"": ["ori", "tar", "avg", "loss"]},
            },
        },
        "notes": {"T1": ["What is measured here takes seconds."]},
        "figures": ["T1", "positions"],
        "resources": {},
    }


def outcomes(output: str) -> dict[str, str]:
    """Stage → Ran, Cached, Restored or Failed, from what DVC printed."""
    return {stage: outcome for outcome, line in OUTCOMES.items() for stage in re.findall(line, output, re.MULTILINE)}


def remove(path: Path) -> None:
    """A file or folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
