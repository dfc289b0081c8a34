"""Where the numbers say they come from."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from _paths import ROOT

from bench.work import provenance
from pnc.base.errors import PncError


def test_what_a_number_was_made_with(repository: Path) -> None:
    found = provenance.made(repository)
    assert tuple(found) == provenance.MADE
    assert found["commit"] == git(repository, "rev-parse", "--short", "HEAD")
    assert (found["numpy"], found["torch"]) == (np.__version__, torch.__version__)
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert all(type(text) is str for text in found.values())
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    assert found["device"].endswith(f" threads, {gpu}")


def test_a_hash_depends_on_settings_and_torchs_public_version_alone() -> None:
    settings = {"a": 1, "b": {"c": [1, 2.5], "d": None}}
    first = provenance.settings_hash(settings, "2.14.1")
    assert re.fullmatch("[0-9a-f]{12}", first)
    assert provenance.settings_hash({"b": {"d": None, "c": [1, 2.5]}, "a": 1}, "2.14.1+cpu") == first
    assert provenance.settings_hash(settings, "2.14.2") != first
    assert provenance.settings_hash(settings | {"a": 2}, "2.14.1") != first


def test_settings_that_json_lacks_are_refused() -> None:
    for settings in ({"where": Path()}, {"share": float("nan")}):
        with pytest.raises(PncError, match="settings: expected plain values"):
            provenance.settings_hash(settings, "2.14.1")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose one commit holds pnc/a.py and params.yaml."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    (tmp_path / "pnc").mkdir()
    (tmp_path / "pnc" / "a.py").write_text("a = 1\n")
    (tmp_path / "params.yaml").write_text("a: 1\n")
    git(tmp_path, "init", "--quiet")
    save(tmp_path)
    return tmp_path


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def save(root: Path) -> str:
    git(root, "add", "--all")
    git(root, "-c", "user.name=Test", "-c", "user.email=test@example.com", "commit", "--quiet", "--message=test")
    return git(root, "rev-parse", "--short", "HEAD")


def test_the_commit_is_the_last_that_touched_the_code(repository: Path) -> None:
    first = git(repository, "rev-parse", "--short", "HEAD")
    assert provenance.commit(repository) == first
    (repository / "README.md").write_text("read me\n")
    assert provenance.commit(repository) == first
    save(repository)
    assert provenance.commit(repository) == first
    (repository / "params.yaml").write_text("a: 2\n")
    assert provenance.commit(repository) == f"{first}-dirty"
    second = save(repository)
    assert provenance.commit(repository) == second != first


@pytest.mark.parametrize(
    "name",
    ["pnc/a.py", "pnc/new.py", "stages/new.py", "bench/work/new.py", "params.yaml", "suites/mnist/params.yaml"],
)
def test_uncommitted_code_is_dirty(repository: Path, name: str) -> None:
    (repository / name).parent.mkdir(exist_ok=True, parents=True)
    (repository / name).write_text("a = 3\n")
    assert provenance.commit(repository).endswith("-dirty")


@pytest.mark.parametrize("name", ["suites/mnist/dvc.lock", "bench/report/new.py", "results/digits/cells.csv"])
def test_what_changes_no_measured_number_is_not(repository: Path, name: str) -> None:
    before = provenance.commit(repository)
    (repository / name).parent.mkdir(exist_ok=True, parents=True)
    (repository / name).write_text("a: 3\n")
    assert provenance.commit(repository) == before
    save(repository)
    assert provenance.commit(repository) == before


def test_without_a_repository_the_commit_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.commit(tmp_path) == "unknown"


def test_without_git_the_commit_is_unknown(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    assert provenance.commit(repository) == "unknown"


def test_a_device_is_model_instructions_and_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: Made Up 9000\n\nprocessor\t: 1\nmodel name\t: Made Up 9000\n")
    monkeypatch.setattr(provenance, "_CPU_INFO", info)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True, raising=False)
    assert provenance.device_name() == "Made Up 9000 (AVX512, BF16, AMX), 2 threads, CPU"
    assert provenance.device_name("Made Up GPU") == "Made Up 9000 (AVX512, BF16, AMX), 2 threads, Made Up GPU"
    info.unlink()
    monkeypatch.setattr("platform.processor", lambda: "x86_64")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.delattr(torch.cpu, "_is_amx_tile_supported")
    assert provenance.device_name() == "x86_64 (AVX512), 1 thread, CPU"


def test_without_a_number_to_make_torch_is_not_loaded() -> None:
    check = "import sys, bench.work.provenance; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT).returncode == 0
