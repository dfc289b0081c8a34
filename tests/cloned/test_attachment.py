"""Clones beside a target: nothing of either network changes, and whatever was attached can be taken out again."""

import copy
import gc
import weakref
from itertools import permutations

import pytest
import torch
from _plugs import X, animals, attached, birds, by_name, equal, plugs
from _tiny import package_for, pictures, state
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pnc.arch import fingerprint
from pnc.base.errors import PncError
from pnc.cloned.model import ClonedModel, attach
from pnc.cloning.package import ClonePackage


@pytest.mark.parametrize("training", [False, True])
def test_nothing_changes_whatever_is_called(training: bool) -> None:
    target, source = animals().train(training), birds().train(training)
    target.head.weight.requires_grad_(False)
    before = state(target), state(source)
    cloned = attach(target, source, package_for(source, target, 1))
    for mode in (True, False, True):
        x = X.clone().requires_grad_()
        cloned.train(mode)(x).sum().backward()
    cloned.requires_grad_(False).double()
    cloned.zero_grad()
    assert (state(target), state(source)) == before
    assert cloned.detach() is target
    assert (state(target), state(source)) == before


def test_the_old_logits_are_the_targets_own_and_come_back_bit_for_bit() -> None:
    target = animals()
    expected = target(X).detach()
    cloned = attached(target, plugs())
    found = cloned.train()(X)
    assert torch.equal(found[:, :4], expected)
    assert found.shape == (5, 4 + 5)
    detached = cloned.detach()  # type: ignore[operator]
    assert detached is target and torch.equal(detached(X), expected)


def test_gradients_reach_the_pictures_and_old_ones_are_the_targets_own() -> None:
    target = animals()
    cloned = attached(target, plugs())
    gradients = []
    for model in (cloned, target):
        x = X.clone().requires_grad_()
        model(x)[:, :4].square().sum().backward()
        gradients.append(x.grad)
    assert gradients[0] is not None
    torch.testing.assert_close(*gradients)
    x = X.clone().requires_grad_()
    cloned(x)[:, 4:].sum().backward()
    assert x.grad is not None and x.grad.abs().sum() > 0


def test_any_order_gives_the_same_logits_by_name() -> None:
    target = animals()
    all_plugs = plugs()
    expected = by_name(attached(target, all_plugs))
    for order in permutations(all_plugs):
        model = attached(target, list(order))
        assert isinstance(model, ClonedModel)
        assert model.packages == tuple(package for _, package in order)
        assert equal(by_name(model), expected)


@settings(max_examples=15)
@given(st.permutations([0, 1, 2]), st.permutations([0, 1, 2]))
def test_any_one_can_be_taken_out_and_the_last_leaves_the_very_target(into: list[int], out: list[int]) -> None:
    target = animals()
    all_plugs = plugs()
    alone = {index: by_name(attach(target, *plug)) for index, plug in enumerate(all_plugs)}
    model = attached(target, [all_plugs[index] for index in into])
    left = set(into)
    for index in out:
        assert isinstance(model, ClonedModel)
        model = model.detach(all_plugs[index][1])
        left.remove(index)
        expected = {name: logits for kept in left for name, logits in alone[kept].items()} | by_name(target)
        assert equal(by_name(model), expected)
    assert model is target


def test_taking_out_one_leaves_the_model_with_both_as_it_was() -> None:
    target = animals()
    first, second, _ = plugs()
    both = attached(target, [first, second])
    before = by_name(both)
    one = both.detach(first[1])  # type: ignore[operator]
    assert set(one.classes) == {*before} - {"owl", "kiwi"}
    assert equal(by_name(both), before)


def test_masked_and_sliced_clones_answer_alike() -> None:
    target = animals()
    cloned = attached(target, plugs())
    assert isinstance(cloned, ClonedModel)
    sliced = cloned.sliced(X)
    expected, found = cloned(X), sliced(X)
    assert torch.equal(found[:, :4], expected[:, :4])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    size = [sum(p.numel() for p in model.clones.parameters()) for model in (sliced, cloned)]
    assert size[0] < size[1]
    assert torch.equal(cloned(X), expected)
    assert sliced.detach() is target


class Moody(nn.Module):
    """Passes features on, and fails when it is told to."""

    failing = False

    def forward(self, h: Tensor) -> Tensor:
        if Moody.failing:
            raise RuntimeError("no mood for it")
        return h


@pytest.mark.parametrize("broken", ["source", "target"])
def test_no_hook_is_left_even_when_a_block_fails(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = birds(), animals()
    block = (source if broken == "source" else target).blocks[2]
    assert isinstance(block, nn.Sequential)
    block.append(Moody())
    before = state(source), state(target)
    cloned = attach(target, source, package_for(source, target, 1))
    with monkeypatch.context() as patched:
        patched.setattr(Moody, "failing", True)
        for call in (lambda: cloned(X), lambda: cloned.sliced(X)):
            with pytest.raises((RuntimeError, PncError), match="no mood for it"):
                call()
    assert (state(source), state(target)) == before
    assert cloned.detach() is target
    hooks = (nn.modules.module._global_forward_hooks, nn.modules.module._global_forward_pre_hooks)
    assert not any(hooks)


def test_nothing_of_the_model_is_trained_or_saved_with_the_original() -> None:
    target = animals()
    cloned = attach(target, *plugs()[0])
    assert not any(parameter.requires_grad for parameter in cloned.parameters())
    assert not {id(p) for p in cloned.parameters()} & {id(p) for p in target.parameters()}
    assert target not in list(cloned.modules())


def test_a_copy_can_be_trained_without_touching_the_original() -> None:
    source, target = birds(), animals()
    before = state(source), state(target)
    cloned = attach(target, source, package_for(source, target, 1))
    expected = cloned(X)
    network = copy.deepcopy(cloned).requires_grad_(True)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    network(X).square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())
    optimiser.step()
    assert not torch.equal(network(X)[:, :4], expected[:, :4])
    assert torch.equal(cloned(X), expected)
    assert (state(source), state(target)) == before


def test_what_is_taken_out_is_let_go() -> None:
    target = animals()
    cloned = attach(target, *plugs()[0])
    model, tail = weakref.ref(cloned), weakref.ref(cloned.clones[0])
    assert cloned.detach() is target
    del cloned
    gc.collect()
    assert model() is None and tail() is None


def test_networks_that_the_package_was_not_made_for_are_refused_with_both_hashes() -> None:
    source, target = birds(), animals()
    package = package_for(source, target, 1)
    for role, expected in (("target", package.info.target), ("source", package.info.source)):
        other = copy.deepcopy(target if role == "target" else source)
        with torch.no_grad():
            other.head.bias[0] += 1e-6
        pair = (other, source) if role == "target" else (target, other)
        with pytest.raises(PncError) as caught:
            attach(*pair, package)
        assert str(caught.value) == (
            f"{role} network's SHA-256: expected {expected} (the package's), found {fingerprint(other)}"
        )


def test_a_changed_buffer_is_another_network_and_a_changed_mode_is_not() -> None:
    source, target = birds(), animals()
    package = package_for(source, target, 1)
    attach(target.train(), source.train().requires_grad_(False), package)
    source(X)  # in train mode: moves the batch statistics
    with pytest.raises(PncError, match="source network's SHA-256"):
        attach(target, source, package)


def test_classes_that_are_there_already_are_refused() -> None:
    source, target = birds(), animals()
    cloned = attach(target, source, package_for(source, target, 1))
    with pytest.raises(PncError, match=r"classes to attach: expected names .*, found \['kiwi'\]"):
        attach(cloned, source, package_for(source, target, 2, (0, 1), ("emu", "kiwi"), seed=1))
    with pytest.raises(PncError, match=r"classes to attach: expected names .*, found \['animal 2'\]"):
        attach(target, source, package_for(source, target, 2, (0,), ("animal 2",)))
    target.class_names = None
    with pytest.raises(PncError, match=r"found \['2'\]"):
        attach(target, source, package_for(source, target, 2, (0,), ("2",)))


def test_only_what_is_attached_can_be_taken_out() -> None:
    target = animals()
    first, second, _ = plugs()
    cloned = attach(target, *first)
    with pytest.raises(PncError, match=r"package to detach: expected one of \[\('owl', 'kiwi'\)\], found another"):
        cloned.detach(second[1])


def test_packages_that_do_not_fit_their_networks_are_refused() -> None:
    source, target = birds(), animals()
    package = package_for(source, target, 1)
    attached = {"1.0": package.masks["1.0"], "2.0": package.masks["2.0"][:-1]}
    for masks, said in (({"1.0": attached["1.0"]}, "the layers of M"), (attached, "a layer's mask")):
        with pytest.raises(PncError, match=said):
            attach(target, source, ClonePackage(package.info, masks, package.adapter, package.rows))


@settings(max_examples=10)
@given(st.integers(0, 2**31), st.integers(0, 2))
def test_new_logits_are_what_the_packages_parts_say(seed: int, position: int) -> None:
    """M_t[0:R] ∘ A ∘ (M · M_s[R:L]), then F_c's new rows over both embeddings, spelled out."""
    source, target = birds(), animals()
    package = package_for(source, target, position, seed=seed)
    x = pictures(3, seed=seed)
    with torch.no_grad():
        h = target.run(x, 0, position)
        weight, bias = package.adapter["weight"][:, :, 0, 0], package.adapter["bias"]
        h = (torch.einsum("dc,nchw->ndhw", weight, h) + bias.view(-1, 1, 1)).relu()
        masked = copy.deepcopy(source)
        for name, mask in package.masks.items():
            layer = masked.blocks.get_submodule(name)
            layer.get_parameter("weight")[~mask] = 0
        both = torch.cat([target.embed(target.run(x)), masked.embed(masked.run(h, position))], dim=1)
        expected = both @ package.rows["weight"].T + package.rows["bias"]
        found = attach(target, source, package)(x)[:, 4:]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_attaching_leaves_the_global_generator_alone() -> None:
    source, target = birds(), animals()
    package = package_for(source, target, 1)
    before = torch.random.get_rng_state()
    attach(target, source, package)(pictures(2))
    assert torch.equal(torch.random.get_rng_state(), before)
