"""The table in docs/networks.md is what benchmarks/networks.py measures."""

import re
from importlib import import_module
from types import ModuleType

import pytest
from _paths import ROOT

pytest.importorskip("timm")
pytest.importorskip("transformers")
CHEAP = ("mnasnet0_5", "shufflenet_v2_x0_5", "squeezenet1_1", "vit_tiny_patch16_224", "ResNetForImageClassification")


def program() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        return import_module("networks")


PROGRAM = program()
NETWORKS = {(each.library, each.name): each for each in PROGRAM.listed()}
PAGE = PROGRAM.PAGE.read_text().split(PROGRAM.MARKS[0])[1].split(PROGRAM.MARKS[1])[0]
ROWS = {
    (cells[1].strip(), cells[2].strip(" `")): line
    for line in PAGE.splitlines()
    if re.match(r"\| (torchvision|timm|transformers) ", line)
    for cells in [line.split("|")]
}


def test_the_table_has_a_row_for_every_network_and_no_other() -> None:
    assert PROGRAM.HEADER in PAGE
    assert list(ROWS) == list(NETWORKS)
    assert len(ROWS) >= 25


@pytest.mark.filterwarnings("ignore")  # what the libraries say about themselves
@pytest.mark.parametrize("key", [key for key in NETWORKS if key[1] in CHEAP], ids=" ".join)
def test_a_cheap_network_is_measured_as_the_table_says(key: tuple[str, str]) -> None:
    assert PROGRAM.row(NETWORKS[key]) == ROWS[key]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("key", [key for key in NETWORKS if key[1] not in CHEAP], ids=" ".join)
def test_every_other_network_is_measured_as_the_table_says(key: tuple[str, str]) -> None:
    assert PROGRAM.row(NETWORKS[key]) == ROWS[key]
