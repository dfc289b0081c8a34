"""docs/zoo.md to the letter: its program, then its commands, in order."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from _paths import ROOT

from pnc.commands import main

pytestmark = pytest.mark.slow

TEXT = (ROOT / "docs" / "zoo.md").read_text()
BOTH = ["--target", "zoo:low@zoo", "--source", "zoo:high@zoo"]


def block(kind: str) -> str:
    """The first code block of a kind."""
    found = re.search(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    return found[1]


def right(said: str) -> float:
    """Per cent, every class weighing the same, as ``pnc evaluate`` prints it."""
    return float(said.split("\n  all ")[1].split()[1])


def test_the_commands_of_the_document_do_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(block("python"), "docs/zoo.md", "exec"), {})
    lines = [line.removeprefix("$ ") for line in block("console").splitlines()]
    assert sum(line.startswith("pnc ") for line in lines) == 10
    said = {}
    for line in lines:
        if line.startswith("pnc "):
            assert main(shlex.split(line)[1:]) == 0, line
        else:
            subprocess.run(line, shell=True, check=True)
        said[" ".join(line.split()[:2])] = capsys.readouterr().out
    assert "damaged: A.weight, F_c.bias, F_c.weight\n" in said["pnc repair"]
    assert "five-seven" not in said["pnc zoo"]
    assert main(["evaluate", "both.json", "pictures/test"]) == 2
    assert "expected the file that was attached, found no file" in capsys.readouterr().err
    assert main(["attach", *BOTH, "--package", "repaired.pnc", "--out", "again.json"]) == 0
    assert main(["evaluate", "again.json", "pictures/test"]) == 0
    assert right(capsys.readouterr().out) > right(said["pnc evaluate"]) - 3 > 85
