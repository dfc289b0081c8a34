"""The tables that benchmarks write are those of the numbers beside them."""

import sys
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

import pytest
from _paths import ROOT


@pytest.fixture
def program(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A script of benchmarks/, as if it was run from there."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield import_module(request.param)
    for name in ("sizes", "slicing", "clone", "_clock", "_page"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("program", ["sizes", "clone"], indirect=True)
def test_a_page_has_the_table_of_the_numbers_that_were_measured(program: ModuleType) -> None:
    _, rest = program.PAGE.read_text().split(program.MARKS[0])
    assert rest.split(program.MARKS[1])[0].strip() == program.table(program.numbers()).strip()


@pytest.mark.parametrize("program", ["sizes"], indirect=True)
def test_a_package_has_as_many_bytes_as_the_table_says(program: ModuleType) -> None:
    source, target = program.source_and_target("resnet18")
    rows = [row for row in program.numbers()["bytes"] if row["network"] == "resnet18"]
    assert [row["R"] for row in rows] == [4, 1]
    for row in rows:
        (package,) = program.cloned_at(source, target, row["R"]).packages
        assert package.nbytes == row["package"]
        assert row["adapter"] < row["package"] < row["clone"] < row["source"] < row["whole"]


@pytest.mark.parametrize("program", ["clone"], indirect=True)
def test_the_stages_of_a_clone_add_up(program: ModuleType) -> None:
    for found in program.numbers().values():
        *stages, total = found["stages"]
        assert total[0] == "total" and stages[-1][0] == "all else"
        for column in (2, 3):
            assert sum(stage[column] for stage in stages) == pytest.approx(total[column])
        assert {"local models G", "inputs", "localise", "insert", "calibration"} <= {stage[0] for stage in stages}
        assert found["megabytes"]["before"] < found["megabytes"]["peak"]
