"""The stages of tables, one after the other, in a folder with made-up scores."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from _cells import MADE, SETTINGS, TABLE_1, score, write_scores
from _paths import ROOT

from bench.report.cells import read_cells
from bench.work.provenance import settings_hash
from pnc.base.errors import PncError
from stages import cells, figures, show, tables

POSITIONS = {
    "title": "Every position R",
    "scores": "main",
    "where": {"source": "new", "target": "old", "method": "pnc"},
    "columns": TABLE_1["columns"],
    "rows": {"PNC R=0": {"at": "0"}, "PNC R=1": {"at": "1"}},
    "metrics": {"": ["avg", "loss"]},
}
CLONES = {"source": ["new"], "target": ["old"], "task": ["S"], "regime": ["strict"]}
PARAMS = {
    "dataset": "mnist",
    "seeds": ["0_1"],
    "grids": {
        "main": {"source": ["new"], "target": ["old"], "task": ["S", "M"], "regime": ["strict"], "R": [1, 0]},
        "unmasked": {**CLONES, "variant": ["unmasked"]},
        "steps": {**CLONES, "variant": []},
        "baselines": {"source": ["new"], "target": ["old"], "task": ["S", "M"], "method": ["untrained"]},
        "rivals": {"source": [], "target": [], "task": [], "method": []},
        "pair_baselines": {"source": [], "target": [], "task": [], "method": []},
    },
    "variants": {"unmasked": {"clone": {"keep": 1.0}, "finetune": True}},
    "methods": {"untrained": {"pretrained": {}}},
    "sequences": {},
    "networks": {"old": {"arch": "lenet5"}, "new": {"arch": "lenet5"}, "unused": {"arch": "lenet5"}},
    "tasks": {"S": {"classes": [0]}, "M": {"classes": [0, 1, 2], "share": 0.1}},
}
SHOWN = {"tables": {"T1": TABLE_1, "positions": POSITIONS}, "figures": ["T1", "positions"]}
SCORES = Path("results/tiny/scores/main")


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A suite with scores for seeds 0 and 1; those of seed 7 linger."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    Path("paper").symlink_to(ROOT / "paper")
    params = Path("suites/tiny/params.yaml")
    params.parent.mkdir(parents=True)
    params.write_text(yaml.safe_dump(PARAMS, sort_keys=False))
    params.with_name("tables.yaml").write_text(yaml.safe_dump(SHOWN, sort_keys=False))
    scores = [
        score(metric=metric, task=task, at=at, seed=seed, value=value + seed)
        for metric, value in (("ori", 96.0), ("tar", 95.0), ("avg", 95.5), ("loss", 0.5))
        for task in "SM"
        for at in ("best", "0", "1")
        for seed in (0, 1)
    ]
    alone = [score(method="pretrained", at="", regime="", task=task, metric="ori", value=99.0) for task in "SM"]
    for task in "SM":
        own = [[each for each in group if each["task"] == task] for group in (scores, alone)]
        write_scores(SCORES / f"0_1/evaluate/new/old/{task}/strict.json", *own[0])
        write_scores(SCORES / f"0_1/baseline/untrained/new/old/{task}.json", *own[1])
    write_scores(SCORES / "7" / "evaluate.json", score(seed=7, value=1.0))
    return tmp_path


def run() -> None:
    for key in SHOWN["tables"]:
        cells.main(argparse.Namespace(suite="tiny", table=key))
    tables.main(argparse.Namespace(suite="tiny"))
    for key in SHOWN["figures"]:
        figures.main(argparse.Namespace(suite="tiny", table=key))


def test_from_scores_to_results(workplace: Path) -> None:
    run()
    parts, results = workplace / "artifacts/tiny/cells", workplace / "results/tiny"
    files = {str(path.relative_to(parts)) for path in parts.rglob("*.*")}
    each = ("behind.json", "cells.csv", "table.json")
    assert files == {f"{key}/{name}" for key in SHOWN["tables"] for name in each}
    first, *rest = [(parts / key / "cells.csv").read_text().splitlines() for key in SHOWN["tables"]]
    assert (results / "cells.csv").read_text().splitlines() == [*first, *(line for part in rest for line in part[1:])]
    found = read_cells(results / "cells.csv")
    assert set(found.loc[~found["quoted"], "seeds"]) == {1, 2}

    text = (results / "TABLES.md").read_text()
    assert "| PNC (full), strict | 96.5 ± 0.7 (96.4) | 95.5 ± 0.7 (99.7) | 96.0 ± 0.7 (97.0) |" in text
    assert "| PNC R=0, strict | 96.0 ± 0.7 | 1.000 ± 0.707 |" in text
    assert "- **Data and networks**: mnist; old (lenet5), new (lenet5).\n" in text
    assert (
        "- **Tasks**: how many of the source's classes are cloned: S: 1; M: 3, from 10 % of their pictures.\n" in text
    )
    assert "- The paper prints Avg 90.0 for T1, PNC-F (w/o Local), S; its Ori and Tar give 89.75.\n" in text
    assert "CIFAR" not in text and text.count("The paper prints Avg") == 1

    digest = settings_hash(SETTINGS, MADE["torch"])
    assert json.loads((results / "settings.json").read_text()) == {digest: {"settings": SETTINGS, "made": [MADE]}}
    metrics = json.loads((results / "metrics.json").read_text())
    assert metrics["T1"]["S"]["PNC (full), strict"] == {"ori": 96.5, "tar": 95.5, "avg": 96.0}
    assert (results / "plots" / "positions.csv").read_text().startswith("R,avg M strict,avg S strict,loss M strict")
    names = ["T1.png", "T1.svg", "positions.png", "positions.svg"]
    assert sorted(path.name for path in (results / "figures").iterdir()) == names


def test_the_same_scores_give_the_same_bytes(workplace: Path) -> None:
    def written() -> dict[Path, bytes]:
        folders = (workplace / "results", workplace / "artifacts/tiny/cells")
        found = (path for folder in folders for path in sorted(folder.rglob("*.*")))
        return {path: path.read_bytes() for path in found if "scores" not in path.parts}

    run()
    first = written()
    run()
    assert written() == first
    assert len(first) == 6 + 4 + 6  # results, figures, parts


def test_a_new_row_and_a_new_table_need_no_program(workplace: Path) -> None:
    params = Path("suites/tiny/tables.yaml")
    values = yaml.safe_load(params.read_text())
    values["tables"]["T1"]["rows"]["At R = 0"] = {"method": "pnc", "at": "0"}
    values["tables"]["mine"] = POSITIONS | {"title": "Mine", "rows": {"both": {"at": "1"}}, "metrics": {"": ["tar"]}}
    params.write_text(yaml.safe_dump(values, sort_keys=False))
    cells.main(argparse.Namespace(suite="tiny", table="mine"))
    run()
    text = Path("results/tiny/TABLES.md").read_text()
    assert "| At R = 0, strict | 96.5 ± 0.7 | 95.5 ± 0.7 | 96.0 ± 0.7 | 96.5 ± 0.7 |" in text
    assert (
        "## Mine\n\n|  | Tar-S | Tar-M |\n| --- | ---: | ---: |\n| both, strict | 95.5 ± 0.7 | 95.5 ± 0.7 |\n" in text
    )


def test_what_is_shown_fits_80_columns(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run()
    show.main(argparse.Namespace(suite="tiny", table="T1"))
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert "96.5±0.7 95.5±0.7 96.0±0.7 96.5±0.7 95.5±0.7 96.0±0.7" in shown
    said = " ".join(shown.split())
    assert (
        "Strict PNC (full), M: 96.5 % on the target's own classes, where the target alone has 99.0 %, and 95.5 % on "
        "3 new ones. All tables: results/tiny/TABLES.md "
        "Figure: results/tiny/figures/T1.svg, results/tiny/figures/T1.png"
    ) in said


def test_only_files_that_are_there_are_named(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cells.main(argparse.Namespace(suite="tiny", table="T1"))
    show.main(argparse.Namespace(suite="tiny", table="T1"))
    assert "results/" not in capsys.readouterr().out


def test_bad_scores_leave_the_old_cells(workplace: Path) -> None:
    run()
    before = Path("artifacts/tiny/cells/T1/cells.csv").read_bytes()
    (SCORES / "0_1/evaluate/new/old/S/strict.json").write_text("{}")
    said = r"strict\.json: .* anew: .* suites/tiny/dvc.yaml:evaluate@new-old-S-strict-0_1$"
    with pytest.raises(PncError, match=said):
        cells.main(argparse.Namespace(suite="tiny", table="T1"))
    assert Path("artifacts/tiny/cells/T1/cells.csv").read_bytes() == before


def test_what_is_missing_is_named_below_its_table_with_the_command_that_makes_it(workplace: Path) -> None:
    """The file of the unmasked clone; the linear probe is in no grid."""
    run()
    text = " ".join(Path("results/tiny/TABLES.md").read_text().split())
    command = "dvc repro suites/tiny/dvc.yaml:ablate_unmasked@main-unmasked-new-old-S-strict-0_1"
    assert f"- **Missing**: PNC (w/o Local), strict (S). `{command}` makes them." in text
    assert (
        "**Not measured**, as no grid asks for it: Continual (S); Continual (M); PNC (w/o Local) (M); Linear" in text
    )
    assert text.count("**Missing**") == text.count("**Not measured**") == 1


def test_a_missing_part_is_named(workplace: Path) -> None:
    run()
    Path("artifacts/tiny/cells/positions/cells.csv").unlink()
    with pytest.raises(PncError, match=r"cells/positions/cells\.csv: expected a table of cells, found no file"):
        tables.main(argparse.Namespace(suite="tiny"))


def test_a_table_that_the_suite_lacks_is_refused_in_one_line(workplace: Path) -> None:
    command = [sys.executable, "-m", "stages.show", "--suite", "tiny", "--table", "T9"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    refused = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "show: --table of the suite 'tiny': expected one of T1, positions, found 'T9'\n"


def test_tables_and_figures_need_no_torch_and_no_pyplot() -> None:
    """Torch takes seconds to load; pyplot is global state."""
    script = "import sys, stages.cells, stages.tables, stages.figures, stages.show; "
    script += "print({'torch', 'matplotlib.pyplot'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
