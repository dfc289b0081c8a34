"""``pnc.wrap``: the same logits, the network's own preprocessing, cuts that are seams, and nothing changed."""

import copy
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from _tiny import content, images, quick, state
from _wrapped import IMAGENET, Classifier, close, flat, logits, pictures
from torch import Tensor, nn
from torchvision.transforms import v2

import pnc
from pnc.base.errors import PncError
from pnc.base.images import Images
from pnc.cloning.clone import make_task
from pnc.cloning.positions import usable_positions

CONFIG = {"mean": IMAGENET[0], "std": IMAGENET[1], "input_size": (3, 16, 16), "interpolation": "bicubic"}


# Preprocessing


@pytest.mark.parametrize("normalise", [IMAGENET, "imagenet", {"mean": IMAGENET[0], "std": IMAGENET[1]}])
@torch.no_grad()
def test_pictures_reach_the_network_as_behind_torchvisions_normalize(normalise: Any) -> None:
    model, x = Classifier(), pictures()
    network = pnc.wrap(model, normalise=normalise, size=16)
    assert torch.equal(network(x), logits(model, v2.Normalize(*map(list, IMAGENET))(x)))
    assert not torch.allclose(network(x), logits(model, x))


@torch.no_grad()
def test_without_preprocessing_pictures_are_taken_as_they_come() -> None:
    model = Classifier()
    network = pnc.wrap(model, example=pictures())
    for size in (16, 24):
        assert torch.equal(network(pictures(size=size)), logits(model, pictures(size=size)))


@pytest.mark.parametrize("size", [16, (16, 16)])
@torch.no_grad()
def test_pictures_of_another_size_are_resized(size: Any) -> None:
    model, x = Classifier(), pictures(size=40)
    expected = logits(model, v2.Resize([16, 16], antialias=True)(x))
    close(pnc.wrap(model, size=size)(x), expected)


@torch.no_grad()
def test_a_data_config_of_timm_says_all() -> None:
    model, x = Classifier(), pictures(size=40)
    network = pnc.wrap(model, normalise=CONFIG)
    small = v2.Resize([16, 16], interpolation=v2.InterpolationMode.BICUBIC, antialias=True)(x).clamp(0, 1)
    close(network(x), logits(model, v2.Normalize(*map(list, IMAGENET))(small)))
    assert network.preprocessing.size == (16, 16)
    assert pnc.wrap(model, normalise=CONFIG, size=24).preprocessing.size == (24, 24)


@torch.no_grad()
def test_grey_and_colour_are_made_of_each_other() -> None:
    grey, colour = Classifier(1), Classifier(3)
    x, y = pictures(channels=3), pictures(channels=1)
    luma = 0.299 * x[:, :1] + 0.587 * x[:, 1:2] + 0.114 * x[:, 2:]
    close(pnc.wrap(grey, size=16)(x), logits(grey, luma))
    close(pnc.wrap(grey, size=16)(y.expand(-1, 3, -1, -1)), logits(grey, y))
    assert torch.equal(pnc.wrap(colour, size=16)(y), logits(colour, y.expand(-1, 3, -1, -1)))
    with pytest.raises(PncError, match="channels of the pictures: expected 3, found 2"):
        pnc.wrap(colour, size=16)(pictures(channels=2))


def test_preprocessing_is_part_of_the_fingerprint() -> None:
    model = Classifier()
    ways: list[dict[str, Any]] = [{}, {"normalise": "imagenet"}, {"size": 24}, {"normalise": CONFIG}]
    prints = [pnc.fingerprint(pnc.wrap(model, **{"size": 16, **way})) for way in ways]
    assert len(set(prints)) == len(ways)
    assert pnc.fingerprint(pnc.wrap(model, size=16)) == prints[0]


# Nothing changes


def test_the_weights_are_the_models_own_and_the_model_stays_as_it_is() -> None:
    model = Classifier().train()
    model.stem[0].weight.requires_grad_(False)
    before = state(model)
    network = pnc.wrap(model, normalise="imagenet", size=16)
    network.train()
    network(pictures())
    assert not any(module.training for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())
    places = {tensor.data_ptr() for tensor in model.state_dict().values()}
    assert all(parameter.data_ptr() in places for parameter in network.parameters())
    network.to(torch.float64)
    assert network(pictures().double()).dtype == torch.float64
    assert state(model) == before


def test_a_copy_and_a_file_give_the_same_logits(tmp_path: Any) -> None:
    network, x = pnc.wrap(Classifier(), normalise="imagenet", size=16), pictures()
    torch.save(network, tmp_path / "network")
    for other in (copy.deepcopy(network), torch.load(tmp_path / "network", weights_only=False)):
        assert torch.equal(other(x), network(x))
        assert pnc.fingerprint(other) == pnc.fingerprint(network)


def test_wrapping_leaves_the_global_generator_alone() -> None:
    model, before = Classifier(), torch.get_rng_state()
    pnc.wrap(model, size=16)
    assert torch.equal(torch.get_rng_state(), before)


# Names


def test_class_names_are_given_or_hugging_faces() -> None:
    model = Classifier(classes=3)
    assert pnc.wrap(model, size=16).class_names is None
    assert pnc.wrap(model, size=16, names=["a", "b", "c"]).class_names == ("a", "b", "c")
    model.config = SimpleNamespace(id2label={"2": "crane", "0": "crane", "1": "owl"})  # type: ignore[assignment]
    assert pnc.wrap(model, size=16).class_names == ("crane (0)", "owl", "crane (2)")
    model.config.id2label = {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}
    assert pnc.wrap(model, size=16).class_names is None


# Refusals


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patch, self.attention = nn.Conv2d(3, 8, 4, stride=4), nn.MultiheadAttention(8, 2)
        self.head = nn.Linear(8, 2)


class Noisy(Classifier):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x + torch.rand_like(x))


CONV = nn.Conv2d(3, 4, 3)
WRONG: dict[str, tuple[nn.Module, dict[str, Any], str]] = {
    "a vision transformer": (
        Attending(),
        {},
        "network: expected a convolutional one, found a vision transformer: self-attention in attention",
    ),
    "no convolution": (nn.Sequential(nn.Linear(3, 2)), {}, "network: expected a convolutional one, found Sequential"),
    "a convolution for a head": (
        nn.Sequential(CONV, nn.Conv2d(4, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        {},
        "the network's head: expected a last layer nn.Linear whose result are the logits, found Flatten",
    ),
    "features for logits": (nn.Sequential(CONV), {}, "the network's result: expected logits [2, classes], found"),
    "another head": (
        Classifier(),
        {"head": "stem"},
        "head: expected the layer that yields the logits, 'head', found",
    ),
    "a block with a way around it": (
        Classifier(),
        {"blocks": ["first.0.mix"]},
        "block 'first.0.mix': expected a module whose result is all that later ones see, found one with a way",
    ),
    "blocks out of order": (Classifier(), {"blocks": ["first", "stem"]}, "blocks: expected modules in the order"),
    "no blocks": (Classifier(), {"blocks": []}, "blocks: expected modules in the order of their calls, at least one"),
    "a stranger for a block": (
        Classifier(),
        {"blocks": [CONV]},
        "block: expected a module of the network, or its name",
    ),
    "an unknown name": (Classifier(), {"blocks": ["third"]}, "block: expected a module of the network, or its name"),
    "a mean too few": (Classifier(), {"normalise": ((0.5,), (0.5,))}, "normalise: expected a mean for each of 3"),
    "a deviation of nothing": (
        Classifier(),
        {"normalise": ((0.5,) * 3, (0.5, 0.5, 0.0))},
        "std: expected 3 positive",
    ),
    "an unknown set": (Classifier(), {"normalise": "cifar"}, "normalise: expected (mean, std), 'imagenet', a dict"),
    "a dict without mean": (Classifier(), {"normalise": {"std": 1}}, "normalise: expected (mean, std), 'imagenet'"),
    "an unknown interpolation": (
        Classifier(),
        {"normalise": {**CONFIG, "interpolation": "random"}},
        "interpolation: expected one of bilinear, bicubic, found random",
    ),
    "a size of nothing": (Classifier(), {"size": 0}, "size: expected a positive height and width, found (0, 0)"),
    "pictures too small": (flat(), {"size": 8}, "pictures for the network (size=, example=): expected what it takes"),
    "a normalised example": (Classifier(), {"example": pictures() - 0.5}, "example: expected pictures in [0, 1], as"),
    "an example that is one picture": (Classifier(), {"example": pictures()[0]}, "example: expected pictures [N, C"),
    "another result every time": (Noisy(), {}, "the wrapped network: expected the model's logits, found a relative"),
    "names too few": (Classifier(), {"names": ["a", "b"]}, "names: expected 5 different ones, found 2"),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_what_cannot_be_wrapped_gets_one_line(case: tuple[nn.Module, dict[str, Any], str]) -> None:
    model, changes, line = case
    before = {name: content(tensor) for name, tensor in model.state_dict().items()}
    with pytest.raises(PncError) as caught:
        pnc.wrap(model, **{"size": 16, **changes})
    assert str(caught.value).startswith(line) and "\n" not in str(caught.value)
    assert {name: content(tensor) for name, tensor in model.state_dict().items()} == before


# Clones between wrapped networks


def test_a_clone_between_a_grey_and_a_colour_network_of_other_sizes() -> None:
    source = pnc.wrap(flat(1, 5), normalise=((0.3,), (0.4,)), size=16, names=[f"bird {i}" for i in range(5)])
    target = pnc.wrap(Classifier(3, 4), normalise="imagenet", size=24, names=[f"animal {i}" for i in range(4)])
    owls = {3: "owl", 1: "kiwi"}
    samples = images(5, 6, size=8).of_classes([3, 1])
    package = pnc.clone(source, target, samples, owls, settings=quick())
    model = pnc.attach(target, source, package)
    x = pictures(size=8)
    assert torch.equal(model(x)[:, :4], target(x))
    close(model.sliced(x)(x), model(x))
    assert model.classes == (*target.class_names, "owl", "kiwi")  # type: ignore[misc]
    assert model.detach() is target
    other = pnc.wrap(flat(1, 5), normalise=((0.5,), (0.4,)), size=16)
    with pytest.raises(PncError, match="source network's SHA-256"):
        pnc.attach(target, other, package)


def test_positions_behind_flatten_are_left_out_and_named_once() -> None:
    source, target = Classifier(), flat(classes=4)  # as a Sequential: a block for each child
    samples = Images(images(5, 6, size=16).pixels, images(5, 6).labels, tuple("abcde")).of_classes([1, 2])
    source_net = pnc.wrap(source, size=16)
    task, _ = make_task(source_net, target, samples, {1: "b", 2: "c"}, rehearsal=None, settings=quick(), seed=0)
    with pytest.warns(UserWarning, match=r"positions R left out of the search, .*: \[7, 8\]$"):
        assert usable_positions(task) == (6, 5, 4, 3, 2, 1, 0)
    wrapped, _ = make_task(source_net, pnc.wrap(target, size=16), samples, {1: "b"} | {2: "c"}, rehearsal=None,
                        settings=quick(), seed=0)  # fmt: skip
    assert usable_positions(wrapped) == (2, 1, 0)
