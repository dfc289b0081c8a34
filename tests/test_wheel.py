"""The wheel holds the library alone, and is enough beside the few libraries that it names."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_bytes
from importlib.metadata import distribution
from pathlib import Path

import pytest
from _paths import ROOT
from packaging.requirements import Requirement

pytestmark = pytest.mark.slow
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FOLDERS = ("pnc", "bench", "stages", "flows", "tests", "benchmarks", "examples")

CLONING = """
import importlib.util, sys
from pathlib import Path
import torch
import pnc

assert Path(sys.prefix) in Path(pnc.__file__).parents, pnc.__file__
absent = ("bench", "stages", "flows", "pandas", "dvc", "sklearn", "onnx", "timm", "pytest")
assert not any(importlib.util.find_spec(name) for name in absent)
torch.manual_seed(0)
specs = [pnc.NetworkSpec("lenet5", names, (0.5,), (0.25,), width=0.25) for names in (("a", "b", "c"), ("d", "e"))]
target, source = map(pnc.build, specs)
settings = {"neighbourhood": {"masks": 8}, "inputs_per_epoch": 32, "start_inputs": 16, "held_out_inputs": 16}
settings |= {"schedule": {"epochs": 1, "batch": 32}, "insert": {"epochs": 1, "batch": 32}}
samples = [(torch.rand(8, 1, 32, 32), torch.ones(8))]
pnc.clone(source, target, samples, ["e"], settings=settings, positions=[2]).save("e.pnc")
cloned = pnc.attach(target, source, "e.pnc")
x = torch.rand(2, 1, 32, 32)
assert torch.equal(cloned(x)[:, :3], target(x)) and cloned.classes == ("a", "b", "c", "e")
cloned.export("e.safetensors", x)
assert (pnc.load_exported("e.safetensors")(x) - cloned(x)).abs().max() < 1e-5
assert cloned.detach() is target
print(pnc.__version__)
"""


def called(*command: object, folder: Path) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, as a build leaves files in the folder that it builds from."""
    folder = tmp_path_factory.mktemp("project")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder / "made")
    called(sys.executable, "-m", "pip", "wheel", *options, ".", folder=folder)
    (path,) = (folder / "made").iterdir()
    return path


def test_the_wheel_holds_the_library_its_types_and_its_licence_alone(wheel: Path) -> None:
    name = f"pnc-{PROJECT['version']}"
    assert wheel.name == f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        found = set(archive.namelist())
    about = {path for path in found if path.startswith(f"{name}.dist-info/")}
    assert f"{name}.dist-info/licenses/LICENSE" in about
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "pnc").rglob("*.py")}
    assert found - about == modules | {"pnc/py.typed"}


def test_the_wheel_asks_for_no_more_than_the_project_says(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        facts = message_from_bytes(archive.read(f"pnc-{PROJECT['version']}.dist-info/METADATA"))
    asked = [Requirement(line) for line in facts.get_all("Requires-Dist", [])]
    assert {str(each) for each in asked if each.marker is None} == {
        str(Requirement(line)) for line in PROJECT["dependencies"]
    }
    assert all("extra" in str(each.marker) for each in asked if each.marker is not None)


def test_the_wheel_clones_in_a_fresh_environment(wheel: Path, tmp_path: Path) -> None:
    """Beside it lie the libraries that it asks for and those that they ask for: links, as nothing is downloaded."""
    called(sys.executable, "-m", "venv", "--without-pip", "fresh", folder=tmp_path)
    python = tmp_path / "fresh" / "bin" / "python"
    (packages,) = (tmp_path / "fresh").glob("lib/python*/site-packages")
    for name in needed(PROJECT["dependencies"]):
        link(name, packages)
    options = ("--no-deps", "--no-index", "--no-compile")
    called(sys.executable, "-m", "pip", "--python", python, "install", *options, wheel, folder=tmp_path)
    assert called(python, "-I", "-W", "ignore", "-c", CLONING, folder=tmp_path).strip() == PROJECT["version"]


def needed(requirements: list[str]) -> set[str]:
    """The distributions that ``requirements`` name, and all that these need here."""
    found: set[str] = set()
    waiting = list(requirements)
    while waiting:
        requirement = Requirement(waiting.pop())
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if name not in found and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            found.add(name)
            waiting += distribution(name).requires or []
    return found


def link(name: str, packages: Path) -> None:
    """All of a distribution's files and folders, as links in ``packages``."""
    installed = distribution(name)
    for top in {path.parts[0] for path in installed.files or [] if ".." not in path.parts}:
        place = packages / top
        if top != "__pycache__" and not place.exists():
            place.symlink_to(installed.locate_file(top))
