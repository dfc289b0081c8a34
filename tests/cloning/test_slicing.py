"""A sliced tail equals the masked one, for whatever its blocks are made of, and costs what is kept."""

import copy
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import cycle
from typing import get_args

import pytest
import torch
from _tiny import randomise_norms
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pnc.arch import ARCHITECTURES, BlockNet, NetworkSpec, build
from pnc.base.errors import PncError
from pnc.base.seeds import generator
from pnc.cloning.masks import MaskReading
from pnc.cloning.slicing import SlicedTail, slice_tail, tail_cost
from pnc.cloning.tail import MaskedTail

READINGS: tuple[MaskReading, ...] = get_args(MaskReading)


@pytest.fixture(autouse=True, scope="module")
def single_thread() -> Iterator[None]:
    """Many tiny convolutions: threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@cache
def network_of(arch: str) -> BlockNet:
    spec = NetworkSpec(arch, ("a", "b"), mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.2), width=0.25)
    return randomise_norms(build(spec))


def features(network: BlockNet, start: int, size: int = 32, seed: int = 0) -> Tensor:
    """Two pictures' features [2, C, H, W] that enter block ``start``."""
    pictures = torch.rand(2, 3, size, size, generator=generator(seed, "pictures"))
    with torch.no_grad():
        return network.run(pictures, 0, start)


def hardened(network: BlockNet, start: int, keep: float, reading: MaskReading = "zero", seed: int = 0) -> MaskedTail:
    """A tail with random masks of the size that ``keep`` asks for, and random constants if its reading has some."""
    tail = MaskedTail(network, start, keep, reading)
    for name, layer in tail.masked_layers():
        assert layer.scores is not None
        layer.scores.data.uniform_(generator=generator(seed, name))
        if layer.rescales:
            gain = torch.rand(len(layer.on), generator=generator(seed, name, "gain")) * 1.5 + 0.5
            layer.rescale(
                torch.ones_like(layer.on), gain, torch.randn(len(layer.on), generator=generator(seed, name))
            )
    return tail.harden()


def random_bits(tail: MaskedTail, rate: float, seed: int) -> Mapping[str, Tensor]:
    """Each filter on with probability ``rate``: some layers may have none."""
    draws = {name: torch.rand(len(bits), generator=generator(seed, name)) for name, bits in tail.bits().items()}
    return {name: draw < rate for name, draw in draws.items()}


def relative_error(tail: nn.Module, sliced: nn.Module, h: Tensor) -> float:
    with torch.no_grad():
        expected, found = tail(h), sliced(h)
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max().clamp_min(0.1))


def snapshot(*modules: nn.Module) -> list[Tensor]:
    return [tensor.clone() for module in modules for tensor in module.state_dict().values()]


@pytest.mark.parametrize(("keep", "share"), [(0.3, 0.0), (0.7, 0.5), (1.0, 0.5)])
@pytest.mark.parametrize("arch", ARCHITECTURES.names())
def test_every_architecture_sliced_at_every_position_equals_its_masked_self(
    arch: str, keep: float, share: float
) -> None:
    """Other fractions than the usual one at the later positions alone, where a tail is short."""
    network, readings = network_of(arch), cycle(READINGS if keep == 0.3 else READINGS[::-1])
    for start, reading in zip(range(int(share * len(network)), len(network)), readings, strict=False):
        h = features(network, start)
        tail = hardened(network, start, keep, reading)
        sliced = slice_tail(tail, features(network, start, seed=1)[:1])
        assert relative_error(tail, sliced, h) < 1e-5, (start, reading)


@settings(max_examples=25)
@given(
    arch=st.sampled_from(["lenet5", "plain_cnn", "resnetc20", "shufflenetv2"]),
    back=st.integers(1, 3),
    reading=st.sampled_from(READINGS),
    rate=st.floats(0, 1),
    seed=st.integers(0, 2**31),
)
def test_any_mask_can_be_sliced(arch: str, back: int, reading: MaskReading, rate: float, seed: int) -> None:
    network = network_of(arch)
    start = len(network) - back
    tail = MaskedTail(network, start, 1, reading)
    tail.harden(random_bits(tail, rate, seed))
    h = features(network, start)
    assert relative_error(tail, slice_tail(tail, h[:1]), h) < 1e-5


@pytest.mark.parametrize("arch", ["lenet5", "resnetc20", "shufflenetv2"])
def test_a_tail_of_which_nothing_is_kept_is_a_constant(arch: str) -> None:
    network = network_of(arch)
    tail = MaskedTail(network, 1, 1)
    tail.harden(random_bits(tail, 0, 0))
    h = features(network, 1)
    sliced = slice_tail(tail, h[:1])
    assert tail_cost(sliced, h)["macs"] == 0
    assert torch.equal(sliced(h)[0], sliced(h)[1])
    assert relative_error(tail, sliced, h) < 1e-5


class PreActivation(nn.Module):
    """BN before its layer, a multiplying depthwise convolution, a pool with padding, and a sum with itself."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, stride=2)
        self.norm = nn.BatchNorm2d(6)
        self.depthwise = nn.Conv2d(6, 12, 3, padding=1, groups=6)
        self.mix = nn.Conv2d(12, 6, 1)
        self.pool = nn.MaxPool2d(3, stride=1, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = self.mix(self.depthwise(torch.relu(self.norm(x))))
        return self.pool(x + y) + (y + y)


class Unusual(nn.Module):
    """Operations without a rule, beside a grouped convolution, splits, shuffles, and channels in other places."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=2, padding_mode="reflect")
        self.grouped = nn.Conv2d(8, 8, 3, padding=1, groups=2)
        self.group_norm = nn.GroupNorm(2, 8)
        self.shuffle = nn.ChannelShuffle(4)
        self.excite = nn.Conv2d(8, 8, 1)
        self.last = nn.Conv2d(10, 8, 3, dilation=2)
        self.scale = nn.Parameter(torch.linspace(0.5, 2, 8).view(1, 8, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.shuffle(self.stem(x)).relu()
        first, second, third = x.split([3, 3, 2], dim=1)
        y = self.group_norm(self.grouped(torch.cat([second, first, third], 1))) * self.scale
        y = y * torch.sigmoid(self.excite(y.mean((2, 3), keepdim=True)))
        y = y.view(y.size(0), 4, 2, y.size(2), y.size(3)).transpose(1, 2).flatten(1, 2)
        return self.last(torch.cat((y, third), dim=1))


class Connected(nn.Module):
    """Fully connected layers in a block: on flattened features, and on the last dimension of four."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=3)
        self.along_rows = nn.Linear(4, 5)
        self.flat = nn.Sequential(nn.Flatten(), nn.Linear(4 * 4 * 5, 12), nn.ReLU(inplace=True), nn.Linear(12, 6))

    def forward(self, x: Tensor) -> Tensor:
        return self.flat(self.along_rows(self.conv(x))).unflatten(1, (6, 1, 1))


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("block", [PreActivation, Unusual, Connected])
@pytest.mark.parametrize("rate", [0.0, 0.4, 0.8, 1.0])
def test_blocks_of_any_make_can_be_sliced(block: type[nn.Module], rate: float, reading: MaskReading) -> None:
    made = block()
    network = BlockNet([made], nn.Linear(8 if block is Unusual else 6, 2))
    randomise_norms(network)
    h = features(network, 0, size=12)
    for seed in range(3):
        tail = MaskedTail(network, 0, 1, reading)
        tail.harden(random_bits(tail, rate, seed))
        assert relative_error(tail, slice_tail(tail, h[:1]), h) < 1e-5


def test_pooling_to_more_than_one_place_keeps_the_order_of_the_embedding() -> None:
    blocks = [nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU())]
    network = BlockNet(blocks, nn.Linear(24, 2), pool=nn.AdaptiveMaxPool2d(2))
    h = features(network, 0, size=8)
    tail = hardened(network, 0, 0.5)
    sliced = slice_tail(tail, h[:1])
    assert sliced(h).shape == (2, 24)
    assert relative_error(tail, sliced, h) < 1e-5


def test_a_tail_without_layers_is_sliced_to_itself() -> None:
    blocks = [nn.Conv2d(3, 6, 3), nn.Sequential(nn.BatchNorm2d(6), nn.ReLU())]
    network = randomise_norms(BlockNet(blocks, nn.Linear(6, 2)))
    h = features(network, 1, size=8)
    tail = MaskedTail(network, 1, 0.3)
    assert relative_error(tail, slice_tail(tail, h[:1]), h) < 1e-5


def test_a_slice_holds_copies_of_just_the_kept_filters_and_their_alive_inputs() -> None:
    network = network_of("lenet5")
    tail = hardened(network, 1, 0.5)
    c3, c5, f6 = (int(bits.sum()) for bits in tail.bits().values())
    h = features(network, 1)
    sliced = slice_tail(tail, h[:1])
    entering = h.shape[1]
    assert tail_cost(sliced, h)["parameters"] == (25 * entering + 1) * c3 + (25 * c3 + 1) * c5 + (c5 + 1) * f6
    storages = {parameter.data_ptr() for parameter in network.parameters()}
    assert not storages & {parameter.data_ptr() for parameter in sliced.parameters()}


def test_a_depthwise_layer_and_the_one_before_it_keep_only_what_both_do() -> None:
    block = nn.Sequential(
        nn.Conv2d(3, 4, 1, bias=False), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False)
    )
    network = BlockNet([block], nn.Linear(4, 2))
    tail = MaskedTail(network, 0, 1)
    tail.harden({"0.0": torch.tensor([1, 1, 0, 0]) > 0, "0.2": torch.tensor([0, 1, 1, 0]) > 0})
    h = features(network, 0, size=6)
    sliced = slice_tail(tail, h[:1])
    assert tail_cost(sliced, h)["macs"] == 36 * (3 + 9)
    assert relative_error(tail, sliced, h) < 1e-5


def test_slicing_changes_nothing_outside_and_draws_nothing_from_the_global_generator() -> None:
    network = network_of("resnetc20")
    tail = hardened(network, 2, 0.3)
    before, state = snapshot(network, tail), torch.random.get_rng_state()
    slice_tail(tail, features(network, 2)[:1])
    torch.testing.assert_close(snapshot(network, tail), before, rtol=0, atol=0)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_slice_stays_frozen_in_eval_mode_and_passes_gradients_to_its_input() -> None:
    network = network_of("resnetc20")
    tail = hardened(network, 3, 0.3)
    h = features(network, 3)
    sliced = copy.deepcopy(slice_tail(tail, h[:1])).train()
    assert not any(module.training for module in sliced.body.modules())
    assert not any(parameter.requires_grad for parameter in sliced.parameters())
    inputs = [h.clone().requires_grad_() for _ in range(2)]
    for module, leaf in zip((tail, sliced), inputs, strict=True):
        module(leaf).square().sum().backward()
    expected, found = (leaf.grad for leaf in inputs)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4 * float(h.abs().max()))


def test_a_slice_runs_under_autocast() -> None:
    network = network_of("resnetc20")
    tail = hardened(network, 2, 0.3)
    h = features(network, 2)
    sliced = slice_tail(tail, h[:1])
    with torch.autocast("cpu", torch.bfloat16):
        assert relative_error(tail, sliced, h) < 0.1


def test_resnet18_costs_fall_with_the_kept_fraction() -> None:
    network = network_of("resnet18")
    for start in (1, 4):
        h = features(network, start)
        full = tail_cost(nn.Sequential(*network.blocks[start:], network.pool), h)
        assert tail_cost(hardened(network, start, 0.3), h)["macs"] == full["macs"]
        ratios = []
        for keep in (0.9, 0.6, 0.3):
            cost = tail_cost(slice_tail(hardened(network, start, keep), h[:1]), h)
            assert keep**2 * 0.9 < cost["macs"] / full["macs"] <= keep
            assert cost["parameters"] / full["parameters"] <= keep
            ratios.append(cost["macs"])
        assert ratios == sorted(ratios, reverse=True)


def test_only_a_hardened_tail_can_be_sliced() -> None:
    network = network_of("lenet5")
    with pytest.raises(PncError, match="the tail to slice: expected a hardened one, found one with learnable scores"):
        slice_tail(MaskedTail(network, 1, 0.3), features(network, 1)[:1])


@pytest.mark.parametrize(
    ("start", "shape", "message"),
    [
        (0, (1, 1, 32, 32), r"example: expected 3 channels, found 1$"),
        (1, (1, 5, 16, 16), r"example: expected features that the tail takes, found \[1, 5, 16, 16\]"),
        (1, (2, 16, 16), r"example: expected features \[1, C, H, W\], found \[2, 16, 16\]$"),
        (1, (0, 2, 16, 16), r"example: expected features \[1, C, H, W\], found \[0, 2, 16, 16\]$"),
    ],
)
def test_an_example_that_does_not_fit_is_refused(start: int, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(PncError, match=message) as caught:
        slice_tail(hardened(network_of("lenet5"), start, 0.3), torch.rand(shape))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_a_slice_takes_features_of_the_examples_shape_only() -> None:
    network = network_of("plain_cnn")
    h = features(network, 1)
    sliced = slice_tail(hardened(network, 1, 0.3), h[:1])
    assert isinstance(sliced, SlicedTail)
    with pytest.raises(PncError, match=r"features of a sliced tail: expected .'N', 8, 16, 16., found .2, 8, 8, 8."):
        sliced(h[..., :8, :8])


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) if x.sum() > 0 else self.conv(-x)


class Overwriting(Branching):
    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return y.exp_() + y


@pytest.mark.parametrize(
    ("block", "message"),
    [(Branching, "expected blocks that torch.fx can trace"), (Overwriting, "found a relative error of")],
)
def test_blocks_that_cannot_be_sliced_are_refused_and_never_sliced_wrong(
    block: type[nn.Module], message: str
) -> None:
    network = BlockNet([block()], nn.Linear(4, 2))
    with pytest.raises(PncError, match=message):
        slice_tail(hardened(network, 0, 0.5), features(network, 0, size=6)[:1])


@pytest.mark.parametrize("arch", ["lenet5", "resnet18", "mobilenetv2"])
def test_what_a_slice_learns_is_what_its_masked_self_then_does(arch: str) -> None:
    network = network_of(arch)
    start = len(network) - 2
    tail, h = hardened(network, start, 0.4, "rescaled"), features(network, start)
    sliced = slice_tail(tail, h[:1], learns=True)
    assert relative_error(tail, sliced, h) < 1e-5
    sliced(h).square().sum().backward()
    assert sliced.learned() and all(parameter.grad is not None for parameter in sliced.learned())
    assert not any(parameter.requires_grad for parameter in set(sliced.parameters()) - set(sliced.learned()))
    with torch.no_grad():
        for index, parameter in enumerate(sliced.learned()):
            parameter.add_(torch.randn(parameter.shape, generator=generator(index, "step")) * 0.3)
    assert relative_error(tail, sliced, h) > 1e-3
    sliced.write_back(tail)
    assert relative_error(tail, sliced, h) < 1e-5


def test_other_readings_and_slices_that_do_not_learn_have_nothing_to_learn() -> None:
    network = network_of("lenet5")
    h = features(network, 1)
    assert not slice_tail(hardened(network, 1, 0.4), h[:1], learns=True).learned()
    assert not slice_tail(hardened(network, 1, 0.4, "rescaled"), h[:1]).learned()


def test_constants_travel_by_layer_and_others_are_refused() -> None:
    tail, other = (hardened(network_of("lenet5"), 1, 0.4, "rescaled", seed).harden() for seed in (0, 1))
    other.harden(tail.bits()).rescale(tail.constants())
    h = features(network_of("lenet5"), 1)
    assert relative_error(tail, other, h) == 0
    wrong = {name: values[:, 1:] for name, values in tail.constants().items()}
    with pytest.raises(PncError, match=r"^constants of .*: expected gain and shift of .* filters"):
        other.rescale(wrong)
    with pytest.raises(PncError, match=r"^the layers that are rescaled: expected"):
        other.rescale({})
    assert hardened(network_of("lenet5"), 1, 0.4).constants() == {}
