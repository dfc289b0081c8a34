"""A clone may be learned in bfloat16; what it is chosen by, calibrated with and answers with stays in float32."""

from collections import defaultdict
from typing import Any

import pytest
import torch
from _tiny import clone_task, quick, samples, source_and_target, tiny_network
from torch import Tensor

import pnc
from pnc.base.images import as_float
from pnc.base.precision import resolved
from pnc.cloning import localize_insert as module
from pnc.cloning.adapter import Adapter
from pnc.cloning.inputs import features
from pnc.cloning.local.local_models import fit_local_models
from pnc.cloning.local.passes import embedded


def test_frozen_passes_in_bf16_give_float32_that_is_a_little_off() -> None:
    network, pixels = tiny_network("source"), samples().pixels[:8]
    ways = {
        "embedding": lambda precision: embedded(network, as_float(pixels), precision),
        "features": lambda precision: features(network, pixels, 1, precision)(torch.arange(8)),
        "local models": lambda precision: (
            fit_local_models(network, pixels, quick().neighbourhood, seed=0, precision=precision).theta
        ),
    }
    for name, way in ways.items():
        exact, rounded = way("fp32"), way("bf16")
        assert rounded.dtype == torch.float32, name
        assert not torch.equal(exact, rounded), name
        torch.testing.assert_close(rounded, exact, rtol=0.05, atol=0.05 * float(exact.abs().max()), msg=name)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("regime", ["strict", "rehearsal"])
def test_what_is_taught_is_rounded_and_what_is_measured_is_not(
    regime: Any, precision: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    doing, rounded = ["teach"], defaultdict[str, set[bool]](set)

    def inside(name: str, original: Any) -> Any:
        def call(*given: Any) -> Any:
            doing.append(name)
            try:
                return original(*given)
            finally:
                doing.pop()

        return call

    def noted(adapter: Adapter, h: Tensor, forward: Any = Adapter.forward) -> Tensor:
        rounded[doing[-1]].add(torch.is_autocast_enabled("cpu"))
        answer: Tensor = forward(adapter, h)
        return answer

    monkeypatch.setattr(Adapter, "forward", noted)
    monkeypatch.setattr(module._Learner, "examine", inside("examine", module._Learner.examine))
    monkeypatch.setattr(module, "calibrate", inside("calibrate", module.calibrate))
    task, settings = clone_task(), quick(regime=regime, precision=precision)
    local = fit_local_models(task.source, task.pixels, settings.neighbourhood, seed=0)
    candidate, outcome = module.localize_insert(task, local, settings, [1], seed=0)[1]
    assert rounded["examine"] == rounded["calibrate"] == {False}
    assert (True in rounded["teach"]) == (precision == "bf16")
    assert {parameter.dtype for parameter in candidate.parameters()} == {torch.float32}
    assert all(torch.tensor([*outcome.epochs, outcome.converged]).isfinite())


def test_the_package_says_which_arithmetic_it_was_learned_in() -> None:
    source, target = source_and_target()
    settings = quick(precision="auto")
    package = pnc.clone(source, target, samples(), {3: "owl", 1: "kiwi"}, settings=settings, positions=[1])
    assert package.info.provenance["precision"] == resolved("auto", "cpu")


def test_an_unknown_arithmetic_is_refused_in_one_line() -> None:
    with pytest.raises(pnc.PncError, match=r"^precision: expected one of auto, fp32, bf16, found 'fp8'$"):
        quick(precision="fp8")
