"""dvc.yaml against params.yaml and the code, read as DVC reads it, for every suite; no stage is run."""

import ast
import copy
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import reduce
from itertools import product
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
import yaml
from _graph import Graph, Stage, upstream
from _paths import ROOT

from bench.suites import copies
from bench.work.suite import SequenceEntry, spelled_out
from pnc.incremental import LEARNERS
from pnc.methods import METHODS
from stages.incremental import IncrementEntry

FILES = {"digits": Path("params.yaml")} | {
    path.parent.name: path.relative_to(ROOT) for path in sorted(ROOT.glob("suites/*/params.yaml"))
}
TEXTS = {path: (ROOT / path).read_text() for file in FILES.values() for path in (file, file.with_name("tables.yaml"))}
VALUES = {path: yaml.safe_load(text) for path, text in TEXTS.items()}
SUITES = {name: VALUES[path] | VALUES[path.with_name("tables.yaml")] for name, path in FILES.items()}
GRAPH = (ROOT / "dvc.yaml").read_text()
NO_CLONES = ("main", "baselines", "rivals", "pair_baselines")  # grids that are not ablate's
CLONES = ("localize_insert", "ablate")
Item = tuple[str, ...]

every_suite = pytest.mark.parametrize("suite", SUITES)


def of(graph: Graph, suite: str, *kinds: str) -> list[Stage]:
    """A suite's stages (of some kinds)."""
    own = [stage for stage in graph.values() if stage.arguments["suite"] == suite]
    return [stage for stage in own if stage.kind in kinds] if kinds else own


# The text


def test_the_graph_is_short_and_so_are_its_stages(graph: Graph) -> None:
    assert len(GRAPH.splitlines()) <= 250
    assert max(len(stage.needs) for stage in graph.values()) <= 13


def test_every_suite_has_the_same_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    """``python -m bench.suites`` writes them."""
    assert {ROOT / path.parent / "dvc.yaml" for path in FILES.values()} == {
        ROOT / "dvc.yaml",
        *ROOT.glob("suites/*/dvc.yaml"),
    }
    monkeypatch.chdir(ROOT)
    for path, text in copies().items():
        assert path.read_text() == text, path


def test_the_copies_have_their_suites_names_where_a_suite_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dvc.yaml").write_text(
        "# digits\nvars: [tables.yaml]\nwdir: .\ncmd: -s digits\n[params.yaml, tables.yaml, a/digits, my_digits]\n"
    )
    for name in ("one", "other"):
        (tmp_path / "suites" / name).mkdir(parents=True)
    (tmp_path / "suites" / "one" / "params.yaml").touch()
    monkeypatch.chdir(tmp_path)
    own = "[suites/one/params.yaml, suites/one/tables.yaml, a/one, my_digits]"
    expected = f"# digits\nvars: [tables.yaml]\nwdir: ../..\ncmd: -s one\n{own}\n"
    assert copies() == {Path("suites/one/dvc.yaml"): expected}


def test_no_path_is_absolute(graph: Graph) -> None:
    assert not re.search(r"""(^|[\s"'=:\[])(/|~|\w:\\)""", GRAPH, re.MULTILINE)
    for stage in graph.values():
        assert not [path for path in (*stage.needs, *stage.outs) if path.is_absolute() or ".." in path.parts]
        assert stage.working == Path(), stage.name


# The commands


def declared(kind: str) -> list[str]:
    """The arguments in a stage's ``run(main, ...)``."""
    tree = ast.parse((ROOT / "stages" / f"{kind}.py").read_text())
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    (found,) = (call.args[1:] for call in calls if isinstance(call.func, ast.Name) and call.func.id == "run")
    return ["suite", *map(ast.literal_eval, found)]


def test_every_command_is_a_stage_with_the_arguments_that_it_declares(graph: Graph) -> None:
    kinds = {stage.kind for stage in graph.values()}
    for stage in graph.values():
        assert list(stage.arguments) == declared(stage.kind), stage.name
    # "show" prints what is there already
    assert kinds == {path.stem for path in (ROOT / "stages").glob("[!_]*.py")} - {"show", "report"}


def meetings(grid: Mapping[str, list[Any]], *keys: str) -> Iterator[Item]:
    return product(*([str(name) for name in grid[key]] for key in keys))


def items(params: dict[str, Any]) -> Iterator[Item]:
    """What a suite's params.yaml asks for: each stage's kind and what it is about."""
    grids, pair = params["grids"], ("source", "target", "task")
    for table in params["tables"]:
        yield "cells", table
    for table in params["figures"]:
        yield "figures", table
    yield ("tables",)
    yield ("prepare",)
    for seeds in params["seeds"]:
        for name in params["networks"]:
            yield "pretrain", name, seeds
        for name in params["sources"]:
            yield "local_models", name, seeds
        for item in meetings(grids["main"], *pair, "regime", "R"):
            yield "localize_insert", *item, seeds
        for item in meetings(grids["main"], *pair, "regime"):
            yield from (("select", *item, seeds), ("evaluate", *item, seeds))
        for name in grids.keys() - NO_CLONES:
            for item in meetings(grids[name], "variant", *pair, "regime"):
                yield "ablate", *item, seeds
        for name in ("baselines", "rivals", "pair_baselines"):
            for item in meetings(grids[name], "method", *pair):
                yield "baseline", *item, seeds
        for item in meetings(grids["kept"], "source", "target"):
            yield "costs", *item, seeds
        for item in product(params["sequences"], grids["steps"]["regime"]):
            yield "sequence", *item, seeds
        for item in meetings(params["incremental"], "learner", "target", "increment"):
            yield "incremental", *item, seeds


@every_suite
def test_a_suite_runs_what_its_parameters_name_each_once(graph: Graph, suite: str) -> None:
    found = [
        (stage.kind, *(value for name, value in stage.arguments.items() if name not in ("suite", "grid")))
        for stage in of(graph, suite)
    ]
    assert Counter(found) == Counter(items(SUITES[suite]))
    assert max(Counter(found).values()) == 1


@every_suite
def test_every_name_in_a_grid_is_known(suite: str) -> None:
    values = SUITES[suite]
    known = {"source": values["sources"], "target": values["networks"], "regime": ["strict", "rehearsal"]}
    known |= {"task": values["tasks"], "variant": values["variants"], "method": values["methods"]}
    for grid in values["grids"].values():
        for key in grid.keys() & known.keys():
            assert set(grid[key]) <= set(known[key]), (grid, key)
    assert set(values["sources"]) <= set(values["networks"])
    for section, registry in (("methods", METHODS), ("learners", LEARNERS)):
        for group in values[section].values():
            assert {(entry or {}).get("function", name) for name, entry in group.items()} <= set(registry.names())
    asked = values["incremental"]
    assert set(asked["learner"]) <= set(values["learners"]) and set(asked["target"]) <= set(values["networks"])
    assert set(asked["increment"]) <= set(values["increments"])


@every_suite
def test_an_increment_has_the_classes_of_the_sequence_of_its_name_step_by_step(suite: str) -> None:
    """So that a table may show learners and clones in one row each."""
    values = SUITES[suite]
    for name in values["increments"].keys() & values["sequences"].keys():
        increment = IncrementEntry(**values["increments"][name])
        sequence = SequenceEntry(**values["sequences"][name])
        steps, shares = [], set()
        for source, task in sequence.parts:
            own = spelled_out(values["networks"][source]["classes"])
            steps.append(tuple(own[output] for output in spelled_out(values["tasks"][task]["classes"])))
            shares.add(values["tasks"][task].get("share"))
        assert (increment.steps, {increment.share}, increment.source) == (steps, shares, sequence.source)
        assert values["incremental"]["target"] == [sequence.target]


# Once


@every_suite
def test_a_network_is_trained_once_and_its_local_models_are_fitted_once(graph: Graph, suite: str) -> None:
    for kind, option in (("pretrain", "network"), ("local_models", "source")):
        made = Counter((stage.arguments[option], stage.arguments["seeds"]) for stage in of(graph, suite, kind))
        assert made and set(made.values()) == {1}, kind
    written = [out for stage in graph.values() for out in stage.outs]
    assert len(written) == len(set(written))


@every_suite
def test_a_clone_of_the_same_networks_classes_samples_and_settings_is_trained_once(graph: Graph, suite: str) -> None:
    values, found = SUITES[suite], dict[str, set[tuple[str, ...]]]()
    for stage in of(graph, suite, *CLONES):
        own = stage.arguments
        variant = values["variants"][own["variant"]] if stage.kind == "ablate" else {}
        task = {"share": values["samples"]["share"]} | values["tasks"][own["task"]]
        same = [own[name] for name in ("source", "target", "regime", "seeds")] + [variant.get("clone", {})]
        at = (stage.kind, *(own[name] for name in ("variant", "task") if name in own))
        found.setdefault(json.dumps([*same, task], sort_keys=True), set()).add(at)
    assert [stages for stages in found.values() if len(stages) > 1] == []


# The files


def test_every_source_that_a_stage_depends_on_exists(graph: Graph) -> None:
    for stage in graph.values():
        assert [path for path in stage.code if not (ROOT / path).exists()] == [], stage.name
        assert Path("stages", f"{stage.kind}.py") in stage.code
        rooms = {path.parts[0] for path in stage.code if path.name not in ("params.yaml", "tables.yaml")}
        assert rooms <= {"pnc", "bench", "stages", "paper"}


def test_every_artefact_that_a_stage_depends_on_is_made(graph: Graph) -> None:
    written = {out for stage in graph.values() for out in stage.outs}
    folders = {folder for out in written for folder in out.parents}
    for stage in graph.values():
        for path in stage.made:
            assert path in folders or not written.isdisjoint([path, *path.parents]), (stage.name, path)


@every_suite
def test_a_suite_reads_its_own_parameters_and_writes_just_its_own_files(graph: Graph, suite: str) -> None:
    for stage in of(graph, suite):
        assert {path.parts[1] for path in (*stage.outs, *stage.made)} == {suite}, stage.name
        assert set(stage.params) <= {FILES[suite], FILES[suite].with_name("tables.yaml")}


def test_only_results_are_kept_in_git_and_out_of_the_cache(graph: Graph) -> None:
    for stage in graph.values():
        assert [path for path in stage.outs if path.parts[0] == "results"] == list(stage.in_git), stage.name


# The edges


@every_suite
def test_nothing_runs_that_no_table_or_figure_needs(graph: Graph, suite: str) -> None:
    own = {stage.name for stage in of(graph, suite)}
    last = {stage.name for stage in of(graph, suite, "tables", "figures")}
    assert upstream(graph, last) | last == own


def test_a_stage_needs_nothing_of_another_pair_task_regime_or_group_of_seeds(graph: Graph) -> None:
    for stage in graph.values():
        if stage.kind in ("cells", "tables", "figures", "sequence"):
            continue
        own = stage.arguments
        for needed in map(graph.__getitem__, stage.upstream):
            item = needed.arguments
            assert all(item[name] == own[name] for name in item.keys() & own.keys()), (stage.name, needed.name)
            if "network" in item:
                assert item["network"] in {own.get("source"), own.get("target")}, (stage.name, needed.name)


# The parameters


def value(values: Mapping[str, Any], place: str) -> Any:
    """What stands at ``a.b.c``; KeyError if nothing does."""
    return reduce(getitem, place.split("."), values)


def read(stage: Stage, values: Mapping[str, Any]) -> list[Any]:
    """The values that DVC compares with those of the last run."""
    return [value(values, key) for keys in stage.params.values() for key in keys]


@every_suite
def test_every_parameter_that_a_stage_depends_on_exists(graph: Graph, suite: str) -> None:
    for stage in of(graph, suite):
        assert None not in read(stage, SUITES[suite]), stage.name


UNTRAINED = "methods.untrained.direct_ensemble_calibrated.settings.q"


@pytest.mark.parametrize(
    ("place", "kinds", "name"),
    [
        ("clone.schedule.epochs", {"localize_insert", "ablate"}, ""),
        ("local_models.ridge", {"local_models", "localize_insert", "ablate"}, ""),
        ("recipes.usual.schedule.epochs", {"pretrain"}, ""),
        ("networks.new_cnn.width", {"pretrain", "cells"}, "new_cnn"),
        ("finetune.epochs", {"evaluate", "ablate"}, ""),
        ("samples.share", {"local_models", "localize_insert", "evaluate", "ablate", "baseline", "incremental"}, ""),
        ("data.resolution", {"prepare"}, ""),
        ("tasks.M.classes", {"localize_insert", "evaluate", "ablate", "baseline"}, "M"),
        ("variants.keep70.clone.keep", {"ablate"}, "keep70"),
        (UNTRAINED, {"baseline"}, "untrained"),
        ("sequences.sub_s.steps", {"sequence"}, "sub_s"),
        ("learners.rehearsing.bic.memory", {"incremental"}, "rehearsing"),
        ("increments.s1.step", {"incremental"}, "s1"),
        ("tables.kept.title", {"cells", "figures"}, "kept"),
        ("grids.main.R", {"select", "sequence", "costs"}, ""),
    ],
)
def test_a_parameter_is_read_by_just_the_stages_that_are_about_it(
    graph: Graph, place: str, kinds: set[str], name: str
) -> None:
    """Of the digits suite; of stages that are about names, by those about ``name``. Tables read the whole file."""
    changed = copy.deepcopy(SUITES["digits"])
    outer, _, last = place.rpartition(".")
    value(changed, outer)[last] *= 2
    own = of(graph, "digits")
    differ = {stage.name for stage in own if read(stage, SUITES["digits"]) != read(stage, changed)}
    assert {graph[stage].kind for stage in differ} == kinds
    about = ("network", "task", "variant", "method", "sequence", "learner", "increment", "table")
    for stage in (stage for stage in own if stage.kind in kinds):
        named = {stage.arguments[option] for option in about if option in stage.arguments}
        if name and stage.kind != "tables" and not (stage.kind == "cells" and place.startswith("networks.")):
            assert (stage.name in differ) == (name in named), stage.name


def test_no_value_stands_in_two_places() -> None:
    """``dvc exp run -S`` silently leaves a value as it was that another place shares with it (``&`` and ``*``)."""
    for path, text in TEXTS.items():
        tokens = list(yaml.scan(text))
        assert not [token for token in tokens if isinstance(token, yaml.AnchorToken | yaml.AliasToken)], path


def test_no_setting_has_a_name_that_dvc_overlooks() -> None:
    """DVC leaves keys of these names out of what it looks runs up by: it would restore those of another value."""

    def names(values: Any) -> Iterator[str]:
        for name, value in values.items() if isinstance(values, dict) else ():
            yield name
            yield from names(value)

    assert not {"size", "nfiles"} & set(names(SUITES))
