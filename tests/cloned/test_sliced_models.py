"""A sliced model is a model like any other: what it is attached to, taken out of or moved to, it stays sliced."""

import copy

import pytest
import torch
from _tiny import package_for, pictures, tiny_network
from torch import nn

from pnc.base.errors import PncError
from pnc.cloned.model import ClonedModel, attach
from pnc.cloning.slicing import SlicedTail

X = pictures(3)
TARGET, SOURCE = tiny_network("animal", 4), tiny_network("bird", 5, (5, 9, 12))
FIRST, SECOND = package_for(SOURCE, TARGET, 1), package_for(SOURCE, TARGET, 0, (0,), ("emu",), seed=1)


def once() -> ClonedModel:
    return attach(TARGET, SOURCE, FIRST)


def sliced_parts(model: nn.Module) -> list[bool]:
    assert isinstance(model, ClonedModel)
    return [isinstance(clone.tail, SlicedTail) for clone in model.clones]


@torch.no_grad()
def test_a_sliced_clone_stays_sliced_when_another_is_attached_and_taken_out() -> None:
    sliced = once().sliced(X)
    both = attach(sliced, SOURCE, SECOND)
    assert sliced_parts(both) == [True, False]
    torch.testing.assert_close(both(X), attach(once(), SOURCE, SECOND)(X), atol=1e-5, rtol=1e-5)
    assert sliced_parts(both.sliced(X)) == [True, True]
    left = both.detach(SECOND)
    assert sliced_parts(left) == [True] and torch.equal(left(X), sliced(X))
    assert sliced_parts(both.sliced(X).detach(FIRST)) == [True]
    assert both.detach() is TARGET


@torch.no_grad()
def test_a_sliced_model_can_be_copied_and_converted_without_touching_the_first() -> None:
    sliced = once().sliced(X)
    expected = sliced(X)
    for other in (copy.deepcopy(sliced).double(), copy.deepcopy(sliced.sliced(X)).to(torch.float64)):
        assert other(X.double()).dtype == torch.float64
        torch.testing.assert_close(other(X.double()).float(), expected, atol=1e-5, rtol=1e-5)
        assert sliced_parts(other) == [True]
    assert torch.equal(sliced(X), expected) and torch.equal(once()(X)[:, :4], TARGET(X))


def test_a_converted_model_takes_no_other_package() -> None:
    with pytest.raises(PncError, match="model to attach another package to"):
        attach(once().sliced(X).double(), SOURCE, SECOND)


@torch.no_grad()
def test_slicing_keeps_the_weights_and_the_type_of_the_model_that_is_sliced() -> None:
    trained = copy.deepcopy(once())
    for parameter in trained.parameters():
        parameter.add_(0.01 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(trained.sliced(X)(X), trained(X), atol=1e-5, rtol=1e-5)
    assert trained.double().sliced(X.double())(X.double()).dtype == torch.float64


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_a_sliced_model_can_be_traced_for_any_batch(batch: int) -> None:
    sliced = attach(once(), SOURCE, SECOND).sliced(X)
    dim = torch.export.Dim("batch", min=1)
    program = torch.export.export(sliced, (X,), dynamic_shapes=({0: dim},), strict=False)
    x = pictures(batch, seed=batch)
    torch.testing.assert_close(program.module()(x), sliced(x), atol=1e-5, rtol=1e-5)
