"""What ``pnc.clone`` takes for samples, and how it refuses what it cannot work with: one line, before any work."""

import copy
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from _tiny import OWLS, built, images, quick, samples, source_and_target, state
from torch import Tensor, nn

import pnc
from pnc.base.errors import PncError
from pnc.base.images import Images, as_float
from pnc.cloning.local.neighbourhood import Neighbourhood

FLOATS = as_float(samples().pixels)
LABELS = samples().labels


def spoilt(**changes: Callable[[nn.Module], Any]) -> dict[str, nn.Module]:
    """Tiny networks, those that are named changed in place, or for what the change returns."""
    networks: dict[str, nn.Module] = dict(zip(("source", "target"), source_and_target(), strict=True))
    for role, change in changes.items():
        found = change(networks[role])
        networks[role] = found if isinstance(found, nn.Module) else networks[role]
    return networks


class Odd(Tensor):
    pass


def lazy(network: Any) -> None:
    network.blocks[1][0] = nn.LazyConv2d(9, 3, 2, 1)


def scripted(network: nn.Module) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.trace(copy.deepcopy(network), torch.rand(1, 3, 8, 8))


def quantised(network: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network.head = torch.ao.nn.quantized.Linear(12, 5)


def named(*names: str) -> Callable[[nn.Module], None]:
    return lambda network: setattr(network, "class_names", names)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "class not in source": (
        {"classes": {5: "owl"}},
        "classes to clone: expected outputs of the source, 0…4, found [5]",
    ),
    "no classes": ({"classes": {}}, "classes to clone: expected at least one, found none"),
    "T_s overlaps T_t": (
        {"classes": {3: "owl", 1: "target 2"}},
        "classes to clone (T_s): expected names that the target (T_t) lacks, found ['target 2']",
    ),
    "two classes of one name": ({"classes": {3: "owl", 1: "owl"}}, "class names: expected different ones"),
    "no samples": ({"samples": []}, "samples (D_t): expected at least one batch of (pictures, labels), found none"),
    "an empty batch": (
        {"samples": [(FLOATS[:0], LABELS[:0])]},
        "samples (D_t): expected pictures of each class out of [3, 1], found none of [1, 3]",
    ),
    "strangers": (
        {"samples": images(5, 4)},
        "labels of samples (D_t): expected classes out of [3, 1], found [0, 2, 4]",
    ),
    "a class without pictures": (
        {"samples": samples({3: "owl"})},
        "samples (D_t): expected pictures of each class out of [3, 1], found none of [1]",
    ),
    "one picture of a class": (
        {"samples": samples(each=1)},
        "pictures of class 'owl' to hold some out of:",
    ),
    "grey pictures": (
        {"samples": Images(samples().pixels[:, :1], LABELS, tuple("abcde"))},
        "channels of pictures for the source: expected 3, found 1",
    ),
    "pictures too small": (
        {"samples": samples(size=4), "source": built("lenet5", "bird", 5, 0)},
        "a picture [3, 4, 4] through the source network: expected logits [1, 5], found RuntimeError: ",
    ),
    "a grid that does not fit": (
        {"settings": quick(neighbourhood=Neighbourhood(grid=3))},
        "settings.neighbourhood.grid: expected a divisor of the pictures' 8×8 pixels, found 3",
    ),
    "floats above 1": (
        {"samples": [(FLOATS * 255, LABELS)]},
        "pixels of samples (D_t): expected uint8, or floats in [0, 1], found floats in [",
    ),
    "floats below 0": (
        {"samples": [(FLOATS - 0.5, LABELS)]},
        "pixels of samples (D_t): expected uint8, or floats in",
    ),
    "not a number": (
        {"samples": [(FLOATS * torch.nan, LABELS)]},
        "pixels of samples (D_t): expected uint8, or floats",
    ),
    "whole numbers": (
        {"samples": [(FLOATS.long(), LABELS)]},
        "pixels of samples (D_t): expected uint8, or floats in",
    ),
    "tensors in place of batches": (
        {"samples": (FLOATS, LABELS)},
        "samples (D_t): expected batches of pictures [n, C, H, W] and labels [n], found [[12, 3, 8, 8]]",
    ),
    "a data set in place of batches": (
        {"samples": [(FLOATS[0], 3)]},
        "samples (D_t): expected batches of pictures [n, C, H, W] and labels [n], found [[3, 8, 8], 'int']",
    ),
    "fewer labels than pictures": (
        {"samples": [(FLOATS, LABELS[:-1])]},
        "samples (D_t): expected batches of pictures [n, C, H, W] and labels [n], found [[12, 3, 8, 8], [11]]",
    ),
    "pictures of two sizes": (
        {"samples": [(FLOATS[:6], LABELS[:6]), (FLOATS[6:, :, :4], LABELS[6:])]},
        "pictures of samples (D_t): expected one size, found [(3, 4, 8), (3, 8, 8)]",
    ),
    "position out of range": ({"positions": [1, 3]}, "positions R: expected blocks of the target, 0…2, found [1, 3]"),
    "no positions": ({"positions": []}, "positions R: expected blocks of the target, 0…2, found []"),
    "a rehearsal without samples": (
        {"settings": quick(regime="rehearsal")},
        "regime rehearsal: expected samples of the target's classes (D_o), found none",
    ),
    "strangers in the rehearsal": (
        {"rehearsal": images(5, 4)},
        "labels of rehearsal samples (D_o): expected classes out of [0, 1, 2, 3], found [4]",
    ),
    "a rehearsal of another size": (
        {"rehearsal": images(4, 4, size=16)},
        "rehearsal samples (D_o): expected pictures [3, 8, 8], found [3, 16, 16]",
    ),
    "strict in so many words, with a rehearsal": (
        {"settings": quick(regime="strict"), "rehearsal": images(4, 4)},
        "settings.regime beside rehearsal samples (D_o): expected rehearsal (or no rehearsal samples), found strict",
    ),
    "the same as a mapping": (
        {"settings": {"regime": "strict"}, "rehearsal": images(4, 4)},
        "settings.regime beside rehearsal samples (D_o): expected rehearsal (or no rehearsal samples), found strict",
    ),
    "an unknown setting": (
        {"settings": {"kept": 0.5}},
        "settings: unknown key: expected one of adapter, anneal, calibration, ",
    ),
    "no file of settings": ({"settings": "no.json"}, "no.json: expected a JSON file, found no file"),
    "labels between classes": (
        {"samples": [(FLOATS, LABELS + 0.7)]},
        "labels of samples (D_t): expected whole numbers, one class each, found 1.7",
    ),
    "no samples at all": (
        {"samples": None},
        "samples (D_t): expected Images, or batches of (pictures, labels), found",
    ),
    "an unknown name": (
        {"classes": ["owl"]},
        "class to clone: expected one of the source's: source 0, source 1, source 2, source 3, source 4, found 'owl'",
    ),
    "a name, but the source has none": (
        {"classes": ["owl"], **spoilt(source=named())},
        "class to clone: expected a number (the source names no classes), found 'owl'",
    ),
    "a number between outputs": (
        {"classes": {1.0: "owl"}},
        "class to clone: expected an output of the source, 0…4, or its name, found 1.0",
    ),
    "a truth for an output": ({"classes": [True]}, "class to clone: expected an output of the source, 0…4, or its"),
    "a class twice": ({"classes": [3, "source 3"]}, "classes to clone: expected each once, found 'source 3' again"),
    "a name that is none": ({"classes": {3: 7}}, "classes to clone: expected names that are not empty, found 7"),
    "another class's name": (
        {"classes": {3: "source 1", 1: "kiwi"}},
        "name of class 3: expected 'source 3', or a new name, found 'source 1', the name of output 1 (which output",
    ),
    "a swapped pair": (
        spoilt(target=named("rook", "kiwi", "lynx", "owl")),
        "classes to clone (T_s): expected names that the target (T_t) lacks, found ['kiwi', 'owl'] (at these very "
        "outputs: are source and target swapped?)",
    ),
    "half precision": (
        spoilt(source=lambda network: network.half()),
        "type of the source network's weights: expected torch.float32 (network.float() makes it so), found "
        "torch.float16 in 'blocks.0.1.weight'",
    ),
    "bfloat16": (
        spoilt(target=lambda network: network.bfloat16()),
        "type of the target network's weights: expected torch.float32 (network.float() makes it so), found torch.bf",
    ),
    "double precision": (
        spoilt(source=lambda network: [network.head.double()]),  # type: ignore[union-attr, operator]
        "type of the source network's weights: expected torch.float32 (network.float() makes it so), found "
        "torch.float64 in 'head.weight'",
    ),
    "weights without values": (
        spoilt(target=lambda network: network.to("meta")),
        "target network: expected weights with values, found 'blocks.0.1.weight' on the device meta",
    ),
    "a lazy layer": (
        spoilt(source=lazy),
        "source network: expected float32 layers of plain PyTorch, found a lazy layer that has seen no picture yet "
        "(LazyConv2d at 'blocks.1.0')",
    ),
    "TorchScript": (
        spoilt(source=scripted),
        "source network: expected float32 layers of plain PyTorch, found a TorchScript module",
    ),
    "a quantised layer": (
        spoilt(source=quantised),
        "source network: expected float32 layers of plain PyTorch, found a quantised layer (Linear at 'head')",
    ),
    "a tensor of another kind": (
        spoilt(
            source=lambda network: setattr(network.head, "weight", nn.Parameter(torch.rand(5, 12).as_subclass(Odd)))
        ),
        "source network: expected plain tensors, found a Odd in 'head.weight'",
    ),
    "settings that are none": ({"settings": [3]}, "settings: expected the keys of CloneSettings, found [3]"),
    "a weight that is no number": (
        spoilt(source=lambda network: network.head.weight.data[1].fill_(torch.nan)),  # type: ignore[union-attr]
        "weights of the source network: expected finite numbers, found nan in 'head.weight'",
    ),
    "an infinite statistic": (
        spoilt(target=lambda network: network.get_buffer("blocks.1.1.running_var").fill_(-torch.inf)),
        "weights of the target network: expected finite numbers, found -inf in 'blocks.1.1.running_var'",
    ),
    "no network": ({"source": 3}, "source network: expected an nn.Module, found int"),
    "an unknown kind of source": (
        {"source": nn.Linear(3, 5)},
        "network: expected a pnc.BlockNet, a torchvision ResNet or an nn.Sequential ending in nn.Linear, found",
    ),
    "an unknown kind of target": (
        {"target": nn.Sequential(nn.Conv2d(3, 5, 3))},
        "network: expected a pnc.BlockNet, a",
    ),
}


@pytest.mark.parametrize("changes_and_line", WRONG.values(), ids=WRONG)
def test_bad_input_gets_one_line_before_any_work(
    changes_and_line: tuple[dict[str, Any], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    changes, line = changes_and_line
    monkeypatch.setattr("pnc.cloning.local.local_models.LocalModels", None)  # nothing may come so far
    source, target = source_and_target()
    before = state(source), state(target)
    given = {"source": source, "target": target, "samples": samples(), "classes": OWLS, "settings": quick()}
    with pytest.raises(PncError) as caught:
        pnc.clone(**{**given, **changes})
    assert str(caught.value).startswith(line) and "\n" not in str(caught.value)
    assert (state(source), state(target)) == before
