"""docs/zoo.md to the letter: its program, then its commands, in order."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from _paths import ROOT

from pnc.commands import main

TEXT = (ROOT / "docs" / "zoo.md").read_text()
REFUSED = "both.json"  # what the last command is about: its clone was revoked


def test_the_commands_of_the_document_do_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    program, commands = (re.search(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL)[1] for kind in ("python", "console"))  # type: ignore[index]
    exec(compile(program, "docs/zoo.md", "exec"), {})
    lines = [line.removeprefix("$ ") for line in commands.splitlines() if line.startswith("$ ")]
    assert sum(line.startswith("pnc") for line in lines) == 10
    for line in lines:
        print(f"$ {line}")
        words = shlex.split(line, comments=True)
        if words[0] == "pnc":
            assert main(words[1:]) == 0, line
        else:
            subprocess.run(line, shell=True, check=True)
    said = capsys.readouterr().out
    Path("/tmp/w/h/zoo_docs.txt").write_text(said)
    assert "F_c.weight" in said.split("damaged: ")[1].splitlines()[0]
    assert main(["evaluate", "both.json", "pictures/test"]) == 2
    assert "expected the file that was attached, found no file" in capsys.readouterr().err
