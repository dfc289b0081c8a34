"""Where ``pnc.wrap`` cuts networks: whatever the cut, the logits are the same and any tail can be sliced."""

import pytest
import torch
from _tiny import built
from _wrapped import IMAGENET, Classifier, LastNorm, NormAct, Residual, close, flat, logits, pictures, randomise
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torchvision.transforms import v2

import pnc
from pnc.arch import as_blocknet
from pnc.base.errors import PncError
from pnc.cloning.slicing import slice_tail, tail_cost
from pnc.cloning.tail import MaskedTail


@torch.no_grad()
def test_any_network_is_cut_where_it_halves_the_picture() -> None:
    model, x = Classifier(), pictures()
    network = pnc.wrap(model, size=16)
    assert [tuple(network.run(x, 0, stop).shape[1:]) for stop in (1, 2, 3)] == [(6, 8, 8), (6, 8, 8), (8, 4, 4)]
    close(network.run(x, 0, 1), logits(nn.Sequential(model.stem, model.pool), x))
    close(network.run(x, 0, 2), logits(nn.Sequential(model.stem, model.pool, model.first), x))
    assert len(network) == 3


@torch.no_grad()
def test_hidden_fully_connected_layers_are_the_last_block() -> None:
    model, x = flat(), pictures()
    network = pnc.wrap(model, size=16)
    assert [tuple(network.run(x, 0, stop).shape[1:]) for stop in (1, 2, 3)] == [(6, 8, 8), (8, 4, 4), (12,)]
    assert torch.equal(network(x), model(x))


@pytest.mark.parametrize("as_modules", [False, True])
@torch.no_grad()
def test_blocks_end_where_they_are_told_to(as_modules: bool) -> None:
    model, x = Classifier(), pictures()
    names = ["stem", "first.0", "first", "second.0"]
    network = pnc.wrap(model, [model.get_submodule(n) for n in names] if as_modules else names, "head", size=16)
    assert len(network) == 5  # second.1 has layers of its own
    close(network.run(x, 0, 1), logits(model.stem, x))
    assert torch.equal(network(x), logits(model, x))


@torch.no_grad()
def test_a_resnet_is_cut_as_it_is_without_wrapping() -> None:
    from torchvision.models import ResNet
    from torchvision.models.resnet import BasicBlock

    model, x = randomise(ResNet(BasicBlock, [1, 1, 1, 1], num_classes=4)).eval(), pictures(size=32)
    network, plain = pnc.wrap(model, size=32), as_blocknet(model)
    assert len(network) == len(plain) == 5
    for stop in range(6):
        close(network.run(x, 0, stop), plain.run(x.clone(), 0, stop))
    layers = [[layer for _, layer in MaskedTail(each, 2, 0.3).masked_layers()] for each in (network, plain)]
    assert all(torch.equal(one.layer.weight, other.layer.weight) for one, other in zip(*layers, strict=True))


@pytest.mark.parametrize("arch", ["lenet5", "resnetc20"])
@torch.no_grad()
def test_a_network_of_pncs_own_keeps_its_blocks(arch: str) -> None:
    network, x = built(arch, "bird", 4, 0), pictures(size=32)
    wrapped = pnc.wrap(network, size=32, names=network.class_names)
    assert len(wrapped) == len(network)
    for stop in range(len(network) + 1):
        close(wrapped.run(x, 0, stop), network.run(x, 0, stop))


@settings(max_examples=8)
@given(
    kinds=st.lists(st.sampled_from(["unit", "last", "half", "pool", "norm act"]), min_size=1, max_size=5),
    hidden=st.booleans(),
    seed=st.integers(0, 99),
)
@torch.no_grad()
def test_whatever_is_wrapped_any_cut_gives_its_logits_and_any_tail_can_be_sliced(
    kinds: list[str], hidden: bool, seed: int
) -> None:
    make = {
        "unit": lambda: Residual(6),
        "last": lambda: LastNorm(6),
        "half": lambda: nn.Conv2d(6, 6, 3, stride=2, padding=1),
        "pool": lambda: nn.MaxPool2d(2, ceil_mode=True),
        "norm act": lambda: nn.Sequential(nn.Conv2d(6, 6, 1, bias=False), NormAct(6)),
    }
    end = [nn.AdaptiveAvgPool2d(1), nn.Flatten()] + [nn.Linear(6, 6), nn.ReLU()] * hidden
    model = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), *(make[kind]() for kind in kinds), *end, nn.Linear(6, 4))
    randomise(model, seed)
    x = pictures(seed=seed)
    network = pnc.wrap(model, normalise="imagenet", size=16)
    expected = logits(model, v2.Normalize(*map(list, IMAGENET))(x))
    for cut in range(len(network) + 1):
        close(network.classify(network.run(network.run(x, 0, cut), cut)), expected)
    for start in range(len(network)):
        h = network.run(x, 0, start)
        tail = MaskedTail(network, start, 0.5).harden()
        close(slice_tail(tail, h[:1])(h), tail(h))


@torch.no_grad()
def test_a_mask_finds_the_norm_inside_a_norm_with_an_activation() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), NormAct(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    network = pnc.wrap(randomise(model), size=8)
    tail = MaskedTail(network, 0, 0.5, "zero_after_bn").harden()
    (mask,) = tail.bits().values()
    assert mask.sum() == 2
    torch.testing.assert_close(tail(pictures(size=8))[:, ~mask], torch.zeros(3, 2), atol=1e-5, rtol=0)
    whole = tail_cost(MaskedTail(network, 0, 1.0).harden(), pictures(1, size=8))["parameters"]
    assert tail_cost(slice_tail(tail, pictures(1, size=8)), pictures(1, size=8))["parameters"] < whole


class Looking(nn.Module):
    """Its forward pass depends on the size of the pictures, which torch.fx cannot follow."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3, stride=2), nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] < 8:
            raise ValueError("pictures of 8 pixels at least")
        return self.head(self.two(self.one(x)).mean((2, 3)))


@torch.no_grad()
def test_what_torch_fx_cannot_follow_takes_one_line() -> None:
    model = randomise(Looking())
    with pytest.raises(PncError, match=r"network: expected a forward pass that torch.fx can follow, found"):
        pnc.wrap(model, size=16)
    network = pnc.wrap(model, ["one", "two"], "head", size=16)
    close(network(pictures()), logits(model, pictures()))


@torch.no_grad()
def test_a_module_that_torch_fx_cannot_follow_stays_whole() -> None:
    class Stem(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 6, 3, stride=2)

        def forward(self, x: Tensor) -> Tensor:
            if x.shape[1] != 3:
                raise ValueError("three channels")
            return self.conv(x)

    layers = [Stem(), nn.ReLU(), nn.Conv2d(6, 5, 3, stride=2), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    model = randomise(nn.Sequential(*layers, nn.Linear(5, 2)))
    network = pnc.wrap(model, size=16)
    assert len(network) == 2
    assert list(MaskedTail(network, 0, 0.5).bits()) == ["0.1.0.conv", "1.2"]
    assert torch.equal(network(pictures()), logits(model, pictures()))
