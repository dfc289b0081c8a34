"""The pre-trained networks and their ensembles: what they answer, and where calibration puts the new logits."""

import pytest
import torch
from methods._task import CLASSES, X, method_task, run
from torch import Tensor

from pnc.base.evaluate import Classifier, predict
from pnc.cloning.objective import source_scores
from pnc.methods import MethodTask

CALIBRATED = [("direct_ensemble_calibrated", ""), ("continual_kd", "calibrated")]


def called_new(classifier: Classifier, task: MethodTask) -> float:
    """The share of held-out D_t whose best logit is a new one."""
    return float((predict(classifier.old, task.clone.held_out.pixels).argmax(1) >= 4).double().mean())


def class_accuracies(network: torch.nn.Module, task: MethodTask) -> Tensor:
    """Held-out accuracy on D_o and D_t, weighted by their classes."""
    old, new = task.clone.rehearsal_held_out, task.clone.held_out
    assert old is not None
    right = [predict(network, part.pixels).argmax(1) == part.labels + by for part, by in ((old, 0), (new, 4))]
    return (4 * right[0].double().mean() + 2 * right[1].double().mean()) / 6


def test_pretrained_networks_answer_for_themselves_with_the_cloned_classes_in_front() -> None:
    task = method_task()
    classifier = run("pretrained", task)
    assert torch.equal(classifier.old(X), task.target(X))
    assert torch.equal(classifier.new(X), task.clone.source(X)[:, [3, 1, 0, 2, 4]])


def test_the_plain_ensemble_puts_logits_side_by_side() -> None:
    task = method_task()
    expected = torch.cat([task.target(X), task.clone.source(X)[:, [3, 1]]], dim=1)
    torch.testing.assert_close(run("direct_ensemble", task).old(X), expected)


@pytest.mark.parametrize("regime", ["strict", "rehearsal"])
@pytest.mark.parametrize("rest_weight", [0.0, 0.5, 1.0])
def test_the_calibrated_one_adds_one_offset_to_scores_of_the_weight_asked_for(
    regime: str, rest_weight: float
) -> None:
    task = method_task(regime)
    logits = run("direct_ensemble_calibrated", task, rest_weight=rest_weight).old(X)
    torch.testing.assert_close(logits[:, :4], task.target(X))
    offset = logits[:, 4:] - source_scores(task.clone.source(X), CLASSES, rest_weight)
    torch.testing.assert_close(offset, offset[0, 0].expand(7, 2), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("name", "row"), CALIBRATED)
@pytest.mark.parametrize("q", [0.96, 0.5, 0.25])
def test_a_calibrated_method_calls_the_share_q_of_held_out_pictures_new(name: str, row: str, q: float) -> None:
    task = method_task("strict")
    share = called_new(run(name, task, row, q=q, neutral=1.0), task)
    assert share == pytest.approx(q, abs=1 / len(task.clone.held_out))


def test_in_the_strict_regime_the_ensemble_is_calibrated_as_a_clone_is() -> None:
    task = method_task("strict")
    shares = [
        called_new(run("direct_ensemble_calibrated", task, neutral=neutral), task) for neutral in (0.05, 0.3, 1)
    ]
    assert shares == sorted(shares) and shares[0] < shares[-1]


@pytest.mark.parametrize(("name", "row"), CALIBRATED)
def test_in_rehearsal_no_other_offset_would_be_right_more_often(name: str, row: str) -> None:
    task = method_task("rehearsal")
    network = run(name, task, row).old
    found = class_accuracies(network, task)

    class Shifted(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            logits = network(x)
            return torch.cat([logits[:, :4], logits[:, 4:] + self.by], dim=1)

    shifted = Shifted()
    for shifted.by in torch.linspace(-8, 8, 81):
        assert class_accuracies(shifted, task) <= found
    assert torch.equal(run(name, task, row, q=0.5).old(X), network(X))
