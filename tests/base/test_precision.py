"""The arithmetic of training."""

import pytest
import torch
from torch import nn

from pnc.base.classifier import Recipe, train_classifier
from pnc.base.errors import PncError
from pnc.base.images import Images
from pnc.base.precision import arithmetic, resolved
from pnc.base.train import Schedule


def test_a_device_decides_what_auto_means_and_nothing_else() -> None:
    assert resolved("auto", "cpu") in ("fp32", "bf16")
    assert resolved("auto", "meta") == "fp32"
    assert (resolved("fp32", "cpu"), resolved("bf16", "cpu")) == ("fp32", "bf16")
    assert Recipe(Schedule(1, 1, 0.1), precision="auto").on("cpu").precision == resolved("auto", "cpu")


def test_an_unknown_arithmetic_is_named_at_once() -> None:
    with pytest.raises(PncError, match="precision: expected one of auto, fp32, bf16, found 'fp8'"):
        Recipe(Schedule(1, 1, 0.1), precision="fp8")  # type: ignore[arg-type]


@pytest.mark.parametrize("precision, dtype", [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_layers_compute_in_the_arithmetic_that_was_asked_for(precision: str, dtype: torch.dtype) -> None:
    with arithmetic(precision, "cpu"):  # type: ignore[arg-type]
        assert nn.Linear(2, 2)(torch.ones(1, 2)).dtype == dtype


def test_training_in_bf16_leaves_float32_weights_that_have_learned() -> None:
    labels = torch.arange(40) % 2
    images = Images(
        (labels * 200).to(torch.uint8).reshape(-1, 1, 1, 1).expand(-1, 1, 4, 4), labels, ("dark", "bright")
    )
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    losses = train_classifier(network, images, Recipe(Schedule(20, 8, 0.05), precision="bf16"), seed=0, label="tiny")
    assert losses[-1][0] < 0.5 * losses[0][0]
    assert {weight.dtype for weight in network.parameters()} == {torch.float32}
