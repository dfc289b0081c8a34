"""A's closed form against known maps and plain ridge regression; resizing; where ReLU belongs."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from torch import Tensor

from pnc.base.seeds import generator
from pnc.cloning.adapter import Adapter


def features(count: int, channels: int, size: tuple[int, int] = (4, 4), seed: int = 0) -> Tensor:
    return torch.randn(count, channels, *size, generator=generator(seed, "features"))


def affine(h: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.einsum("nchw,dc->ndhw", h, weight) + bias.view(-1, 1, 1)


@settings(max_examples=15)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**31))
def test_a_known_affine_map_is_recovered(entering: int, leaving: int, seed: int) -> None:
    draw = generator(seed, "map")
    weight, bias = torch.randn(leaving, entering, generator=draw), torch.randn(leaving, generator=draw)
    h = features(8, entering, seed=seed)
    adapter = Adapter(entering, leaving, (4, 4), relu=False)
    pairs = [(part, affine(part, weight, bias)) for part in h.split(3)]
    explained = adapter.start_from(iter(pairs), ridge=1e-9)
    torch.testing.assert_close(adapter.conv.weight.detach()[:, :, 0, 0], weight, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(adapter(h).detach(), affine(h, weight, bias), atol=1e-4, rtol=1e-4)
    assert explained == pytest.approx(1, abs=1e-6)


def test_equal_features_are_passed_on_as_they_are() -> None:
    h = features(16, 5).relu()
    adapter = Adapter(5, 5, (4, 4))
    explained = adapter.start_from([(h, h)])
    torch.testing.assert_close(adapter(h).detach(), h, atol=1e-2, rtol=0)
    assert 0.999 < explained <= 1


@pytest.mark.parametrize("ridge", [1e-3, 0.5])
def test_the_start_is_a_ridge_regression_over_pixels(ridge: float) -> None:
    h_t, h_s = features(6, 4, seed=1), features(6, 3, seed=2) + features(6, 4, seed=1)[:, :3]
    adapter = Adapter(4, 3, (4, 4), relu=False)
    explained = adapter.start_from(zip(h_t.split(2), h_s.split(2), strict=True), ridge)
    x, y = (h.permute(0, 2, 3, 1).flatten(0, 2).double() for h in (h_t, h_s))
    strength = ridge * float(x.var(0, correction=0).mean()) * len(x)
    reference = Ridge(alpha=strength, solver="cholesky").fit(x.numpy(), y.numpy())
    torch.testing.assert_close(adapter.conv.weight.detach()[:, :, 0, 0].double(), torch.tensor(reference.coef_))
    torch.testing.assert_close(adapter.conv.state_dict()["bias"].double(), torch.tensor(reference.intercept_))
    left = (y - torch.tensor(reference.predict(x.numpy()))).square().sum() / (y - y.mean(0)).square().sum()
    assert explained == pytest.approx(float(1 - left), abs=1e-6)


def test_unrelated_features_are_hardly_explained_and_constant_ones_do_no_harm() -> None:
    adapter = Adapter(3, 3, (4, 4))
    assert adapter.start_from([(features(200, 3, seed=1), features(200, 3, seed=2))]) < 0.05
    adapter.start_from([(torch.zeros(4, 3, 4, 4), torch.full((4, 3, 4, 4), 2.0))])
    torch.testing.assert_close(adapter(torch.zeros(1, 3, 4, 4)).detach(), torch.full((1, 3, 4, 4), 2.0))


@pytest.mark.parametrize(
    ("entering", "wanted"), [((4, 4), (8, 8)), ((8, 8), (4, 4)), ((6, 3), (5, 7)), ((1, 1), (4, 4))]
)
def test_maps_are_resized_to_what_the_source_expects(entering: tuple[int, int], wanted: tuple[int, int]) -> None:
    h = torch.full((2, 3, *entering), 0.5)
    adapter = Adapter(3, 4, wanted)
    assert adapter(h).shape == (2, 4, *wanted)
    torch.testing.assert_close(adapter.resize(h), torch.full((2, 3, *wanted), 0.5))


def test_halving_averages_and_the_right_size_is_left_alone() -> None:
    h = features(1, 2)
    assert Adapter(2, 2, (4, 4)).resize(h) is h
    halved = Adapter(2, 2, (2, 2)).resize(h)
    assert h.min() < halved.min() and halved.max() < h.max()
    torch.testing.assert_close(halved.mean(), h.mean(), atol=0.2, rtol=0)


def test_the_start_sees_resized_maps() -> None:
    h = features(40, 3, (8, 8)).relu()
    adapter = Adapter(3, 3, (4, 4))
    assert adapter.start_from([(h, 2 * adapter.resize(h))], ridge=1e-9) == pytest.approx(1, abs=1e-6)
    torch.testing.assert_close(adapter(h).detach(), 2 * adapter.resize(h), atol=1e-4, rtol=1e-4)


def test_relu_is_there_unless_it_is_switched_off() -> None:
    h = features(4, 3)
    linear, cut = Adapter(3, 5, (4, 4), relu=False), Adapter(3, 5, (4, 4))
    cut.load_state_dict(linear.state_dict())
    assert linear(h).min() < 0
    assert torch.equal(cut(h), linear(h).relu())


def test_a_3x3_adapter_recovers_a_convolution_that_no_1x1_one_can() -> None:
    conv = torch.nn.Conv2d(3, 4, 3, padding=1)
    with torch.no_grad():
        for parameter in conv.parameters():
            parameter.normal_(generator=generator(0, "conv"))
    h = features(32, 3)
    wide, narrow = Adapter(3, 4, (4, 4), relu=False, kernel=3), Adapter(3, 4, (4, 4), relu=False)
    assert wide.start_from([(h, conv(h).detach())], ridge=1e-9) == pytest.approx(1, abs=1e-6)
    torch.testing.assert_close(wide.conv.weight, conv.weight, atol=1e-3, rtol=1e-3)
    assert narrow.start_from([(h, conv(h).detach())]) < 0.5


def test_a_is_learned_as_the_convolution_that_it_is() -> None:
    h, adapter = features(8, 3), Adapter(3, 5, (4, 4))
    learned = adapter(h)
    torch.testing.assert_close(learned, adapter.conv(h).relu())
    wanted = torch.autograd.grad(adapter.conv(h).relu().square().sum(), list(adapter.parameters()))
    torch.testing.assert_close(torch.autograd.grad(learned.square().sum(), list(adapter.parameters())), wanted)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
def test_a_trace_is_the_same_whether_gradients_are_wanted_or_not() -> None:
    h, adapter = features(8, 3), Adapter(3, 5, (4, 4))
    traced = torch.jit.trace(adapter, h)  # it compares itself with one that wants none
    assert "einsum" not in str(traced.graph) and torch.equal(traced(h), adapter.conv(h).relu())
