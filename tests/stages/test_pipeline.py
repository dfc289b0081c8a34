"""dvc.yaml against params.yaml and the code, read as DVC reads it; no stage is run."""

import ast
import re
import shlex
import shutil
from collections.abc import Mapping
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
import yaml
from _paths import ROOT
from dvc.dependency import ParamsDependency
from dvc.repo import Repo
from dvc.stage import PipelineStage

from bench.work.suite import expected_scores, load_suite
from pnc.methods import METHODS

PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
SUITES = list(PARAMS["suites"])
MADE = ("artifacts", "results")  # what stages write; all else is in git

Stages = dict[str, PipelineStage]
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # in DVC's own graph


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """DVC's networkx graph, from each stage to those that it depends on.

    It is that of a repository of its own, so that the real one, its lock and its cache are left alone.
    """
    folder = tmp_path_factory.mktemp("pipeline")
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path_factory.mktemp("site")))
        patch.setenv("DVC_NO_ANALYTICS", "1")
        return Repo.init(folder, no_scm=True).index.graph


@pytest.fixture(scope="module")
def stages(graph: Any) -> Stages:
    return {stage.name: stage for stage in graph.nodes}


def paths(stage: PipelineStage) -> list[Path]:
    """Dependencies that are files or folders."""
    return [Path(each.def_path) for each in stage.deps if not isinstance(each, ParamsDependency)]


def made(stage: PipelineStage) -> list[Path]:
    return [path for path in paths(stage) if path.parts[0] in MADE]


def params(stage: PipelineStage) -> list[str]:
    return [key for each in stage.deps if isinstance(each, ParamsDependency) for key in each.params]


def outs(stage: PipelineStage) -> list[Path]:
    return [Path(each.def_path) for each in stage.outs]


def module(stage: PipelineStage) -> Path:
    """The file that ``python -m`` runs."""
    python, flag, name, *_ = shlex.split(stage.cmd)
    assert (python, flag) == ("python", "-m")
    return Path(*name.split(".")).with_suffix(".py")


def arguments(stage: PipelineStage) -> dict[str, str]:
    names, values = shlex.split(stage.cmd)[3::2], shlex.split(stage.cmd)[4::2]
    return {name.removeprefix("--"): value for name, value in zip(names, values, strict=True)}


def declared(source: Path) -> list[str]:
    """The arguments in a stage's ``run(main, ...)``."""
    calls = (node for node in ast.walk(ast.parse(source.read_text())) if isinstance(node, ast.Call))
    (found,) = (call.args[1:] for call in calls if isinstance(call.func, ast.Name) and call.func.id == "run")
    return [ast.literal_eval(argument) for argument in found]


def upstream(graph: Any, stage: PipelineStage) -> set[PipelineStage]:
    """The stages that ``stage`` depends on, directly or not."""
    direct = set(graph.successors(stage))
    return direct.union(*(upstream(graph, each) for each in direct))


# The commands


def test_every_suite_of_params_has_its_stages(stages: Stages) -> None:
    assert SUITES
    assert {arguments(stage)["suite"] for stage in stages.values()} == set(SUITES)
    for suite in SUITES:
        assert {f"prepare@{suite}", f"tables@{suite}", f"figures@{suite}"} <= stages.keys()


def test_every_command_is_a_stage_with_the_arguments_that_it_declares(stages: Stages) -> None:
    ran = {module(stage) for stage in stages.values()}
    for stage in stages.values():
        assert (ROOT / module(stage)).is_file(), stage.name
        assert list(arguments(stage)) == declared(ROOT / module(stage)), stage.name
    # "show" prints what is there already
    mains = {path.relative_to(ROOT) for path in (ROOT / "stages").glob("[!_]*.py")}
    assert ran == mains - {Path("stages/show.py")}


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_runs_each_of_its_items(stages: Stages, suite: str) -> None:
    """What params.yaml lists and what the matrices name are the same."""
    values = PARAMS["suites"][suite]
    found: dict[str, set[str]] = {}
    for stage in stages.values():
        if arguments(stage)["suite"] == suite:
            for name, value in arguments(stage).items():
                found.setdefault(name, set()).add(value)
    assert found.pop("reading", set()) == set(values["sensitivity"]["readings"])
    assert found == {
        "suite": {suite},
        "role": set(values["networks"]),
        "method": set(values["methods"]),
        "scale": set(values["scales"]),
        "regime": set(values["regimes"]),
        "position": set(map(str, values["positions"])),
        "seeds": set(values["seeds"]),
    }
    assert values["methods"].keys() <= set(METHODS.names())
    assert set(values["methods"].values()) <= {"", *values["regimes"]}


# The files


def test_no_path_is_absolute(stages: Stages) -> None:
    assert not re.search(r"""(^|[\s"'=:\[])(/|~|\w:\\)""", (ROOT / "dvc.yaml").read_text(), re.MULTILINE)
    for stage in stages.values():
        assert not [path for path in (*paths(stage), *outs(stage)) if path.is_absolute()]
        assert ".." not in {part for path in (*paths(stage), *outs(stage)) for part in path.parts}
        assert not Path(stage.wdir).relative_to(stage.repo.root_dir).parts


def test_every_source_that_a_stage_depends_on_exists(stages: Stages) -> None:
    for stage in stages.values():
        sources = set(paths(stage)) - set(made(stage))
        assert [path for path in sources if not (ROOT / path).exists()] == [], stage.name
        assert module(stage) in sources
        assert [path for path in sources if path.parts[0] not in ("pnc", "stages", "paper")] == []


def test_every_artefact_that_a_stage_depends_on_is_made(stages: Stages) -> None:
    written = {out for stage in stages.values() for out in outs(stage)}
    for stage in stages.values():
        for path in made(stage):
            assert any(out == path or path in out.parents for out in written), (stage.name, path)


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_writes_just_its_own_files(stages: Stages, suite: str) -> None:
    for stage in stages.values():
        if arguments(stage)["suite"] == suite:
            assert {path.parts[1] for path in (*outs(stage), *made(stage))} == {suite}, stage.name


@pytest.mark.parametrize("suite", SUITES)
def test_the_tables_gather_every_score_that_the_graph_writes(stages: Stages, suite: str) -> None:
    folder = Path("artifacts") / suite / "scores"
    written = [out for stage in stages.values() for out in outs(stage) if folder in out.parents]
    expected = expected_scores(load_suite(suite, ROOT / "params.yaml"))
    assert len(written) == len(set(written))
    assert sorted(written) == sorted(expected)


def test_only_results_are_kept_in_git_and_out_of_the_cache(stages: Stages) -> None:
    for stage in stages.values():
        for out in stage.outs:
            assert out.use_cache == (Path(out.def_path).parts[0] == "artifacts"), out


# The edges


@pytest.mark.parametrize("suite", SUITES)
def test_the_tables_need_every_measurement_of_their_suite(graph: Any, stages: Stages, suite: str) -> None:
    needed = {stage.name for stage in upstream(graph, stages[f"tables@{suite}"])}
    last = {f"tables@{suite}", f"figures@{suite}"}
    assert needed == {name for name, stage in stages.items() if arguments(stage)["suite"] == suite} - last
    values = PARAMS["suites"][suite]
    clones = [name for name in needed if name.startswith(f"localize_insert_{suite}@")]
    lists = (values["scales"], values["regimes"], values["positions"], values["seeds"])
    assert len(clones) == reduce(int.__mul__, map(len, lists))


def test_a_stage_needs_nothing_of_another_scale_regime_or_group_of_seeds(graph: Any, stages: Stages) -> None:
    for stage in stages.values():
        own = arguments(stage)
        for needed in upstream(graph, stage):
            item = arguments(needed)
            assert all(item[name] == own[name] for name in item.keys() & own.keys()), (stage.name, needed.name)


# The parameters


def value(values: Mapping[str, Any], place: str) -> Any:
    """What stands at ``a.b.c``; KeyError if nothing does."""
    return reduce(getitem, place.split("."), values)


def read(stage: PipelineStage, values: Mapping[str, Any]) -> list[Any]:
    """The values that DVC compares with those of the last run."""
    return [value(values, key) for key in params(stage)]


def test_every_parameter_that_a_stage_depends_on_exists(stages: Stages) -> None:
    for stage in stages.values():
        assert None not in read(stage, PARAMS)


@pytest.mark.parametrize(
    ("place", "key", "rerun"),
    [
        ("clone", "keep", {"localize_insert", "evaluate", "ablate", "baseline", "tables"}),
        ("clone.schedule", "epochs", {"localize_insert", "evaluate", "ablate", "baseline", "tables"}),
        ("local_models", "ridge", {"local_models", "localize_insert", "evaluate", "ablate", "tables"}),
        ("pretrain", "epochs", {"pretrain", "evaluate", "ablate", "baseline", "tables"}),
        ("finetune", "epochs", {"evaluate", "ablate", "baseline", "tables"}),
        ("samples", "share", {"local_models", "localize_insert", "evaluate", "ablate", "baseline", "tables"}),
        ("data", "resolution", {"prepare", "tables"}),
    ],
)
def test_a_parameter_is_read_by_just_the_stages_that_use_it_or_write_it_down(
    stages: Stages, place: str, key: str, rerun: set[str]
) -> None:
    changed = yaml.safe_load(yaml.safe_dump(PARAMS))
    value(changed, f"suites.digits.{place}")[key] *= 2
    differ = {name for name, stage in stages.items() if read(stage, PARAMS) != read(stage, changed)}
    own = {name for name, stage in stages.items() if arguments(stage)["suite"] == "digits"}
    assert differ == {name for name in own if module(stages[name]).stem in rerun}
    assert {module(stages[name]).stem for name in differ} == rerun
