"""zoo:NAME@LOCATION stands for a file."""

from pathlib import Path

import pytest
from _tiny import same_bits
from zoo._served import network, owls, served, two_models

from pnc.arch import load_network
from pnc.base.errors import PncError
from pnc.cloning.package import ClonePackage
from pnc.zoo.reference import in_zoo, model_file, package_file


def test_paths_are_left_as_they_are() -> None:
    for text in ("birds.safetensors", "torchvision:resnet18@file", "zoo/birds", "./zoo:birds"):
        assert model_file(text) == package_file(text) == text


def test_names_in_a_zoo_are_files_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "zoo"
    two_models(folder).add_package("owls", owls())
    assert package_file(f"zoo:owls@{folder}") == str(folder / "packages/owls.pnc")
    monkeypatch.setenv("PNC_CACHE", str(tmp_path / "cache"))
    with served(folder) as (address, _, _):
        monkeypatch.setenv("PNC_ZOO", address)
        for text in (f"zoo:birds@{folder}", f"zoo:birds@{address}", "zoo:birds"):
            assert same_bits(load_network(model_file(text))[0], network(0))
        assert ClonePackage.load(package_file("zoo:owls")).info.names == ("owl",)
    assert Path(package_file(f"zoo:owls@{folder}")).read_bytes() in [f.read_bytes() for f in tmp_path.glob("cache/*")]


def test_half_a_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PNC_ZOO", raising=False)
    with pytest.raises(
        PncError, match=r"'zoo:birds': expected zoo:NAME@LOCATION \(or PNC_ZOO set\), found no location"
    ):
        in_zoo("zoo:birds")
    with pytest.raises(PncError, match="found no name"):
        in_zoo("zoo:@somewhere")
