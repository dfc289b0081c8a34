"""How the command line names networks, and what it says of what is none."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from _commands import ANIMALS, make_files, small_network
from safetensors.torch import save_file
from torch import nn

import pnc
from pnc.arch import fingerprint
from pnc.base.errors import PncError
from pnc.commands._networks import Reference, picture_kind, read_network

TORCHVISION, TIMM = "shufflenet_v2_x0_5", "lcnet_050"


@pytest.fixture(scope="module")
def shuffle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of torchvision's network for seven classes."""
    from torchvision.models import get_model

    path = tmp_path_factory.mktemp("torchvision") / "seven.pth"
    torch.save(get_model(TORCHVISION, num_classes=7).state_dict(), path)
    return path


def rewritten(path: Path, change: Any) -> Path:
    torch.save(change(torch.load(path)), path.with_name("changed.pth"))
    return path.with_name("changed.pth")


def test_a_saved_network_is_read_as_it_was_saved(tmp_path: Path) -> None:
    found = read_network(str(make_files(tmp_path) / "animals.safetensors"))
    assert fingerprint(found.network) == fingerprint(small_network(ANIMALS, 2)[0])
    assert (found.names, found.size, found.channels, found.adapts) == (ANIMALS, 8, 3, False)


def test_torchvision_is_wrapped_behind_its_own_preprocessing(shuffle: Path) -> None:
    from torchvision.models import get_model

    found = read_network(f"torchvision:{TORCHVISION}@{shuffle},size=64")
    model = get_model(TORCHVISION, num_classes=7)
    model.load_state_dict(torch.load(shuffle))
    expected = pnc.wrap(model.eval(), normalise="imagenet", size=64)
    assert fingerprint(found.network) == fingerprint(expected)
    assert (found.network.classes, found.size, found.adapts) == (7, 64, True)
    assert found.names == tuple("0123456")


def test_timm_is_wrapped_behind_its_own_config(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    model = timm.create_model(TIMM, num_classes=3).eval()
    save_file(model.state_dict(), tmp_path / "three.safetensors")
    found = read_network(f"timm:{TIMM}@{tmp_path / 'three.safetensors'},size=64")
    assert fingerprint(found.network) == fingerprint(pnc.wrap(model, normalise=model.pretrained_cfg, size=64))
    assert found.network.classes == 3


def test_without_a_size_it_is_the_librarys() -> None:
    from pnc.commands._checkpoints import _timm_config, _torchvision_config

    assert _torchvision_config(TORCHVISION, nn.Module())["input_size"] == (3, 224, 224)
    assert _torchvision_config("inception_v3", nn.Module())["input_size"] == (3, 299, 299)
    model = nn.Module()
    model.pretrained_cfg = {"mean": (0.5,)}  # type: ignore[assignment]
    assert _timm_config(TIMM, model) == {"mean": (0.5,)}


def test_names_and_normalisation_may_be_said(shuffle: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("".join(f"bird {index}\n" for index in range(7)))
    text = f"torchvision:{TORCHVISION}@{shuffle},size=32,names={names},mean=0.5/0.4/0.3,std=1/1/1"
    found = read_network(text)
    assert found.names == tuple(f"bird {index}" for index in range(7))
    assert found.network.preprocessing.mean == (0.5, 0.4, 0.3)  # type: ignore[union-attr]
    assert found.reference.files == (shuffle, names)
    assert str(found.reference) == text
    names.write_text("owl\n")
    with pytest.raises(PncError, match="names: expected 7 different ones, found 1"):
        read_network(text)


@pytest.mark.parametrize(
    "change",
    [
        lambda weights: {"state_dict": weights, "epoch": 3},
        lambda weights: {"model": OrderedDict((f"module.{name}", each) for name, each in weights.items())},
        lambda weights: {name: each for name, each in weights.items() if "num_batches" not in name},
    ],
    ids=["among other things", "of DataParallel", "of an old version"],
)
def test_checkpoints_come_as_training_scripts_leave_them(change: Any, shuffle: Path) -> None:
    expected = read_network(f"torchvision:{TORCHVISION}@{shuffle},size=32").network
    found = read_network(f"torchvision:{TORCHVISION}@{rewritten(shuffle, change)},size=32").network
    pictures = torch.rand(2, 3, 32, 32)
    assert torch.equal(found(pictures), expected(pictures))


def test_building_a_network_draws_nothing_from_the_global_generator(shuffle: Path) -> None:
    state = torch.get_rng_state()
    read_network(f"torchvision:{TORCHVISION}@{shuffle},size=32")
    assert torch.equal(torch.get_rng_state(), state)


def test_a_picture_size_is_that_of_the_network_that_takes_no_other(shuffle: Path, tmp_path: Path) -> None:
    own = read_network(str(make_files(tmp_path) / "animals.safetensors"))
    wrapped = read_network(f"torchvision:{TORCHVISION}@{shuffle},size=32")
    assert [picture_kind(each, None) for each in ([own, wrapped], [wrapped], [own])] == [(8, 3), (32, 3), (8, 3)]
    assert picture_kind([own, wrapped], 16) == (16, 3)


WRONG = {
    "no file": ("nowhere.safetensors", "network 'nowhere.safetensors': expected a file that pnc.save_network wrote"),
    "no checkpoint": ("timm:resnet18", "network 'timm:resnet18': expected timm:NAME@FILE, with the file of its"),
    "no name": ("torchvision:@HERE", "expected torchvision:NAME@FILE, with the file of its weights, found no name"),
    "no option": (
        f"torchvision:{TORCHVISION}@HERE,crop=3",
        "with a key out of mean, names, size, std, found 'crop=3'",
    ),
    "an option without a value": (f"torchvision:{TORCHVISION}@HERE,size", "found 'size'"),
    "no number": (f"torchvision:{TORCHVISION}@HERE,size=big", "expected a number, found big"),
    "no numbers": (f"torchvision:{TORCHVISION}@HERE,mean=a/b", "expected 0.5/0.5/0.5, found a/b"),
    "no names": (f"torchvision:{TORCHVISION}@HERE,names=nowhere", "nowhere: expected a file with a name for each"),
    "no such network": ("torchvision:resnet17@HERE", "network of torchvision: expected one that it lists, found 're"),
    "another network": ("torchvision:mnasnet0_5@HERE", "expected the weights of torchvision:mnasnet0_5, found"),
    "a bare checkpoint": ("HERE", "found a checkpoint, without a word of which network it is of"),
    "no weights": ("torchvision:resnet18@TEXT", "expected weights alone, as torch.save(model.state_dict(), path)"),
    "a number": ("torchvision:resnet18@NUMBER", "expected a state dict, name → tensor, found a int"),
    "no safetensors": ("timm:resnet18@TEXT.safetensors", "expected a whole safetensors file, found a damaged one"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_network_is_one_line(case: str, shuffle: Path, tmp_path: Path) -> None:
    text, line = WRONG[case]
    for name in ("TEXT", "TEXT.safetensors"):
        (tmp_path / name).write_text("no network at all")
    torch.save(3, tmp_path / "NUMBER")
    (tmp_path / "HERE.pth").write_bytes(shuffle.read_bytes())
    text = text.replace("HERE", str(tmp_path / "HERE.pth"))
    for name in ("TEXT", "NUMBER"):
        text = text.replace(name, str(tmp_path / name))
    with pytest.raises(PncError) as caught:
        read_network(text)
    assert line in str(caught.value) and "\n" not in str(caught.value)


def test_an_exported_program_is_refused_and_could_not_be_wrapped(tmp_path: Path) -> None:
    network, _ = small_network(ANIMALS, 2)
    program = torch.export.export(network, (torch.rand(2, 3, 8, 8),))
    torch.export.save(program, tmp_path / "animals.pt2")
    with pytest.raises(PncError, match="found an exported program: its convolutions are bare operations"):
        read_network(str(tmp_path / "animals.pt2"))
    with pytest.raises(PncError, match="expected a convolutional one, found GraphModule without convolutions"):
        pnc.wrap(program.module(), size=8)


def test_moving_a_reference_moves_every_file() -> None:
    reference = Reference.parse("timm:resnet18@a/w.pth,names=n.txt,size=3")
    assert str(reference.moved(lambda path: Path("up") / path)) == "timm:resnet18@up/a/w.pth,names=up/n.txt,size=3"
    assert str(Reference.parse("x.safetensors").moved(lambda path: Path("up") / path)) == "up/x.safetensors"
