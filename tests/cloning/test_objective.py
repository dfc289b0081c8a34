"""The losses at values worked out by hand, and what sets the two readings of Eq. 7 apart."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pnc.base.seeds import generator
from pnc.cloning import objective

seeds = st.integers(0, 2**31)
Loss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def logits(count: int, classes: int, *purpose: object) -> Tensor:
    return 3 * torch.randn(count, classes, generator=generator(0, *purpose))


def test_source_scores_are_plain_logits_less_the_rest() -> None:
    z = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    assert objective.source_scores(z, (2, 0), 0.0).tolist() == [[3.0, 1.0]]
    rest = torch.tensor([2.0, 4.0]).exp().sum().log()
    torch.testing.assert_close(objective.source_scores(z, (2, 0), 0.5), torch.tensor([[3.0, 1.0]]) - rest / 2)


@pytest.mark.parametrize("rest_weight", [0.0, 0.5, 1.0])
def test_with_all_classes_cloned_there_is_nothing_to_subtract(rest_weight: float) -> None:
    z, head = logits(3, 3, "z"), nn.Linear(4, 3)
    assert torch.equal(objective.source_scores(z, (2, 0, 1), rest_weight), z[:, [2, 0, 1]])
    weight, bias = objective.source_rows(head, (2, 0, 1), rest_weight)
    assert torch.equal(weight, head.weight[[2, 0, 1]]) and torch.equal(bias, head.bias[[2, 0, 1]])


@pytest.mark.parametrize("bias", [True, False])
def test_with_one_class_left_over_rows_and_scores_agree(bias: bool) -> None:
    head, x = nn.Linear(6, 3, bias=bias), torch.randn(5, 6, generator=generator(0, "x"))
    weight, offset = objective.source_rows(head, (2, 0), 0.7)
    scores = objective.source_scores(head(x), (2, 0), 0.7)
    torch.testing.assert_close(x @ weight.T + offset, scores)
    assert not weight.requires_grad and not offset.requires_grad


def test_rows_start_less_the_mean_of_the_others_and_own_their_memory() -> None:
    head = nn.Linear(2, 4)
    before = [parameter.detach().clone() for parameter in head.parameters()]
    weight, bias = objective.source_rows(head, (1,), 0.5)
    torch.testing.assert_close(weight[0], before[0][1] - before[0][[0, 2, 3]].mean(0) / 2)
    torch.testing.assert_close(bias[0], before[1][1] - before[1][[0, 2, 3]].mean() / 2)
    for rest_weight in (0.0, 0.5):
        for rows in objective.source_rows(head, (1, 3), rest_weight):
            rows.zero_()
    assert all(torch.equal(a, b) for a, b in zip(head.parameters(), before, strict=True))


def test_localisation_is_the_mean_squared_error() -> None:
    loss = objective.localisation_loss(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 4.0]]))
    assert float(loss) == pytest.approx((1 + 4) / 2)


@pytest.mark.parametrize("loss", [objective.joint_distillation, objective.two_softmax_distillation])
@settings(max_examples=15)
@given(seed=seeds)
def test_distillation_is_least_where_the_clone_answers_as_its_teacher(loss: Loss, seed: int) -> None:
    draw = generator(seed, "logits")
    old, new, teacher = (torch.randn(6, classes, generator=draw) for classes in (4, 2, 2))
    assert float(loss(old, teacher, old, teacher)) == pytest.approx(0, abs=1e-6)
    assert float(loss(old, new, old, teacher)) > 1e-4


def test_the_joint_loss_is_one_kl_and_the_scaled_error_of_new_logits() -> None:
    old, new, teacher_old, teacher_new = (logits(5, classes, classes, k) for k, classes in enumerate((3, 2, 3, 2)))
    p, q = (torch.cat(pair, 1).double().softmax(1) for pair in ((teacher_old, teacher_new), (old, new)))
    kl = (p * (p / q).log()).sum(1).mean()
    error = ((new - teacher_new) / teacher_new.std()).abs().double()
    smooth = torch.where(error < 1, error**2 / 2, error - 0.5).mean()
    found = objective.joint_distillation(old, new, teacher_old, teacher_new)
    torch.testing.assert_close(found.double(), kl + smooth, atol=1e-5, rtol=1e-5)


def test_only_the_joint_loss_sets_old_against_new() -> None:
    old, teacher = logits(6, 4, "old"), logits(6, 2, "teacher")
    for offset in (5.0, -5.0):
        assert float(objective.two_softmax_distillation(old, teacher + offset, old, teacher)) < 1e-5
        assert float(objective.joint_distillation(old, teacher + offset, old, teacher)) > 0.5


def test_for_a_single_class_two_softmaxes_teach_nothing() -> None:
    old, teacher = logits(6, 4, "old"), logits(6, 1, "teacher")
    new = logits(6, 1, "new").requires_grad_()
    loss = objective.two_softmax_distillation(old, new, old, teacher)
    loss.backward()
    assert loss.detach() == 0 and new.grad is not None and not new.grad.any()
    objective.joint_distillation(old, new, old, teacher).backward()
    assert new.grad.abs().min() > 0


@settings(max_examples=15)
@given(seeds)
def test_gated_targets_are_probabilities_split_as_the_teachers_do(seed: int) -> None:
    draw = generator(seed, "teachers")
    old, new, share = (
        torch.randn(5, 3, generator=draw),
        torch.randn(5, 2, generator=draw),
        torch.rand(5, generator=draw),
    )
    targets = objective.gated_targets(old, share, new)
    assert targets.min() >= 0
    torch.testing.assert_close(targets.sum(1), torch.ones(5))
    torch.testing.assert_close(targets[:, 3:].sum(1), share)
    torch.testing.assert_close(targets[:, 3:], share.unsqueeze(1) * new.softmax(1))
    torch.testing.assert_close(targets[:, :3], (1 - share).unsqueeze(1) * old.softmax(1))


def test_cross_entropy_takes_labels_and_probabilities() -> None:
    old, new, labels = logits(6, 3, "old"), logits(6, 2, "new"), torch.tensor([0, 1, 2, 3, 4, 3])
    by_hand = -torch.cat([old, new], 1).log_softmax(1)[torch.arange(6), labels].mean()
    torch.testing.assert_close(objective.cross_entropy(old, new, labels), by_hand)
    one_hot = nn.functional.one_hot(labels, 5).float()
    torch.testing.assert_close(objective.cross_entropy(old, new, one_hot), by_hand)
