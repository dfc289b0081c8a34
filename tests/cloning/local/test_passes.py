"""How many pictures pass a frozen network at a time."""

import pytest
import torch
from _tiny import clone_task, images, quick, tiny_network

import pnc
from pnc.base.images import as_float
from pnc.cloning.local import passes
from pnc.cloning.local.local_models import fit_local_models
from pnc.cloning.local.passes import at_once
from pnc.cloning.localize_insert import localize_insert

LENET = pnc.NetworkSpec("lenet5", tuple("abcde"), (0.5,), (0.25,), size=32)
RESNET = pnc.NetworkSpec("resnet18", tuple("abcde"), (0.5,) * 3, (0.25,) * 3, size=32)


@pytest.mark.parametrize("spec", [LENET, RESNET])
def test_a_thousand_pictures_of_the_paper_s_networks_pass_at_a_time(spec: pnc.NetworkSpec) -> None:
    """So that no number of a suite depends on the bound."""
    assert at_once(pnc.build(spec, 0), torch.zeros(3, len(spec.mean), 32, 32, dtype=torch.uint8), 1000) == 1000


def test_of_large_pictures_fewer_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    network = tiny_network("source")
    large, small = (images(1, 5, size=size).pixels for size in (32, 16))
    maps = network.run(as_float(small[:1]), 0, 1).numel()
    monkeypatch.setattr(passes, "VALUES", 4 * maps)
    assert [at_once(network, small, most) for most in (2, 4, 9)] == [2, 4, 4]
    assert [len(part) for part in passes.passes(network, large, 9)] == [1] * 5
    assert [len(part) for part in passes.passes(network, small, 9)] == [4, 1]
    assert passes.passes(network, small[:0], 9)[0].shape == (0, *small.shape[1:])


def test_a_bound_changes_nothing_but_the_last_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    task, settings = clone_task(), quick()
    whole = fit_local_models(task.source, task.pixels, settings.neighbourhood, seed=0)
    found = localize_insert(task, whole, settings, (1,), seed=0)[1][1]
    monkeypatch.setattr(passes, "VALUES", 1)
    assert at_once(task.source, task.pixels, 100) == 1
    one = fit_local_models(task.source, task.pixels, settings.neighbourhood, seed=0)
    torch.testing.assert_close(one.theta, whole.theta)
    again = localize_insert(task, whole, settings, (1,), seed=0)[1][1]
    assert again.converged == pytest.approx(found.converged, rel=1e-4)
