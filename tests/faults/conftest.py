"""One run of the whole pipeline, which every test starts from a copy of."""

from pathlib import Path

import pytest
from _project import EVERYTHING, Project, lay_out


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project after an undisturbed run; not to be changed."""
    project = lay_out(tmp_path_factory.mktemp("finished") / "project")
    assert set(project.repro(*EVERYTHING).values()) == {"Ran"}
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of it, to be changed."""
    return finished.copy(tmp_path / "project")
