"""docs/timm.md to the letter: its stand-ins, its commands in one shell, its program."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from _pages import DOCS, blocks
from _paths import ROOT

pytestmark = pytest.mark.slow
COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)", re.MULTILINE)  # to the end of a line that no backslash ends


def run(command: list[str], folder: Path) -> str:
    """What the command printed, in a process of its own that knows where pnc lies."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_page_leads_from_two_timm_networks_to_an_onnx_file_that_answers(tmp_path: Path) -> None:
    page = list(blocks(DOCS / "timm.md"))
    stand_ins, use = (block.text for block in page if block.language == "python")
    install, *shown = (block.text for block in page if block.language == "console")
    assert "pip install" in install
    run([sys.executable, "-c", stand_ins], tmp_path)
    commands = [command for text in shown for command in COMMAND.findall(text)]
    said = run(["bash", "-ec", "\n".join([f'pnc() {{ "{sys.executable}" -m pnc "$@"; }}', *commands])], tmp_path)
    assert "drawn in seven.svg" in said and "classes  0, 1, 2, 3, 4, 7" in said
    (overall,) = re.findall(r"^  all +\d+ +([\d.]+)$", said, re.MULTILINE)
    assert float(overall) > 85
    printed = run([sys.executable, "-c", use], tmp_path)
    assert printed.strip() in ("0", "1", "2", "3", "4", "7")
