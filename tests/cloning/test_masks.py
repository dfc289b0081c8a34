"""M's parts: the top-c choice, its gradient, the readings, hardening; and the twin that it all stands on."""

import copy
import pickle
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pnc.arch import BlockNet, fingerprint
from pnc.arch.twin import Twin
from pnc.base.errors import PncError
from pnc.base.seeds import generator
from pnc.cloning.masks import MaskedLayer, MaskReading, fill_value, filter_norms, kept_filters, top_c
from pnc.cloning.tail import MaskedTail, count_filters, kept_parameters

finite = st.floats(-1e6, 1e6, width=32)
quick = settings(max_examples=25)
score_lists = st.lists(finite, min_size=1, max_size=40).map(torch.tensor)


def random_norm(channels: int) -> nn.BatchNorm2d:
    """A BN in eval mode whose every constant matters."""
    draw = generator(0, "norm")
    norm = nn.BatchNorm2d(channels).eval()
    state = norm.state_dict()
    for name in ("running_mean", "weight", "bias"):
        state[name].normal_(generator=draw)
    state["running_var"].uniform_(0.5, 2, generator=draw)
    return norm


def small_network() -> BlockNet:
    blocks = [
        nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU()),
        nn.Sequential(nn.Conv2d(4, 10, 3, padding=1, bias=False), random_norm(10), nn.ReLU(inplace=True)),
    ]
    return BlockNet(blocks, nn.Linear(10, 2))


@quick
@given(score_lists, st.data())
def test_top_c_turns_on_exactly_c_and_no_lower_score_than_those_off(scores: Tensor, data: st.DataObject) -> None:
    c = data.draw(st.integers(1, len(scores)))
    mask = top_c(scores, c)
    assert mask.sum() == c
    assert c == len(scores) or scores[mask].min() >= scores[~mask].max()


@quick
@given(finite, st.integers(1, 20), st.integers(1, 20))
def test_of_equal_scores_the_earlier_filters_win(score: float, filters: int, c: int) -> None:
    mask = top_c(torch.full((filters,), score), min(c, filters))
    assert mask.tolist() == [index < c for index in range(filters)]


@quick
@given(st.integers(1, 3000), st.floats(0, 1, exclude_min=True))
def test_c_is_the_nearest_count_to_the_kept_fraction_and_never_none(filters: int, keep: float) -> None:
    c = kept_filters(filters, keep)
    assert 1 <= c <= filters
    assert c == 1 or abs(c - keep * filters) <= 0.5


@pytest.mark.parametrize("keep", [0.0, -0.3, 1.01, float("nan")])
def test_a_kept_fraction_outside_its_range_is_refused(keep: float) -> None:
    with pytest.raises(PncError, match=r"keep: expected a fraction in \(0, 1\]"):
        kept_filters(10, keep)


def test_scores_start_from_the_filters_norms() -> None:
    layer = nn.Conv2d(2, 3, 1, bias=False)
    layer.weight.data = torch.tensor([[3.0, 4.0], [0.0, 1.0], [6.0, 8.0]]).view(3, 2, 1, 1)
    expected = torch.tensor([5.0, 1.0, 10.0]) / (16 / 3)
    masked = MaskedLayer(layer, keep=0.67)
    torch.testing.assert_close(filter_norms(layer), expected)
    torch.testing.assert_close(masked.scores, nn.Parameter(expected))
    assert masked.on.tolist() == [True, False, True]


@quick
@given(score_lists)
def test_an_unhardened_mask_is_exactly_zero_or_one(scores: Tensor) -> None:
    masked = MaskedLayer(nn.Linear(1, len(scores)), keep=0.5)
    masked.scores = nn.Parameter(scores)
    assert torch.equal(masked.mask, top_c(scores, masked.c).float())


@pytest.mark.parametrize("layer", [nn.Conv2d(3, 6, 3), nn.Linear(3, 6)])
def test_scores_of_all_filters_get_the_straight_through_gradient(layer: nn.Conv2d | nn.Linear) -> None:
    draw = generator(0, "gradient")
    fill = torch.randn(6, generator=draw)
    masked = MaskedLayer(layer, 0.5, fill)
    x = torch.randn(*((2, 3, 5, 5) if isinstance(layer, nn.Conv2d) else (2, 3)), generator=draw)
    y = layer(x).detach()
    upstream = torch.randn(y.shape, generator=draw)
    masked(x).backward(upstream)
    assert masked.scores is not None and masked.scores.grad is not None
    by_filter = (upstream * (y - fill.view(-1, *[1] * (y.dim() - 2)))).transpose(0, 1).flatten(1).sum(1)
    torch.testing.assert_close(masked.scores.grad, by_filter)
    assert (masked.scores.grad[~masked.on] != 0).all()


@pytest.mark.parametrize("layer", [nn.Conv2d(3, 8, 3, padding=1), nn.Linear(4, 8)])
@quick
@given(bits=st.lists(st.booleans(), min_size=8, max_size=8).map(torch.tensor))
def test_the_zero_reading_equals_zeroed_weights(layer: nn.Conv2d | nn.Linear, bits: Tensor) -> None:
    masked = MaskedLayer(layer, keep=1)
    masked.harden(bits)
    zeroed = copy.deepcopy(layer)
    for tensor in zeroed.state_dict().values():
        tensor[~bits] = 0
    x = torch.randn(2, 3, 4, 4, generator=generator(0, "x"))
    torch.testing.assert_close(masked(x), zeroed(x))


@pytest.mark.parametrize("reading", get_args(MaskReading))
def test_an_off_filter_leaves_what_its_reading_says_after_bn(reading: MaskReading) -> None:
    conv, norm = nn.Conv2d(3, 6, 3, bias=False), random_norm(6)
    masked = MaskedLayer(conv, 0.5, fill_value(conv, norm, reading))
    x = torch.randn(2, 3, 5, 5, generator=generator(0, "x"))
    after = norm(masked(x)).detach()
    mu, variance, gamma, beta = (norm.state_dict()[key] for key in ("running_mean", "running_var", "weight", "bias"))
    left = {
        "zero": beta - gamma * mu / (variance + norm.eps).sqrt(),
        "zero_after_bn": torch.zeros(6),
        "bn_mean": beta,
    }[reading]
    off = ~masked.on
    torch.testing.assert_close(after[:, off], left[off].view(-1, 1, 1).expand_as(after[:, off]))
    torch.testing.assert_close(after[:, masked.on], norm(conv(x)).detach()[:, masked.on])


def test_readings_without_a_bn_are_the_literal_one_and_unknown_ones_are_refused() -> None:
    conv = nn.Conv2d(3, 6, 3)
    assert torch.equal(fill_value(conv, None, "bn_mean"), torch.zeros(6))
    assert torch.equal(fill_value(conv, nn.BatchNorm2d(6, track_running_stats=False), "bn_mean"), torch.zeros(6))
    with pytest.raises(PncError, match="mask reading: expected one of zero, zero_after_bn, bn_mean, found 'none'"):
        fill_value(conv, None, "none")  # type: ignore[arg-type]


def test_hardening_keeps_the_result_and_ends_learning() -> None:
    masked = MaskedLayer(nn.Linear(3, 10), keep=0.3)
    masked.scores = nn.Parameter(torch.randn(10, generator=generator(0, "scores")))
    x = torch.randn(4, 3, generator=generator(0, "x"))
    before, bits = masked(x), masked.mask.detach().bool()
    masked.harden()
    assert torch.equal(masked(x), before)
    assert torch.equal(masked.on, bits)
    assert masked.scores is None and len(list(masked.parameters())) == 2
    masked.harden()
    assert torch.equal(masked.on, bits)


class Reader(nn.Module):
    """Reads its layer's attributes in place of calling it."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        conv = self.conv
        assert (conv.out_channels, conv.in_channels, conv.kernel_size) == (6, 3, (3, 3))
        return nn.functional.conv2d(x, conv.weight, conv.bias, conv.stride, conv.padding)


@pytest.mark.parametrize("fill", [None, torch.linspace(-1, 1, 6)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_masked_layer_looks_like_its_layer_with_masked_weights(bias: bool, fill: Tensor | None) -> None:
    masked = MaskedLayer(nn.Conv2d(3, 6, 3, padding=1, bias=bias), 0.5, fill)
    x = torch.randn(2, 3, 5, 5, generator=generator(0, "x"))
    for _ in range(2):
        torch.testing.assert_close(Reader(masked)(x), masked(x))  # type: ignore[arg-type]
        assert (masked.bias is None) == (not bias and fill is None)
        masked.harden()
    linear = MaskedLayer(nn.Linear(4, 2), 0.5)
    assert (linear.in_features, linear.out_features) == (4, 2)
    assert copy.deepcopy(linear).in_features == pickle.loads(pickle.dumps(linear)).in_features == 4
    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'stride'"):
        _ = linear.stride


def test_hardening_refuses_a_mask_of_another_length() -> None:
    with pytest.raises(PncError, match="a layer's mask: expected 10 filters, found 9"):
        MaskedLayer(nn.Linear(3, 10), keep=0.3).harden(torch.ones(9, dtype=torch.bool))


@quick
@given(st.data())
def test_bits_round_trip_from_one_tail_to_another(data: st.DataObject) -> None:
    network = small_network()
    first, second = MaskedTail(network, 0, 0.5), MaskedTail(network, 0, 0.5)
    drawn = {
        name: torch.tensor(data.draw(st.lists(st.booleans(), min_size=len(bits), max_size=len(bits))))
        for name, bits in first.bits().items()
    }
    second.harden(first.harden(drawn).bits())
    x = torch.rand(2, 3, 6, 6, generator=generator(0, "x"))
    assert all(torch.equal(second.bits()[name], bits) for name, bits in drawn.items())
    assert torch.equal(first(x), second(x))
    assert count_filters(second) == (sum(int(bits.sum()) for bits in drawn.values()), 14)


def test_a_tail_names_its_layers_as_the_source_does_and_counts_what_it_keeps() -> None:
    network = small_network()
    tail = MaskedTail(network, 0, 0.5)
    assert [name for name, _ in tail.masked_layers()] == ["0.0", "1.0"]
    assert all(isinstance(network.blocks.get_submodule(name), nn.Conv2d) for name in tail.bits())
    assert kept_parameters(tail) == 2 * (27 + 1) + 5 * 36
    assert count_filters(tail) == (7, 14)


def test_a_tail_that_keeps_all_is_the_source() -> None:
    network = small_network().eval()
    x = torch.rand(2, 3, 6, 6, generator=generator(0, "x"))
    for start in range(len(network)):
        h = network.run(x, 0, start)
        torch.testing.assert_close(MaskedTail(network, start, 1.0)(h), network.embed(network.run(h, start)))


def test_a_tail_refuses_a_wrong_position_and_foreign_bits() -> None:
    network = small_network()
    with pytest.raises(PncError, match="position R in the source: expected a block in 0…1, found 2"):
        MaskedTail(network, 2, 0.5)
    with pytest.raises(PncError, match=r"the layers of M: expected \['1.0'\], found \['0.0'\]"):
        MaskedTail(network, 1, 0.5).harden({"0.0": torch.ones(4, dtype=torch.bool)})


def test_learning_masks_leaves_the_source_as_it_was() -> None:
    network = small_network().train()
    before = fingerprint(network)
    tail = MaskedTail(network, 0, 0.5).train()
    tail(torch.rand(2, 3, 6, 6)).sum().backward()
    assert fingerprint(network) == before
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
    assert all(scores.grad is not None for scores in tail.scores())
    assert {id(parameter) for parameter in tail.parameters() if parameter.requires_grad} == set(
        map(id, tail.scores())
    )


def test_a_twin_shares_weights_with_its_original_and_has_buffers_of_its_own() -> None:
    network = small_network()
    twin = Twin(network)
    theirs = {name: tensor.data_ptr() for name, tensor in twin.module.named_parameters()}
    assert theirs == {name: tensor.data_ptr() for name, tensor in network.named_parameters()}
    copies = {tensor.data_ptr() for tensor in Twin(network, own=True).module.parameters()}
    assert not copies & set(theirs.values())
    assert not {b.data_ptr() for b in twin.module.buffers()} & {b.data_ptr() for b in network.buffers()}
    network.head.weight.data.fill_(7)
    assert (twin.module.get_parameter("head.weight") == 7).all()


def test_a_twin_never_trains_and_leaves_its_original_alone() -> None:
    network = small_network().train()
    twin = Twin(network).train()
    before = fingerprint(network)
    out = twin.module(torch.rand(4, 3, 6, 6, requires_grad=True))
    out.sum().backward()
    assert fingerprint(network) == before
    assert all(module.training for module in network.modules())
    assert not any(module.training for module in twin.modules())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())
    assert not any(parameter.requires_grad for parameter in twin.parameters())
