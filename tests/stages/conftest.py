"""One run of every kind of stage, which the tests look at or start from a copy of."""

import os
import pickle
import shutil
from pathlib import Path

import pytest
from _graph import Graph, opened, read
from _paths import ROOT
from _project import Project
from _run import Finished, finish
from filelock import FileLock

from pnc.base.files import write_bytes


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Not to be changed. The processes that share out the tests share it."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    kept = folder / "finished.pickle"
    with FileLock(folder / "finished.lock"):
        if not kept.is_file():
            write_bytes(kept, pickle.dumps(finish(tmp_path_factory.mktemp("finished") / "project")))
    return pickle.loads(kept.read_bytes())


@pytest.fixture
def project(finished: Finished, tmp_path: Path) -> Project:
    """A copy of it, to be changed."""
    return finished.project.copy(tmp_path / "project")


@pytest.fixture(scope="session")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    """This project's stages, read in a repository of its own: the real one, its lock and its cache are left alone."""
    folder = tmp_path_factory.mktemp("graph")
    for name in ("dvc.yaml", "params.yaml", "tables.yaml"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "suites", folder / "suites")
    (folder / ".dvc").mkdir()
    (folder / ".dvc" / "config").write_text("[core]\n    no_scm = True\n")
    with opened(folder, Project(folder).environment()) as repo:
        return read(repo)
