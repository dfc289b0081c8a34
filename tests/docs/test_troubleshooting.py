"""Every line of docs/troubleshooting.md is one that pnc really says."""

import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from _pages import DOCS, blocks
from _tiny import OWLS, images, package_for, pictures, quick, samples, source_and_target, tiny_network
from torch import nn

import pnc
from pnc.base.images import as_float
from pnc.cloning.package import ClonePackage

LINES = [block.text.strip() for block in blocks(DOCS / "troubleshooting.md") if block.language == "text"]
CASES: dict[str, Callable[[], Any]] = {}


def case(provoke: Callable[[], Any]) -> Callable[[], Any]:
    """Register what makes pnc say a line of the page."""
    CASES[provoke.__name__] = provoke
    return provoke


def clone(**changes: Any) -> ClonePackage:
    """What goes well, with ``changes``."""
    source, target = source_and_target()
    given = {"source": source, "target": target, "samples": samples(), "classes": OWLS, "settings": quick()}
    return pnc.clone(**(given | {"positions": [2]} | changes))


def attached(*packages: ClonePackage) -> pnc.ClonedModel:
    """The tiny target with ``packages``, by default owls and kiwis."""
    source, target = source_and_target()
    model: Any = target
    for package in packages or (owls(),):
        model = pnc.attach(model, source, package)
    return model


def owls(**changes: Any) -> ClonePackage:
    source, target = source_and_target()
    return package_for(source, target, 1, **changes)


def flat(size: int, classes: int = 5) -> nn.Sequential:
    """A network for pictures of ``size`` × ``size`` pixels and no others, whose last blocks are fully connected."""
    conv = nn.Conv2d(3, 4, 3, padding=1)
    hidden = nn.Linear(4 * size**2, 8)
    return nn.Sequential(conv, nn.Flatten(), hidden, nn.ReLU(), nn.Linear(8, classes)).eval()


@case
def a_source_that_never_gives_the_labels() -> None:
    source, _ = source_and_target()
    source.head.weight.data.zero_()
    clone(source=source)


@case
def a_class_that_looks_like_an_old_one() -> None:
    source, target = source_and_target()
    target.head.weight.data.zero_()  # knows nothing, and so confuses everything
    clone(source=source, target=target)


@case
def hidden_layers_that_are_fully_connected() -> None:
    clone(source=flat(8), positions=None)


@case
def filters_of_another_kind() -> None:
    source, _ = source_and_target()
    source.blocks[2] = nn.Sequential(nn.ConvTranspose2d(9, 12, 1), nn.ReLU())
    clone(source=source)


@case
def labels_of_other_classes() -> None:
    clone(samples=images(5, 6))


@case
def a_class_without_pictures() -> None:
    clone(samples=samples().of_classes([3]))


@case
def a_single_picture() -> None:
    clone(samples=images(5, 1).of_classes([3, 1]))


@case
def normalised_pictures() -> None:
    clone(samples=[(4 * as_float(samples().pixels) - 2, samples().labels)])


@case
def pictures_without_labels() -> None:
    clone(samples=[samples().pixels])


@case
def grey_pictures() -> None:
    clone(samples=[(torch.rand(12, 1, 8, 8), samples().labels)])


@case
def a_grid_that_does_not_fit() -> None:
    clone(samples=samples(size=10), settings=None)


@case
def an_output_that_is_not_there() -> None:
    clone(classes={9: "owl"})


@case
def a_name_that_is_not_there() -> None:
    clone(classes=["eagle"])


@case
def a_name_of_another_output() -> None:
    clone(classes={3: "source 1", 1: "kiwi"})


@case
def a_name_of_the_target() -> None:
    clone(classes={3: "target 1", 1: "kiwi"})


@case
def a_package_that_is_attached_already() -> None:
    attached(owls(), owls())


class Other(nn.Module):
    """A network that says nothing about its blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 1), nn.Linear(4, 5)


@case
def a_network_that_is_no_chain() -> None:
    clone(source=Other())


@case
def a_vision_transformer() -> None:
    pnc.wrap(nn.Sequential(nn.Conv2d(3, 8, 1), nn.Flatten(2), nn.TransformerEncoderLayer(64, 2, 16)))


@case
def a_network_without_a_linear_head() -> None:
    pnc.wrap(nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()), size=8)


@case
def a_wrapped_network_of_another_size() -> None:
    pnc.wrap(flat(8), size=16)


@case
def pictures_of_another_size() -> None:
    clone(target=flat(16))


@case
def half_precision() -> None:
    clone(source=source_and_target()[0].half())


@case
def a_diverged_network() -> None:
    _, target = source_and_target()
    target.head.weight.data[0, 0] = float("nan")
    clone(target=target)


@case
def an_unknown_setting() -> None:
    clone(settings={"kept": 0.5})


@case
def a_setting_out_of_range() -> None:
    clone(settings={"keep": 3})


@case
def a_position_that_is_not_there() -> None:
    clone(positions=[7])


@case
def strict_with_rehearsal_samples() -> None:
    clone(settings={"regime": "strict"}, rehearsal=images(4, 6, "target"))


@case
def rehearsal_without_samples() -> None:
    clone(settings=quick(regime="rehearsal"))


@case
def another_target() -> None:
    pnc.attach(tiny_network("target", 4, seed=5), source_and_target()[0], owls())


@case
def exchanged_networks() -> None:
    source, target = source_and_target()
    pnc.attach(source, target, owls())


@case
def a_target_that_was_trained_on() -> None:
    source, target = source_and_target()
    cloned = pnc.attach(target, source, owls())
    target.head.weight.data = target.head.weight.data * 2
    cloned(pictures(1))


@case
def a_package_that_is_not_attached() -> None:
    attached().detach("eagle")


@case
def a_file_that_is_not_there() -> None:
    pnc.ClonePackage.load("owl.pnc")


@case
def a_damaged_file() -> None:
    owls().save("owls.pnc")
    content = bytearray(Path("owls.pnc").read_bytes())
    content[-1] ^= 1
    Path("owls.pnc").write_bytes(content)
    pnc.ClonePackage.load("owls.pnc")


@case
def a_file_of_another_kind() -> None:
    owls().save("owls.pnc")
    pnc.load_exported("owls.pnc")


@case
def an_unknown_format() -> None:
    attached().export("zoo.tflite", pictures(2))


@case
def an_export_of_nobody_knows_which() -> None:
    attached(owls(), owls(classes=(0, 2), names=("emu", "tit"))).export_module("clone.safetensors")


@case
def pictures_of_another_shape_than_exported() -> None:
    attached().export("zoo.safetensors", pictures(2))
    pnc.load_exported("zoo.safetensors")(pictures(2, 16))


def said_by(provoke: Callable[[], Any]) -> Iterator[str]:
    """The lines that pnc warns with, and the one that it refuses with."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", pnc.PncWarning)
        try:
            provoke()
        except pnc.PncError as error:
            yield str(error)
    yield from (str(each.message) for each in seen if issubclass(each.category, pnc.PncWarning))


def fits(line: str, said: str) -> bool:
    """Whether pnc ``said`` a line of the page, in which … stands for anything."""
    return re.fullmatch(".+".join(map(re.escape, line.split("…"))), said) is not None


HEARD: dict[str, list[str]] = {}


@pytest.mark.parametrize("provoke", CASES.values(), ids=CASES)
def test_the_page_has_what_pnc_says(
    provoke: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = HEARD[provoke.__name__] = list(said_by(provoke))
    assert said
    for one in said:
        assert any(fits(line, one) for line in LINES), one


def test_pnc_says_what_the_page_has() -> None:
    if len(HEARD) < len(CASES):
        pytest.skip("needs the cases above to have run")
    heard = [said for lines in HEARD.values() for said in lines]
    assert [line for line in LINES if not any(fits(line, said) for said in heard)] == []
