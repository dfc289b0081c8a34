"""Packages on one scale: the same logits in any order, nothing for a single one, and everything comes back."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from _plugs import Plug, X, animals, birds, by_name, equal, packages, plugs
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pnc.arch import BlockNet
from pnc.base.errors import PncError
from pnc.cloned.export import ModulePackage
from pnc.cloned.joint import joint_offsets
from pnc.cloned.model import ClonedModel, attach, attach_module
from pnc.cloning.calibration import GAPS
from pnc.cloning.package import ClonePackage

orders = st.permutations([0, 1, 2])
LEVELS = st.lists(st.floats(-1e3, 1e3, width=32), min_size=3, max_size=3)


def at_levels(levels: list[float]) -> list[Plug]:
    """The three packages with gaps around ``levels``."""
    return [
        (source, replace(package, quantiles={"gap": torch.linspace(-5, 5, GAPS) + level}))
        for (source, package), level in zip(plugs(), levels, strict=True)
    ]


def jointly(target: BlockNet, chosen: list[Plug]) -> ClonedModel:
    model = attach(target, *chosen[0], joint=True)
    for source, package in chosen[1:]:
        model = attach(model, source, package)
    return model


def offsets(model: ClonedModel) -> dict[str, Tensor]:
    """What was added to each new logit."""
    plain, moved = by_name(model.calibrated(joint=False)), by_name(model)
    return {name: moved[name] - plain[name] for name in moved}


@settings(max_examples=10)
@given(LEVELS, orders)
def test_the_order_of_attaching_changes_no_bit_of_the_joint_logits(levels: list[float], order: list[int]) -> None:
    target = animals()
    chosen = at_levels(levels)
    expected = by_name(jointly(target, chosen))
    assert equal(by_name(jointly(target, [chosen[index] for index in order])), expected)
    assert equal({name: expected[name] for name in by_name(target)}, by_name(target))


@settings(max_examples=100)
@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_offsets_follow_their_packages_meet_at_one_level_and_sum_to_0(levels: list[float], draw: object) -> None:
    package, *_ = packages()
    several = [replace(package, quantiles={"gap": torch.linspace(-5, 5, GAPS) + level}) for level in levels]
    found = joint_offsets(several)
    medians = [float(each.quantiles["gap"].double().quantile(0.5)) for each in several]
    turned = list(range(len(levels)))
    draw.shuffle(turned)  # type: ignore[attr-defined]
    assert joint_offsets([several[index] for index in turned]) == [found[index] for index in turned]
    reached = [median + offset for median, offset in zip(medians, found, strict=True)]
    assert reached == pytest.approx([sum(medians) / len(medians)] * len(medians), abs=1e-6)
    assert sum(found) == pytest.approx(0, abs=1e-6)
    assert len(levels) > 1 or found == [0.0]


def test_one_package_has_the_same_bits_as_without() -> None:
    target = animals()
    for source, package in plugs():
        rows = {**package.rows, "bias": torch.full_like(package.rows["bias"], -0.0)}
        for each in (package, replace(package, rows=rows)):
            alone, joint = attach(target, source, each), attach(target, source, each, joint=True)
            assert joint.joint and not alone.joint
            assert equal(by_name(joint), by_name(alone))
            assert torch.equal(joint.clones[0].rows.bias.signbit(), alone.clones[0].rows.bias.signbit())


@settings(max_examples=10)
@given(LEVELS, orders, orders)
def test_taking_out_in_any_order_gives_back_the_earlier_bits(
    levels: list[float], into: list[int], out: list[int]
) -> None:
    target = animals()
    chosen = at_levels(levels)
    model: object = jointly(target, [chosen[index] for index in into])
    left = list(into)
    for index in out:
        assert isinstance(model, ClonedModel)
        model = model.detach(chosen[index][1])
        left.remove(index)
        if left:
            assert equal(by_name(model), by_name(jointly(target, [chosen[kept] for kept in left])))
    assert model is target


def test_every_new_logit_of_a_package_moves_alike_and_no_other_does() -> None:
    target = animals()
    model = jointly(target, at_levels([2.0, -4.0, 5.0]))
    moved = offsets(model)
    for names, expected in ((target.class_names, 0.0), (("owl", "kiwi"), -1.0), (("lynx",), 5.0), (("crow",), -4.0)):
        for name in names or ():
            torch.testing.assert_close(moved[name], torch.full((len(X),), expected), atol=1e-4, rtol=0)


def test_joint_or_not_can_be_changed_and_is_kept_by_what_is_made_of_the_model() -> None:
    target = animals()
    chosen = at_levels([1.0, 2.0, 3.0])
    both = jointly(target, chosen[:2])
    assert both.sliced(X).joint and attach(both, *chosen[2]).joint
    torch.testing.assert_close(both.sliced(X)(X), both(X), atol=1e-4, rtol=1e-4)
    plain = attach(attach(target, *chosen[0]), *chosen[1])
    assert equal(by_name(both.calibrated(joint=False)), by_name(plain))
    assert equal(by_name(plain.calibrated(joint=True)), by_name(both))
    assert equal(by_name(attach(both, *chosen[2], joint=False)), by_name(attach(plain, *chosen[2])))
    both.state_dict()  # from now on it computes on copies
    assert equal(by_name(attach(both, *chosen[2])), by_name(jointly(target, chosen)))


def test_a_clone_shipped_alone_carries_its_quantiles_and_no_offset(tmp_path: Path) -> None:
    target = animals()
    chosen = at_levels([1.0, 2.0, 3.0])
    both = jointly(target, chosen[:2])
    for index in (0, 1):
        both.export_module(tmp_path / f"{index}.safetensors", both.packages[index])
    module = ModulePackage.load(tmp_path / "0.safetensors")
    assert torch.equal(module.quantiles["gap"], chosen[0][1].quantiles["gap"])
    assert torch.equal(module.rows["bias"], chosen[0][1].rows["bias"])
    again = attach_module(attach_module(target, module, joint=True), tmp_path / "1.safetensors")
    torch.testing.assert_close(again(X), both(X), atol=1e-4, rtol=1e-4)


def test_what_cannot_be_calibrated_jointly_is_refused_in_one_line_and_nothing_changes() -> None:
    target = animals()
    first, second, _ = plugs()
    earlier: ClonePackage = replace(second[1], quantiles={})
    model = attach(target, *first, joint=True)
    before = by_name(model)
    line = r"^package lynx: quantiles for a calibration across packages: expected 33 numbers, found none \(clone it "
    with pytest.raises(PncError, match=line):
        attach(model, second[0], earlier)
    damaged = replace(second[1], quantiles={"gap": torch.full((GAPS,), torch.nan)})
    with pytest.raises(PncError, match="expected 33 numbers, found others"):
        attach(model, second[0], damaged)
    with pytest.raises(PncError, match=r"classes to attach: expected names .*, found \['kiwi', 'owl'\]"):
        attach(model, *first)
    with pytest.raises(PncError, match="package to detach: expected one of"):
        model.detach(second[1])
    with pytest.raises(PncError, match="target network's SHA-256"):
        attach(birds(), first[0], first[1], joint=True)
    assert equal(by_name(model), before)
    assert not attach(model, second[0], earlier, joint=False).joint
