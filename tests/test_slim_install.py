"""The library needs its few dependencies alone: what only data or the benchmark need may be missing."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from _paths import ROOT

from pnc.base.errors import PncError
from pnc.data import DataSpec, load

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MODULES = {"pillow": "PIL", "scikit-learn": "sklearn", "pyyaml": "yaml"}  # where the name to import is another

HIDING = """
import sys

class Finder:
    finders = list(sys.meta_path)

    def find_spec(self, name, path=None, target=None):
        found = () if name.split(".")[0] in HIDDEN else (each.find_spec(name, path, target) for each in self.finders)
        return next(filter(None, found), None)

sys.meta_path[:] = [Finder()]
"""

CLONING = """
import pnc
import pnc.methods
from _tiny import OWLS, pictures, quick, samples, source_and_target
from pnc.base.train import Schedule
from pnc.cloning.local.neighbourhood import Neighbourhood

source, target = source_and_target()
settings = quick(inputs_per_epoch=16, schedule=Schedule(1, 16), neighbourhood=Neighbourhood(2, 3))
pnc.clone(source, target, samples(), OWLS, settings=settings, positions=[2]).save(sys.argv[1])
model = pnc.attach(target, source, pnc.ClonePackage.load(sys.argv[1]))
assert model(pictures(2)).shape == (2, 6)
assert model.detach() is target
assert pnc.methods.METHODS.names()
assert "digits" in __import__("pnc.data").data.SOURCES.names()
assert not HIDDEN & {name.split(".")[0] for name in sys.modules}
"""

LOADING = """
from pnc.base.errors import PncError
from pnc.data import DataSpec, SOURCES, load

for source in SOURCES.names():
    try:
        load(DataSpec(source, "mnist" if source == "torchvision" else None), "test", sys.argv[1])
    except PncError as error:
        print(error)
"""


def run(hidden: str, program: str, path: Path) -> subprocess.CompletedProcess[str]:
    """A Python without the modules ``hidden``, as if they were not installed."""
    places = f"sys.path[:0] = {[str(ROOT), str(ROOT / 'tests')]!r}"
    code = "\n".join([f"HIDDEN = {hidden}", HIDING, places, program])
    return subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)


def names(requirements: list[str]) -> set[str]:
    """Modules of the packages that ``requirements`` name."""
    packages = {re.split(r"[^\w-]", requirement)[0].lower() for requirement in requirements}
    return {MODULES.get(package, package) for package in packages - {"pnc"}}


def test_cloning_works_with_the_dependencies_alone(tmp_path: Path) -> None:
    extras = PROJECT["optional-dependencies"]
    hidden = names([*extras["data"], *extras["bench"]])
    assert {"pandas", "pyarrow", "PIL", "sklearn", "yaml", "dvc", "prefect"} <= hidden
    assert not hidden & names(PROJECT["dependencies"])
    done = run(repr(hidden), CLONING, tmp_path / "owls.pnc")
    assert done.returncode == 0, done.stderr


def test_a_source_whose_library_is_missing_says_what_to_install(tmp_path: Path) -> None:
    done = run("{'PIL', 'pyarrow', 'sklearn'}", LOADING, tmp_path)
    assert done.returncode == 0, done.stderr
    missing = {"digits": "sklearn", "folder": "PIL", "parquet": "pyarrow", "torchvision": "PIL"}
    assert done.stdout.splitlines() == [
        f"libraries of the source '{source}': expected those of pip install 'pnc[data]', found no module '{module}'"
        for source, module in missing.items()
    ]


def test_with_the_libraries_there_a_source_has_its_own_errors(tmp_path: Path) -> None:
    with pytest.raises(PncError, match="expected a folder 'test', found an empty folder"):
        load(DataSpec("folder"), "test", tmp_path)
