"""What a clone costs: counts by hand, of small networks, and what they must grow with."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from _tiny import package_for, pictures, source_and_target, state
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from bench.costs.count import BATCH, costs, macs, milliseconds, parameters
from bench.costs.rivals import ALONE, ENSEMBLE, JOINT, rivals
from bench.report.metrics import METRICS
from pnc.arch import NetworkSpec, build
from pnc.cloned.model import attach
from pnc.cloning.package import ClonePackage

# The tiny source: 3×3 convolutions 3 → 5 → 9 → 12 on maps of 8×8, 4×4 and 4×4, and a head of 5 classes; the target's
# are 3 → 6 → 8 → 10, and 4 classes. A's maps and its bias are the source's that enter at R; two classes are cloned.
CONVS = (3 * 9 * 5 * 64, 5 * 9 * 9 * 16, 9 * 9 * 12 * 16)
ROWS = (10 + 12) * 2
A = (3 * 3 * 64, 6 * 5 * 64, 8 * 9 * 16)  # at R = 0, 1 and 2


def keeping(package: ClonePackage, masks: Mapping[str, Tensor]) -> ClonePackage:
    return replace(package, masks=masks)


def whole(package: ClonePackage) -> ClonePackage:
    return keeping(package, {name: torch.ones_like(mask) for name, mask in package.masks.items()})


def added(package: ClonePackage) -> dict[str, float]:
    """What the clone costs without the file, which takes seconds to write."""
    source, target = source_and_target()
    model = attach(target, source, package).sliced(pictures(1))
    return {
        "macs": macs(model, pictures(1)) - macs(target, pictures(1)),
        "params": parameters(model) - parameters(target),
    }


def test_work_is_counted_by_hand() -> None:
    module = nn.Sequential(
        nn.Conv2d(4, 6, 3, stride=2, groups=2), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(54, 5)
    )
    assert macs(module.eval(), torch.rand(1, 4, 7, 7)) == 9 * 6 * 2 * 9 + 54 * 5
    assert parameters(module) == 6 * 2 * 9 + 6 + 12 + 54 * 5 + 5


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_clone_that_keeps_all_adds_the_sources_tail_and_a_and_its_rows(position: int) -> None:
    """At R = 0 that is all of the source but its head, and the adapter."""
    package = whole(package_for(*source_and_target(), position))
    assert added(package)["macs"] == sum(CONVS[position:]) + A[position] + ROWS
    source, _ = source_and_target()
    assert macs(source, pictures(1)) == sum(CONVS) + 12 * 5


@pytest.mark.parametrize("kept", [1, 4, 12])
def test_a_clone_adds_the_filters_that_it_keeps(kept: int) -> None:
    """Of the last layer, behind R = 2: the maps that enter are all there, and so is the width of F_c."""
    package = package_for(*source_and_target(), 2)
    masks = {name: torch.arange(len(mask)) < kept for name, mask in package.masks.items()}
    assert list(map(len, masks.values())) == [12]
    assert added(keeping(package, masks)) == {
        "macs": 9 * 9 * kept * 16 + A[2] + ROWS,
        "params": 9 * 9 * kept + kept + 8 * 9 + 9 + ROWS + 2,  # a kept filter's norm is a bias
    }


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2), st.integers(0, 2**31), st.lists(st.floats(0, 1), min_size=2, max_size=2))
def test_whoever_keeps_fewer_filters_adds_no_more(position: int, seed: int, shares: list[float]) -> None:
    package = package_for(*source_and_target(), position)
    draw = torch.Generator().manual_seed(seed)
    order = {name: torch.rand(len(mask), generator=draw) for name, mask in package.masks.items()}
    fewer, more = (
        added(keeping(package, {name: drawn < share for name, drawn in order.items()})) for share in sorted(shares)
    )
    assert all(0 < fewer[name] <= more[name] for name in fewer)


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, float]]:
    """Of a clone at R = 2, and of what stands beside it."""
    source, target = source_and_target()
    package = package_for(source, target, 2)
    spec = NetworkSpec("lenet5", ("a", "b", "c"), (0.5,), (0.25,), width=0.25)
    lenets = build(spec), build(replace(spec, class_names=("d", "e")))
    beside = rivals(lenets[0], spec, lenets[1], (1,))
    gray = torch.rand(1, 1, 32, 32)
    return {
        "clone": costs(target, {"": attach(target, source, package)}, pictures(1), {})[""],
        **costs(lenets[0], beside, gray, {}),
    }


def test_the_target_alone_adds_nothing_the_ensemble_all_of_the_source_and_joint_training_rows(
    found: dict[str, dict[str, float]],
) -> None:
    source = build(NetworkSpec("lenet5", ("d", "e"), (0.5,), (0.25,), width=0.25))
    assert (found[ALONE]["added_macs_m"], found[ALONE]["added_params"]) == (0, 0)
    assert found[ENSEMBLE]["added_macs_m"] == pytest.approx(macs(source, torch.rand(1, 1, 32, 32)) / 1e6)
    assert found[ENSEMBLE]["added_params"] == parameters(source)
    assert found[JOINT]["added_macs_m"] == pytest.approx(source.head.in_features / 1e6)
    assert found[JOINT]["added_params"] == source.head.in_features + 1


def test_a_file_holds_every_parameter_and_time_passes(found: dict[str, dict[str, float]]) -> None:
    target = source_and_target()[1]
    assert found["clone"]["export_bytes"] > 4 * (parameters(target) + found["clone"]["added_params"])
    assert found[ENSEMBLE]["export_bytes"] > found[JOINT]["export_bytes"] > found[ALONE]["export_bytes"]
    assert all(cost["ms_per_picture"] > 0 for cost in found.values())
    assert all({*cost} <= METRICS.keys() for cost in found.values())


def test_time_is_taken_by_one_thread_and_leaves_their_number_as_it_was() -> None:
    threads: set[int] = set()

    class Asking(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            threads.add(torch.get_num_threads())
            assert x.shape == (BATCH, 3, 8, 8)
            return x

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        milliseconds({"": Asking()}, pictures(1))
        assert (threads, torch.get_num_threads()) == ({1}, 2)
    finally:
        torch.set_num_threads(before)


def test_counting_changes_neither_network() -> None:
    source, target = source_and_target()
    before = state(source), state(target)
    model = attach(target, source, package_for(source, target, 1)).sliced(pictures(1))
    macs(model, pictures(1)), parameters(model), milliseconds({"": model}, pictures(1))
    assert (state(source), state(target)) == before
