"""A clone of a project that was measured elsewhere: code, dvc.lock and scores are there, artefacts are not."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from _flow import Flow, environment

from flows._graph import read_graph

__all__ = ["environment"]  # a fixture

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # in DVC

# As the benchmark's: `clone` leaves an artefact and a score, `rival` a score alone, `both` reads two folders that
# several stages write into, and `table` reads all scores.
GRAPH = """
stages:
  data: {cmd: mkdir -p made && cat given > made/data, deps: [given], outs: [made/data]}
  network:
    matrix: {network: [old, new], seeds: "${seeds}"}
    cmd: >-
      mkdir -p made/${item.seeds}/networks &&
      cat made/data train.sh > made/${item.seeds}/networks/${item.network}
    deps: [train.sh, made/data]
    outs: ["made/${item.seeds}/networks/${item.network}"]
  clone:
    matrix: {variant: "${variants}", seeds: "${seeds}"}
    cmd: >-
      mkdir -p made/${item.seeds}/clones scores/${item.seeds} &&
      cat clone.sh made/${item.seeds}/networks/new > made/${item.seeds}/clones/${item.variant} &&
      wc -c < made/${item.seeds}/clones/${item.variant} > scores/${item.seeds}/${item.variant}
    deps: [clone.sh, "made/${item.seeds}/networks/new"]
    outs:
      - made/${item.seeds}/clones/${item.variant}
      - scores/${item.seeds}/${item.variant}: {cache: false}
  rival:
    matrix: {seeds: "${seeds}"}
    cmd: >-
      mkdir -p scores/${item.seeds} &&
      cat rival.sh made/${item.seeds}/networks/old | wc -c > scores/${item.seeds}/rival
    deps: [rival.sh, "made/${item.seeds}/networks/old"]
    outs: ["scores/${item.seeds}/rival": {cache: false}]
  both:
    matrix: {seeds: "${seeds}"}
    cmd: >-
      mkdir -p scores/${item.seeds} &&
      cat both.sh made/${item.seeds}/networks/* made/${item.seeds}/clones/* | wc -c > scores/${item.seeds}/both
    deps: [both.sh, "made/${item.seeds}/networks", "made/${item.seeds}/clones"]
    outs: ["scores/${item.seeds}/both": {cache: false}]
  table: {cmd: "cat scores/*/* > table", deps: [scores], outs: [table: {cache: false}]}
"""
PARAMS = "seeds: [{seeds}]\nvariants: [{variants}]\n"
RIVAL_DEPS = 'deps: [rival.sh, "made/${item.seeds}/networks/old"'
RIVAL_OUTS = 'outs: ["scores/${item.seeds}/rival": {cache: false}'
CODE = ("given", "train.sh", "clone.sh", "rival.sh", "both.sh")
IN_GIT = ("dvc.yaml", "params.yaml", "dvc.lock", *CODE, "scores", "table")
NETWORKS = {"data", "network@old-s1", "network@new-s1"}
CLONES = {"clone@usual-s1", "clone@wide-s1"}
ALL = NETWORKS | CLONES | {"rival@s1", "both@s1", "table"}


@pytest.fixture(scope="module")
def measured(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Flow:
    """The project where everything was run."""
    flow = Flow.make(tmp_path_factory.mktemp("measured"), GRAPH, environment)
    for name in CODE:
        (flow.folder / name).write_text(f"{name}\n")
    set_up(flow.folder, seeds="s1", variants="usual, wide")
    flow.repro()
    return flow


@pytest.fixture
def clone(measured: Flow, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flow:
    """Another folder with what git would have of it, and no cache."""
    flow = Flow.make(tmp_path / "clone", GRAPH, environment)
    for name in IN_GIT:
        copy(measured, flow, name)
    monkeypatch.chdir(flow.folder)
    return flow


def set_up(folder: Path, seeds: str, variants: str) -> None:
    (folder / "params.yaml").write_text(PARAMS.format(seeds=seeds, variants=variants))


def copy(measured: Flow, clone: Flow, name: str) -> None:
    source, target = measured.folder / name, clone.folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    (shutil.copytree if source.is_dir() else shutil.copy)(source, target)


def to_run(*targets: str, allow_missing: bool = True) -> set[str]:
    return {name for name, stage in read_graph(targets, allow_missing).items() if not stage.clean}


# The flow as a command


def test_nothing_runs_where_only_what_is_in_git_is_there(clone: Flow) -> None:
    before = contents(clone.folder)
    assert clone.run("--allow-missing") == (0, "8 Cached\n")
    assert clone.run("table", "--allow-missing") == (0, "8 Cached\n")
    assert contents(clone.folder) == before
    assert to_run(allow_missing=False) == ALL


def test_without_the_option_what_the_cache_has_is_brought_back_too(measured: Flow, clone: Flow) -> None:
    copy(measured, clone, ".dvc/cache")
    assert to_run(allow_missing=False) == ALL
    assert to_run() == set()


def test_another_group_of_seeds_runs_on_its_own_and_gives_what_the_whole_gives(measured: Flow, clone: Flow) -> None:
    set_up(clone.folder, seeds="s1, s2", variants="usual, wide")
    status, output = clone.run("--allow-missing")
    assert status == 0, output
    assert outcomes(clone, "everything") == {
        **dict.fromkeys(ALL, "Cached"),
        **dict.fromkeys(("data", "table"), "Ran"),
        **dict.fromkeys((name.replace("s1", "s2") for name in ALL - {"data", "table"}), "Ran"),
    }
    assert not (clone.folder / "made/s1").exists()
    assert (clone.folder / "table").read_text() == (measured.folder / "table").read_text() * 2
    assert clone.run("--allow-missing") == (0, "14 Cached\n")


def test_a_variant_runs_with_the_missing_that_it_needs_and_no_others(clone: Flow) -> None:
    set_up(clone.folder, seeds="s1", variants="usual, wide, narrow")
    status, output = clone.run("clone", "--allow-missing")
    assert status == 0, output
    ran = {name for name, outcome in outcomes(clone, "clone").items() if outcome == "Ran"}
    # Both clones are targets whose artefacts are not there; the old network is nobody's.
    assert ran == {"data", "network@new-s1", "clone@usual-s1", "clone@wide-s1", "clone@narrow-s1"}
    assert [path.name for path in (clone.folder / "made/s1/networks").iterdir()] == ["new"]


def outcomes(flow: Flow, run: str) -> dict[str, str]:
    tasks = flow.tasks(flow.last_run(run))
    return {name: task["state_name"] for name, task in tasks.items()}


def contents(folder: Path) -> dict[str, str]:
    """Of the files that are not DVC's own."""
    files = [path for path in folder.rglob("*") if path.is_file() and ".dvc" not in path.parts]
    return {str(path.relative_to(folder)): path.read_text() for path in files}


# What has to run, and what that needs


def test_a_variant_alone_needs_its_network_and_the_pictures(clone: Flow) -> None:
    set_up(clone.folder, seeds="s1", variants="usual, wide, narrow")
    assert to_run("clone@narrow-s1") == {"data", "network@new-s1", "clone@narrow-s1"}


def test_what_is_there_is_not_made_again(measured: Flow, clone: Flow) -> None:
    set_up(clone.folder, seeds="s1", variants="usual, wide, narrow")
    copy(measured, clone, "made/s1/networks/new")
    assert to_run("clone@narrow-s1") == {"clone@narrow-s1"}


def test_a_reader_of_a_folder_that_a_new_stage_writes_into_needs_all_of_the_folder(clone: Flow) -> None:
    set_up(clone.folder, seeds="s1", variants="usual, wide, narrow")
    assert to_run("both") == NETWORKS | CLONES | {"clone@narrow-s1", "both@s1"}


@pytest.mark.parametrize(
    ("file", "run"),
    [
        ("rival.sh", {"data", "network@old-s1", "rival@s1", "table"}),
        ("clone.sh", ALL - {"rival@s1"}),
        ("both.sh", ALL - {"rival@s1"}),
        ("train.sh", ALL),
    ],
)
def test_a_change_of_code_runs_what_depends_on_it_and_what_that_needs(clone: Flow, file: str, run: set[str]) -> None:
    (clone.folder / file).write_text("another\n")
    assert to_run() == run


def test_a_changed_command_runs(clone: Flow) -> None:
    (clone.folder / "dvc.yaml").write_text(GRAPH.replace("cat scores/*/*", "cat scores/s1/*"))
    assert to_run() == {"table"}


def test_a_named_stage_has_its_outputs_made_if_they_are_not_there(measured: Flow, clone: Flow) -> None:
    assert to_run("network@old-s1") == {"data", "network@old-s1"}
    assert to_run("both", "table") == set()
    copy(measured, clone, "made/s1/networks")
    assert to_run("network") == set()
    assert to_run("clone@wide-s1") == {"clone@wide-s1"}
    (clone.folder / "scores/s1/both").unlink()
    assert to_run("both") == CLONES | {"both@s1"}
    assert to_run("table") == set()


def test_a_stage_that_never_ran_is_not_a_missing_one(clone: Flow) -> None:
    """All that it reads and writes is absent, as of a missing one, and its command is not another than before."""
    stages = "  never: {cmd: cp made/s1/networks/old never, deps: [made/s1/networks/old], outs: [never]}\n"
    (clone.folder / "dvc.yaml").write_text(GRAPH + stages)
    assert to_run() == {"data", "network@old-s1", "never"}


@pytest.mark.parametrize(
    ("line", "longer", "also"),
    [
        (RIVAL_DEPS, f"{RIVAL_DEPS}, made/s1/clones", {"network@new-s1"} | CLONES),
        (RIVAL_OUTS, f"{RIVAL_OUTS}, made/s1/rival", set()),
    ],
    ids=["reads", "writes"],
)
def test_a_stage_that_reads_or_writes_more_than_in_the_lock_runs(
    clone: Flow, line: str, longer: str, also: set[str]
) -> None:
    """Though what it reads or writes newly is absent, too."""
    assert GRAPH.count(line) == 1
    (clone.folder / "dvc.yaml").write_text(GRAPH.replace(line, longer))
    assert to_run() == {"data", "network@old-s1", "rival@s1", "table"} | also


# What lies on the disk is compared


def test_a_folder_of_which_a_part_is_there_is_as_locked(measured: Flow, clone: Flow) -> None:
    copy(measured, clone, "made/data")
    copy(measured, clone, "made/s1/networks/old")
    copy(measured, clone, "made/s1/clones/wide")
    assert to_run() == set()
    (clone.folder / "both.sh").write_text("another\n")
    assert to_run() == {"network@new-s1", "clone@usual-s1", "both@s1", "table"}


def test_an_artefact_that_is_another_than_in_the_lock_runs_with_all_below(measured: Flow, clone: Flow) -> None:
    copy(measured, clone, "made/data")
    copy(measured, clone, "made/s1/networks/old")
    (clone.folder / "made/s1/networks/old").write_text("another\n")
    assert to_run("both") == {"network@old-s1", "network@new-s1", "both@s1"} | CLONES
    assert to_run("clone@wide-s1") == {"network@new-s1", "clone@wide-s1"}


def test_a_score_that_is_another_than_in_the_lock_runs_with_all_below(clone: Flow) -> None:
    (clone.folder / "scores/s1/rival").write_text("another\n")
    assert to_run() == {"data", "network@old-s1", "rival@s1", "table"}


def test_a_folder_that_is_whole_and_another_than_in_the_lock_is_changed(measured: Flow, clone: Flow) -> None:
    """A file that no stage writes: nothing that is missing explains it."""
    for name in ("networks", "clones"):
        copy(measured, clone, f"made/s1/{name}")
    assert to_run() == set()
    (clone.folder / "made/s1/networks/stray").write_text("stray\n")
    assert to_run() == {"both@s1", "table"}


def test_a_stage_that_read_other_bits_than_its_producer_last_wrote_is_changed(clone: Flow) -> None:
    """The network was trained again elsewhere, and the clones of it were not."""
    lock = yaml.safe_load((clone.folder / "dvc.lock").read_text())
    lock["stages"]["network@new-s1"]["outs"][0]["md5"] = "0" * 32
    (clone.folder / "dvc.lock").write_text(yaml.safe_dump(lock))
    assert to_run() == ALL - {"rival@s1"}


def test_what_another_run_is_writing_is_waited_for(clone: Flow) -> None:
    assert to_run("rival") == set()
    writer = {"pid": os.getpid(), "cmd": "dvc repro"}
    busy = {"write": {str(clone.folder / "made/s1/networks/old"): writer}}
    (clone.folder / ".dvc/tmp/rwlock").write_text(json.dumps(busy))
    assert to_run("rival") == {"data", "network@old-s1", "rival@s1"}


def test_an_output_need_not_be_in_dvc_s_cache(measured: Flow, clone: Flow) -> None:
    copy(measured, clone, "made")
    assert to_run("network", "clone", "both") == set()
    assert to_run("data", allow_missing=False) == {"data"}


# What was made again is as good as any


@pytest.mark.slow
def test_plain_dvc_agrees_after_what_was_missing_has_been_made(clone: Flow) -> None:
    assert clone.run("both", "clone", "network", "--allow-missing")[0] == 0
    status = subprocess.run(
        [sys.executable, "-m", "dvc", "status"],
        cwd=clone.folder,
        env=clone.environment,
        capture_output=True,
        text=True,
    )
    assert "up to date" in status.stdout, status.stdout
