"""One run of the whole pipeline, which every test starts from a copy of."""

from pathlib import Path

import pytest
from _project import Params, Project, small
from _run import finish


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project after an undisturbed run without DVC; not to be changed."""
    return finish(tmp_path_factory.mktemp("finished") / "project", tiny, save_often=True).project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of it, to be changed."""
    return finished.copy(tmp_path / "project")


def tiny(params: Params) -> Params:
    """The small suite with one position, one baseline and one table, and with epochs enough to be killed between."""
    values = small(params)
    for trained in (*values["recipes"].values(), values["clone"]):
        trained["schedule"]["epochs"] = 8
    values["variants"]["unmasked"]["positions"] = [2]
    values["grids"]["main"]["R"] = [2]
    values["grids"]["baselines"]["method"] = ["untrained"]
    del values["methods"]["continual"], values["tables"]["T1"]["rows"]["Continual"], values["tables"]["positions"]
    return values | {"figures": ["T1"]}
