"""Every script in examples/ runs as it is, in a process of its own, and its clone works."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from _paths import ROOT

pytestmark = pytest.mark.slow

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
SCORES = re.compile(r"^Ori ([\d.]+) %, Tar ([\d.]+) %, Avg ([\d.]+) %, leak ([\d.]+) %", re.M)
REFUSED = re.compile(r"^refused: .*: expected a whole .*, found a damaged .*$", re.M)


def printed(example: Path, folder: Path) -> str:
    """What it prints, run in ``folder``, where it shall leave nothing."""
    done = subprocess.run([sys.executable, str(example)], capture_output=True, text=True, cwd=folder, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    assert not list(folder.iterdir())
    return done.stdout


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short_runs_and_prints_a_clone_that_works(example: Path, tmp_path: Path) -> None:
    if example.stem == "timm_networks":
        pytest.importorskip("timm")
    assert len(example.read_text().splitlines()) <= 60
    output = printed(example, tmp_path)
    rows = [[float(number) for number in row] for row in SCORES.findall(output)]
    assert rows, output
    for ori, tar, avg, leak in rows:
        assert min(ori, tar) > 60 and leak < 40, output  # chance is 17
        assert avg == pytest.approx((5 * ori + tar) / 6, abs=0.1)
    assert "bytes" in output
    if example.stem == "ship":
        assert len(REFUSED.findall(output)) == 2 and rows[0] == rows[1]
        assert "the target is the very same: True" in output


def test_the_page_lists_every_example_and_no_other() -> None:
    page = (ROOT / "examples" / "README.md").read_text()
    listed = set(re.findall(r"\]\(([^)]+)\)", page))
    assert listed == {path.name for path in (ROOT / "examples").iterdir()} - {"README.md", "__pycache__"}
