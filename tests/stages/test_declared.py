"""What a stage imports and reads while it runs, against what it declares in dvc.yaml: neither less nor more."""

from pathlib import Path

import pytest
from _run import Finished

# Above the rooms: they import nothing by themselves, and no number depends on them.
ROOFS = {Path("pnc/__init__.py"), Path("stages/__init__.py")}
ANYONES = ("params.yaml", ".git", ".scratch")  # read for the names in it; of no stage alone


def inside(path: Path, folders: tuple[Path, ...]) -> bool:
    return any(path == folder or folder in path.parents for folder in folders)


def counts(finished: Finished, file: Path) -> bool:
    """Whether an import of ``file`` can make a difference."""
    return file not in ROOFS and (finished.project.folder / file).stat().st_size > 0


def reads(key: str, asked: frozenset[str]) -> bool:
    """Whether ``key``, something in it or something around it was asked for."""
    return any(f"{other}.".startswith(f"{key}.") or f"{key}.".startswith(f"{other}.") for other in asked)


def test_a_stage_imports_nothing_that_it_does_not_declare(finished: Finished) -> None:
    undeclared = {
        name: sorted(
            file for file in finished.ended[name].imported if counts(finished, file) and not inside(file, stage.code)
        )
        for name, stage in finished.graph.items()
    }
    assert {name: files for name, files in undeclared.items() if files} == {}


def test_a_stage_declares_no_code_that_it_does_not_import(finished: Finished) -> None:
    """The paper's numbers and the tables are read, not imported."""
    for name, stage in finished.graph.items():
        imported = finished.ended[name].imported
        unused = [path for path in stage.code if not any(inside(file, (path,)) for file in imported)]
        assert set(unused) <= {Path("paper"), Path("params.yaml"), Path("tables.yaml")}, name


def test_a_stage_opens_no_file_that_it_does_not_declare(finished: Finished) -> None:
    for name, stage in finished.graph.items():
        opened = {path for path in finished.ended[name].opened if "__pycache__" not in path.parts}
        found = {path for path in opened if path.parts[0] not in ANYONES}
        declared = (*stage.needs, *stage.outs, *stage.params)
        parts = {path for path in found if path.suffix == ".part"}  # beside what it becomes
        near = tuple(out.parent for out in stage.outs)
        assert {path for path in found - parts if not inside(path, declared)} == set(), name
        assert all(inside(path, (*stage.outs, *near)) for path in parts), name


def test_a_stage_declares_no_artefact_that_none_of_its_kind_opens(finished: Finished) -> None:
    """One body serves a kind: a variant with local models of its own declares the usual ones all the same."""
    used: dict[tuple[str, int], bool] = {}
    for name, stage in finished.graph.items():
        for place, path in enumerate(stage.made):
            found = any(inside(file, (path,)) for file in finished.ended[name].opened)
            used[stage.kind, place] = used.get((stage.kind, place), False) or found
    assert [place for place, found in used.items() if not found] == []


def test_a_stage_reads_no_parameter_that_it_does_not_declare(finished: Finished) -> None:
    for name, stage in finished.graph.items():
        declared = [key for keys in stage.params.values() for key in keys]
        if Path("params.yaml") in stage.needs:  # it and tables.yaml as a whole
            continue
        undeclared = [
            key for key in finished.ended[name].read if not any(f"{key}.".startswith(f"{own}.") for own in declared)
        ]
        assert undeclared == [], name


def test_a_stage_declares_no_parameter_that_none_of_its_kind_reads(finished: Finished) -> None:
    """One body serves a kind: a variant without fine-tuning declares its settings all the same."""
    kinds = {stage.kind for stage in finished.graph.values()}
    for kind in kinds:
        own = {name: stage for name, stage in finished.graph.items() if stage.kind == kind}
        asked = frozenset().union(*(finished.ended[name].read for name in own))
        for name, stage in own.items():
            declared = [key for keys in stage.params.values() for key in keys]
            assert [key for key in declared if not reads(key, asked)] == [], name


def test_every_kind_of_stage_was_looked_at(finished: Finished) -> None:
    programs = {path.stem for path in (finished.project.folder / "stages").glob("[!_]*.py")}
    assert {stage.kind for stage in finished.graph.values()} == programs - {"show", "report"}  # show what is there


@pytest.mark.parametrize("kind", ["cells", "tables", "figures", "select"])
def test_what_only_gathers_numbers_starts_without_the_library_that_computes_them(
    finished: Finished, kind: str
) -> None:
    rooms = {
        file.parts[:2]
        for name, stage in finished.graph.items()
        if stage.kind == kind
        for file in finished.ended[name].imported
    }
    assert not rooms & {("pnc", "arch"), ("pnc", "data"), ("pnc", "cloned"), ("pnc", "methods")}
