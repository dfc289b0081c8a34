"""Clones between networks that ``pnc.wrap`` took from other libraries can be shipped like any other."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from cloned.export._made import cloned_of, difference
from torch import Tensor, nn

import pnc
from pnc.cloned.model import ClonedModel

SIZE = 64
FORMATS = ("safetensors", "pt2", "onnx", "module")
PAIRS = (("timm", "torchvision"), ("torchvision", "timm"), ("timm", "timm"))  # source, target


def network(library: str, classes: int, seed: int) -> pnc.BlockNet:
    """A wrapped mobilenetv3_small_100 or ResNet-18: random weights, batch statistics of random pictures."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _made(library, classes)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None  # statistics are means of all batches
        with torch.no_grad():
            model.train()(torch.randn(16, 3, SIZE, SIZE))
    names = [f"{library} {index}" for index in range(classes)]
    return pnc.wrap(model.eval(), normalise="imagenet", size=SIZE, names=names)


def _made(library: str, classes: int) -> nn.Module:
    if library == "torchvision":
        from torchvision.models import resnet18

        return resnet18(num_classes=classes)
    timm = pytest.importorskip("timm")
    return timm.create_model("mobilenetv3_small_100", num_classes=classes)


def cloned(source: str, target: str, last: bool, shape: tuple[int, ...]) -> ClonedModel:
    """At R = L − 1, or R = 1, with logits that are far from zero."""
    teacher, student = network(source, 5, 0), network(target, 4, 1)
    with torch.no_grad():
        for head in (teacher.head, student.head):
            head.weight.mul_(20)
    position = len(student) - 1 if last else 1
    return cloned_of(teacher, student, position, pictures(shape), "zero_after_bn")


def pictures(shape: tuple[int, ...]) -> Tensor:
    return torch.rand(3, *shape, generator=torch.Generator().manual_seed(1))


def by_onnxruntime(path: Path) -> Callable[[Tensor], Tensor]:
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda x: torch.from_numpy(session.run(["logits"], {"pictures": x.numpy()})[0])


def shipped(model: ClonedModel, how: str, x: Tensor, folder: Path) -> Callable[[Tensor], Tensor]:
    """What a receiver has: the whole model in one of the formats, or the clone alone beside the target."""
    path = folder / f"zoo.{how}"
    if how == "module":
        model.export_module(path)
        return pnc.attach_module(model.original, path)
    model.export(path, x[:1], format=how)  # type: ignore[arg-type]
    readers = {"safetensors": pnc.load_exported, "onnx": by_onnxruntime}
    return torch.export.load(path).module() if how == "pt2" else readers[how](path)


@torch.no_grad()
def check(source: str, target: str, last: bool, how: str, folder: Path, shape: tuple[int, ...]) -> None:
    x, model = pictures(shape), cloned(source, target, last, shape)
    expected = model(x)
    assert expected.std(0).min() > 1e-3 and expected[:, 4:].abs().max() > 0.1
    assert difference(shipped(model, how, x, folder)(x), expected) < 1e-5


@pytest.mark.filterwarnings("ignore")  # what the libraries say about themselves
@pytest.mark.parametrize("how", ["safetensors", "module"])
def test_a_clone_of_a_timm_network_for_a_torchvision_one_is_shipped(how: str, tmp_path: Path) -> None:
    check("timm", "torchvision", True, how, tmp_path, (3, SIZE, SIZE))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("how", FORMATS)
@pytest.mark.parametrize("last", [True, False], ids=["last R", "R = 1"])
@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_every_format_holds_clones_of_wrapped_networks(
    source: str, target: str, last: bool, how: str, tmp_path: Path
) -> None:
    check(source, target, last, how, tmp_path, (3, SIZE, SIZE))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("how", FORMATS)
@pytest.mark.parametrize("shape", [(3, 48, 48), (1, SIZE, SIZE)], ids=["smaller", "grey"])
def test_every_format_holds_the_preprocessing(shape: tuple[int, ...], how: str, tmp_path: Path) -> None:
    check("timm", "torchvision", True, how, tmp_path, shape)
