"""From made-up score files to cells and back, and where the numbers say they come from."""

import csv
import json
import os
import random
import re
import subprocess
import tempfile
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from _paths import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.report import paper, provenance
from bench.report.cells import COLUMNS, aggregate, read_cells, read_scores, settings_of, write_cells
from pnc.base.errors import PncError

PAPER = paper.load(ROOT / "paper")
SETTINGS = {"epochs": 3, "data": {"share": 0.1}}
NETWORKS = {"dataset": "mnist", "source": "lenet5", "target": "lenet5"}


def score(**changes: Any) -> dict[str, Any]:
    common = {"table": "T1", "row": "PNC (full)", "scale": "S", "regime": "strict", "metric": "avg"}
    return common | {"seed": 0, "value": 50.0} | changes


def write(path: Path, *scores: dict[str, Any], **changes: Any) -> Path:
    content = {"scores": list(scores), "settings": SETTINGS, "device": "a made-up machine"}
    path.write_text(json.dumps(content | changes))
    return path


def cells_of(*files: Path, **changes: str) -> pd.DataFrame:
    return aggregate(read_scores(files), paper=PAPER, **(NETWORKS | changes))


def one(cells: pd.DataFrame, **wanted: str) -> dict[Hashable, Any]:
    """The only cell with these texts."""
    for name, text in wanted.items():
        cells = cells[cells[name] == text]
    assert len(cells) == 1
    return cells.to_dict("records")[0]


# Aggregation


def test_cells_are_written_as_agreed(tmp_path: Path) -> None:
    scores = [score(seed=seed, value=value) for seed, value in enumerate((90.0, 91.0, 92.005))]
    losses = [score(table="R", row="PNC R=1", metric="loss", seed=seed, value=0.12344 + seed) for seed in (0, 1)]
    files = [write(tmp_path / "a.json", *scores[:2], *losses), write(tmp_path / "b.json", scores[2])]
    write_cells(tmp_path / "cells.csv", cells_of(*files, dataset="digits"))
    digest = provenance.settings_hash(SETTINGS)
    assert (tmp_path / "cells.csv").read_text() == (
        "table,row,dataset,source,target,scale,regime,metric,mean,std,seeds,paper,quoted,device,settings\n"
        f"R,PNC R=1,digits,lenet5,lenet5,S,strict,loss,0.6234,0.7071,2,,false,a made-up machine,{digest}\n"
        f"T1,PNC (full),digits,lenet5,lenet5,S,strict,avg,91.0,1.0,3,,false,a made-up machine,{digest}\n"
    )


@settings(max_examples=25)
@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["Continual", "PNC (full)", "ours"]), st.sampled_from("SM")),
        st.lists(st.floats(0, 100), min_size=1, max_size=6),
        min_size=1,
    ),
    st.randoms(use_true_random=False),
)
def test_mean_and_std_are_numpys_in_any_order(
    values: dict[tuple[str, str], list[float]], shuffled: random.Random
) -> None:
    scores = [
        score(row=row, scale=scale, seed=seed, value=value)
        for (row, scale), numbers in values.items()
        for seed, value in enumerate(numbers)
    ]
    with tempfile.TemporaryDirectory() as folder:
        cells = cells_of(write(Path(folder) / "all.json", *scores))
        for (row, scale), numbers in values.items():
            cell = one(cells, row=row, scale=scale, metric="avg", regime="strict")
            assert cell["mean"] == pytest.approx(np.mean(numbers), abs=0.00501)
            spread = np.std(numbers, ddof=1) if len(numbers) > 1 else np.nan
            assert cell["std"] == pytest.approx(spread, abs=0.00501, nan_ok=True)
            assert cell["seeds"] == len(numbers)
        shuffled.shuffle(scores)
        files = [write(Path(folder) / f"{number}.json", each) for number, each in enumerate(scores)]
        pd.testing.assert_frame_equal(cells_of(*files), cells)
        write_cells(Path(folder) / "cells.csv", cells)
        pd.testing.assert_frame_equal(read_cells(Path(folder) / "cells.csv"), cells)


def test_the_paper_stands_beside_ours_in_both_regimes(tmp_path: Path) -> None:
    cells = cells_of(write(tmp_path / "a.json", score(regime="strict"), score(regime="rehearsal")))
    for regime in ("strict", "rehearsal"):
        assert one(cells, row="PNC (full)", scale="S", metric="avg", regime=regime)["paper"] == 97.0


def test_what_only_the_paper_has_is_quoted(tmp_path: Path) -> None:
    """One metric of one row was measured; all else of the paper's 66 cells is quoted, in that row's regime."""
    cells = cells_of(write(tmp_path / "a.json", score()))
    quoted = cells[cells["quoted"]]
    assert len(quoted) == 66 - 1
    assert quoted[["mean", "std"]].isna().all(axis=None)
    assert quoted["paper"].notna().all()
    assert set(quoted["seeds"]) == {0}
    assert set(quoted["settings"]) == set(quoted["device"]) == {""}
    assert one(quoted, row="Continual", scale="M", metric="tar")["paper"] == 98.8
    assert set(quoted.loc[quoted["row"] == "PNC (full)", "regime"]) == {"strict"}
    assert set(quoted.loc[quoted["row"] == "PNC (w/o Local)", "regime"]) == {""}


@pytest.mark.parametrize("changes", [{"dataset": "digits"}, {"target": "resnet18"}])
def test_other_data_or_networks_are_not_the_papers(tmp_path: Path, changes: dict[str, str]) -> None:
    cells = cells_of(write(tmp_path / "a.json", score()), **changes)
    assert len(cells) == 1
    assert np.isnan(one(cells, row="PNC (full)")["paper"])


def test_tables_that_were_not_measured_are_not_quoted(tmp_path: Path) -> None:
    one_function = score(table="S4", row="1", scale="", regime="")
    cells = cells_of(
        write(tmp_path / "a.json", one_function), dataset="cifar10", source="resnet18", target="resnet18"
    )
    assert set(cells["table"]) == {"S4"}
    assert len(cells) == 15


def test_a_network_that_the_paper_does_not_name_is_any(tmp_path: Path) -> None:
    lwf = score(table="T3", row="LwF", scale="", regime="", metric="acc_s5")
    cells = cells_of(write(tmp_path / "a.json", lwf), dataset="cifar100", source="resnet18", target="resnet18")
    assert one(cells, row="LwF", metric="acc_s5")["paper"] == 29.5


def test_seeds_measured_on_two_devices_name_both(tmp_path: Path) -> None:
    cpu = write(tmp_path / "a.json", score(seed=0), device="CPU")
    gpu = write(tmp_path / "b.json", score(seed=1), device="an accelerator")
    assert one(cells_of(gpu, cpu, dataset="digits"), row="PNC (full)")["device"] == "CPU; an accelerator"


def test_every_score_keeps_its_own_settings(tmp_path: Path) -> None:
    slow, fast = {"epochs": 9}, {"epochs": 1}
    files = [
        write(tmp_path / "a.json", score(row="Continual"), settings=slow),
        write(tmp_path / "b.json", score(row="PNC (full)"), settings=fast),
    ]
    scores = read_scores(files)
    assert settings_of(scores) == [fast, slow]
    cells = aggregate(scores, paper=PAPER, **(NETWORKS | {"dataset": "digits"}))
    assert one(cells, row="Continual")["settings"] == provenance.settings_hash(slow)
    assert one(cells, row="PNC (full)")["settings"] == provenance.settings_hash(fast)


def test_seeds_under_different_settings_make_no_mean(tmp_path: Path) -> None:
    files = [write(tmp_path / f"{seed}.json", score(seed=seed), settings={"epochs": seed}) for seed in (1, 2)]
    with pytest.raises(PncError, match=r"row 'PNC \(full\)'.* the same for every seed.*1\.json.*2\.json"):
        cells_of(*files)


# What read_scores refuses


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"table": "T9"}, "table: expected one of .*'T1'.* found 'T9'"),
        ({"row": ""}, "row: expected a name, found ''"),
        ({"row": 3}, "row: expected str, found 3"),
        ({"scale": "L"}, "scale: expected one of .* found 'L'"),
        ({"regime": "lax"}, "regime: expected one of .* found 'lax'"),
        ({"metric": "acc"}, "metric: expected one of .*'avg'.* found 'acc'"),
        ({"seed": -1}, "seed: expected 0 or more, found -1"),
        ({"seed": "0"}, "seed: expected int, found '0'"),
        ({"seed": True}, "seed: expected int, found True"),
        ({"value": "97"}, "value: expected int or float, found '97'"),
        ({"value": float("nan")}, "avg: expected a finite number from 0 to 100, found nan"),
        ({"value": 100.5}, "avg: expected a finite number from 0 to 100, found 100.5"),
        ({"value": -0.1}, "avg: expected .* found -0.1"),
        ({"metric": "loss", "value": float("inf")}, "loss: expected a finite number .* found inf"),
        ({"metric": "package_bytes", "value": -1}, "package_bytes: expected .* found -1"),
        ({"colour": "red"}, "expected the keys .* found .*'colour'"),
    ],
)
def test_a_bad_score_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "a.json", score(seed=4), score(**changes))
    with pytest.raises(PncError, match=message) as caught:
        read_scores([path])
    assert str(caught.value).startswith(f"{path}, score 2")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "expected a JSON file, found damaged text"),
        ("[]", "expected the keys .*, found list"),
        ('{"scores": [], "settings": {}}', "expected the keys .*'device'"),
        ('{"scores": {}, "settings": {}, "device": "CPU"}', "scores: expected list"),
        ('{"scores": [], "settings": null, "device": "CPU"}', "settings: expected dict, found None"),
        ('{"scores": [1], "settings": {}, "device": "CPU"}', "score 1: expected the keys .*, found int"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(PncError, match=f"{re.escape(str(path))}.*{message}"):
        read_scores([path])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PncError, match=r"gone\.json: expected a JSON file, found no file"):
        read_scores([tmp_path / "gone.json"])


@pytest.mark.parametrize("scores", [[], [[]]])
def test_no_scores_at_all_are_refused(tmp_path: Path, scores: list[list[dict[str, Any]]]) -> None:
    with pytest.raises(PncError, match="score files: expected at least one, found none"):
        read_scores([write(tmp_path / "a.json", *each) for each in scores])


def test_a_score_given_twice_names_both_files(tmp_path: Path) -> None:
    files = [write(tmp_path / "a.json", score()), write(tmp_path / "b.json", score(seed=1), score(value=51))]
    with pytest.raises(
        PncError, match=r"b\.json, table 'T1'.*seed 0: expected a new score, found one of .*a\.json again"
    ):
        read_scores(files)


# What read_cells refuses


@pytest.mark.parametrize(
    ("column", "text", "message"),
    [
        ("table", "T9", "table: expected one of"),
        ("scale", "L", "scale: expected one of"),
        ("regime", "lax", "regime: expected one of"),
        ("metric", "acc", "metric: expected one of"),
        ("row", "", "row: expected a name"),
        ("mean", "high", "mean: expected a number or nothing, found 'high'"),
        ("std", "inf", "std: expected a number or nothing, found 'inf'"),
        ("paper", "nan", "paper: expected a number or nothing, found 'nan'"),
        ("seeds", "1.5", "seeds: expected a whole number, found '1.5'"),
        ("quoted", "no", "quoted: expected true or false, found 'no'"),
        ("quoted", "true", "expected a mean over seeds where it is not quoted"),
        ("seeds", "0", "expected a mean over seeds where it is not quoted"),
        ("mean", "", "expected a mean over seeds where it is not quoted"),
    ],
)
def test_a_bad_cell_is_named(tmp_path: Path, column: str, text: str, message: str) -> None:
    path = tmp_path / "cells.csv"
    good = "T1,{row},mnist,a,b,S,strict,avg,97.1,0.3,3,,false,CPU,00"
    bad = next(csv.DictReader([",".join(COLUMNS), good.format(row="PNC")])) | {column: text}
    path.write_text("\n".join([",".join(COLUMNS), good.format(row="Continual"), ",".join(bad.values())]))
    with pytest.raises(PncError, match=rf"cells\.csv row 3.*{message}"):
        read_cells(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"cells\.csv row 1: expected the columns table,.*, found nothing"),
        (b"table,row\n", r"cells\.csv row 1: expected the columns table,.*, found table,row"),
        (",".join(COLUMNS).encode() + b"\nT1,PNC\n", r"cells\.csv row 2: expected 15 fields, found 2"),
        (b"\xff\xfe", r"cells\.csv: expected comma-separated text, found damaged text"),
    ],
)
def test_a_damaged_table_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "cells.csv"
    path.write_bytes(content)
    with pytest.raises(PncError, match=message):
        read_cells(path)


def test_missing_cells_are_named(tmp_path: Path) -> None:
    with pytest.raises(PncError, match=r"cells\.csv: expected a table of cells, found no file"):
        read_cells(tmp_path / "cells.csv")


def test_a_cell_given_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cells.csv"
    write_cells(path, cells_of(write(tmp_path / "a.json", score()), dataset="digits"))
    path.write_text(path.read_text() + path.read_text().splitlines()[1])
    with pytest.raises(PncError, match=r"row 3: expected a cell of its own, found that of .*row 2 again"):
        read_cells(path)


# Provenance


def test_versions_are_those_installed() -> None:
    found = provenance.versions()
    assert found["numpy"] == np.__version__
    assert found["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
    assert set(found) == {"python", "numpy", "torch"}


def test_a_hash_depends_on_settings_and_torch_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def digest(torch: str, numpy: str, **changes: Any) -> str:
        monkeypatch.setattr(provenance, "version", {"torch": torch, "numpy": numpy}.__getitem__)
        return provenance.settings_hash({"a": 1, "b": {"c": [1, 2.5], "d": None}} | changes)

    first = digest("2.14.1", "2.4")
    assert re.fullmatch("[0-9a-f]{12}", first)
    assert digest("2.14.1", "2.4", b={"d": None, "c": [1, 2.5]}) == first
    assert digest("2.14.1+cpu", "2.3") == first
    assert digest("2.14.2", "2.4") != first
    assert digest("2.14.1", "2.4", a=2) != first


def test_settings_that_json_lacks_are_refused() -> None:
    with pytest.raises(PncError, match="settings: expected plain values"):
        provenance.settings_hash({"where": Path()})
    with pytest.raises(PncError, match="settings: expected plain values"):
        provenance.settings_hash({"share": float("nan")})


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
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def save(root: Path) -> str:
    git(root, "add", "--all")
    git(root, "-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "--quiet", "--message=test")
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


@pytest.mark.parametrize("name", ["pnc/a.py", "pnc/new.py", "stages/new.py", "params.yaml"])
def test_uncommitted_code_is_dirty(repository: Path, name: str) -> None:
    (repository / name).parent.mkdir(exist_ok=True)
    (repository / name).write_text("a = 3\n")
    assert provenance.commit(repository).endswith("-dirty")


def test_without_a_repository_the_commit_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.commit(tmp_path) == "unknown"


def test_without_git_the_commit_is_unknown(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    assert provenance.commit(repository) == "unknown"


def test_settings_are_spelled_out_under_a_name_that_outlives_commits(repository: Path) -> None:
    path = provenance.write_settings(repository / "results", SETTINGS, repository)
    first = json.loads(path.read_text())
    assert path.name == f"{provenance.settings_hash(SETTINGS)}.json"
    assert first == {
        "settings": SETTINGS,
        "versions": provenance.versions(),
        "commit": git(repository, "rev-parse", "--short", "HEAD"),
    }
    (repository / "pnc" / "a.py").write_text("a = 2\n")
    later = save(repository)
    assert provenance.write_settings(repository / "results", SETTINGS, repository) == path
    assert json.loads(path.read_text()) == first | {"commit": later}


def test_a_device_is_model_and_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: Made Up 9000\n\nprocessor\t: 1\nmodel name\t: Made Up 9000\n")
    monkeypatch.setattr(provenance, "_CPU_INFO", info)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 3}, raising=False)
    assert provenance.device_name() == "Made Up 9000, 2 cores, CPU"
    assert provenance.device_name("Made Up GPU") == "Made Up 9000, 2 cores, Made Up GPU"
    info.unlink()
    monkeypatch.setattr("platform.processor", lambda: "x86_64")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0}, raising=False)
    assert provenance.device_name() == "x86_64, 1 core, CPU"


def test_experiments_that_differ_in_their_classes_are_averaged_for_each_seed(tmp_path: Path) -> None:
    files = []
    for number, values in enumerate(([90.0, 80.0], [70.0, 60.0])):
        scores = [score(scale=f"S{number}", value=value, seed=seed) for seed, value in enumerate(values)]
        files.append(write(tmp_path / f"S{number}.json", *scores, settings={"clone": 1, "classes": [number]}))
    found = read_scores(files)
    assert found[["scale", "seed", "value"]].to_numpy().tolist() == [["S", 0, 80.0], ["S", 1, 70.0]]
    assert settings_of(found) == [{"clone": 1, "classes": {"S0": [0], "S1": [1]}}]
    write(files[1], *scores, settings={"clone": 2, "classes": [1]})
    with pytest.raises(PncError, match=r"settings of .*: expected the same but for the classes, found .*S0"):
        read_scores(files)
