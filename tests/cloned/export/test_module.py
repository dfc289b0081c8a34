"""A clone alone: a receiver with the target and this file, but not the source, has what the sender has."""

import copy
from pathlib import Path

import pytest
import torch
from _tiny import package_for, pictures, state, tiny_network
from cloned.export._made import BATCHES, cloned_twice, difference, flip_a_bit

import pnc
from pnc.arch import BlockNet, fingerprint, save_network
from pnc.base.errors import PncError
from pnc.cloned.export import ModulePackage
from pnc.cloned.model import ClonedModel, attach


def target_network() -> BlockNet:
    return tiny_network("animal", 4)


@pytest.fixture(scope="module")
def cloned() -> ClonedModel:
    return cloned_twice()


@pytest.fixture(scope="module")
def files(cloned: ClonedModel, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Both clones, each in a file of its own."""
    folder = tmp_path_factory.mktemp("modules")
    found = [folder / f"{package.info.names[0]}.safetensors" for package in cloned.packages]
    for path, package in zip(found, cloned.packages, strict=True):
        cloned.export_module(path, package)
    assert sorted(folder.iterdir()) == sorted(found)
    return found


@torch.no_grad()
def test_clones_alone_give_the_masked_models_logits_and_can_be_taken_out(
    cloned: ClonedModel, files: list[Path]
) -> None:
    target = target_network()
    before = state(target)
    model = pnc.attach_module(pnc.attach_module(target, files[0]), ModulePackage.load(files[1]))
    assert model.classes == cloned.classes
    for batch in BATCHES:
        x = pictures(batch, seed=batch)
        found, expected = model(x), cloned(x)
        assert torch.equal(found[:, :4], expected[:, :4])
        assert difference(found, expected) < 1e-5
    one = model.detach(model.packages[0])
    x = pictures(3)
    assert difference(one(x), cloned(x)[:, [0, 1, 2, 3, 6]]) < 1e-5
    assert model.detach() is target and one.detach() is target  # type: ignore[operator]
    assert state(target) == before


@torch.no_grad()
def test_a_clone_alone_stands_beside_one_with_its_source(cloned: ClonedModel, files: list[Path]) -> None:
    target, birds = target_network(), tiny_network("bird", 5, (5, 9, 12))
    x = pictures(3)
    first = pnc.attach_module(target, files[1])
    both = attach(first, birds, package_for(birds, target, 1))
    assert difference(both(x), cloned(x)[:, [0, 1, 2, 3, 6, 4, 5]]) < 1e-5
    assert difference(both.sliced(x)(x), both(x)) < 1e-5


@torch.no_grad()
def test_what_was_attached_without_a_source_can_be_shipped_again(
    cloned: ClonedModel, files: list[Path], tmp_path: Path
) -> None:
    x, target = pictures(3), target_network()
    model = pnc.attach_module(target, files[1])
    model.export(tmp_path / "zoo.safetensors", x)
    assert difference(pnc.load_exported(tmp_path / "zoo.safetensors")(x), model(x)) < 1e-5
    model.export_module(tmp_path / "again.safetensors")
    assert difference(pnc.attach_module(target, tmp_path / "again.safetensors")(x), model(x)) < 1e-5


def test_a_clone_alone_is_smaller_than_its_source_and_holds_no_more_than_is_kept(
    cloned: ClonedModel, files: list[Path], tmp_path: Path
) -> None:
    module = ModulePackage.load(files[0])
    kept = sum(tensor.numel() for tensor in module.kept.values() if tensor.dim() == 4 and tensor.shape[-1] > 1)
    first, second = (int(mask.sum()) for mask in cloned.packages[0].masks.values())  # type: ignore[union-attr]
    assert kept <= 9 * 5 * first + 9 * first * second + 16 * second  # and at most a map of constants
    assert module.nbytes == files[0].stat().st_size
    assert module.info == cloned.packages[0].info
    spec = pnc.NetworkSpec("lenet5", ("a",), (0.5,), (0.5,))
    save_network(tmp_path / "network", pnc.build(spec), spec)
    for other in (files[1], tmp_path / "network"):
        with pytest.raises(PncError, match="expected an export of the kind 'exported model', found "):
            pnc.load_exported(other)


def test_another_target_is_refused_with_both_hashes(files: list[Path]) -> None:
    other = target_network()
    with torch.no_grad():
        other.head.bias[0] += 1e-6
    with pytest.raises(PncError) as caught:
        pnc.attach_module(other, files[0])
    made_for = ModulePackage.load(files[0]).info.target
    assert str(caught.value) == (
        f"target network's SHA-256: expected {made_for} (the package's), found {fingerprint(other)}"
    )


def test_the_same_clone_twice_is_refused(files: list[Path]) -> None:
    model = pnc.attach_module(target_network(), files[0])
    with pytest.raises(PncError, match=r"classes to attach: expected names .*, found \['kiwi', 'owl'\]"):
        pnc.attach_module(model, files[0])


@pytest.mark.parametrize("place", [0.02, 0.5, 0.98])
def test_a_damaged_bit_is_noticed(place: float, files: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(files[0].read_bytes())
    flip_a_bit(path, place)
    with pytest.raises(PncError, match="expected a whole safetensors file, found a damaged one"):
        pnc.attach_module(target_network(), path)


def test_which_clone_is_meant_has_to_be_said_where_there_are_several(cloned: ClonedModel, tmp_path: Path) -> None:
    path = tmp_path / "one.safetensors"
    with pytest.raises(PncError, match=r"package to export: expected one of .*'owl'.*'lynx'.*, found none named"):
        cloned.export_module(path)
    other = copy.copy(cloned.packages[0])
    with pytest.raises(PncError, match=r"package to export: expected one of .*, found another"):
        cloned.export_module(path, other)
    assert not path.exists()


def test_a_clone_whose_target_was_trained_on_is_not_written(cloned: ClonedModel, tmp_path: Path) -> None:
    trained = copy.deepcopy(cloned)
    with torch.no_grad():
        trained.target.get_parameter("module.head.bias")[0] += 1
    with pytest.raises(PncError, match="target network's SHA-256"):
        trained.export_module(tmp_path / "one.safetensors", trained.packages[0])
