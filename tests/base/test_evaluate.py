"""Accuracy, its class-weighted mean, leak and calibration error, against counting by hand."""

import pytest
import torch
from _tiny import images, tiny_network
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pnc.base.errors import PncError
from pnc.base.evaluate import Classifier, accuracy, calibration_error, joint, predict, scores
from pnc.base.images import Images, as_float
from pnc.base.seeds import generator


class Answers(nn.Module):
    """Gives each picture the answer that its first pixel names."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, x: Tensor) -> Tensor:
        named = (x[:, 0, 0, 0] * 255).round().long()
        return 5 * nn.functional.one_hot(named, self.classes).float()


def asked(answers: list[int], labels: list[int], classes: int) -> Images:
    pixels = torch.tensor(answers, dtype=torch.uint8).view(-1, 1, 1, 1)
    return Images(pixels, torch.tensor(labels), tuple(f"class {index}" for index in range(classes)))


OLD = asked([0, 1, 2, 3, 4, 5, 6, 0], [0, 1, 2, 3, 4, 0, 1, 2], classes=5)  # 5 of 8 right, 2 called new
NEW = asked([5, 5, 6, 0], [0, 0, 0, 1], classes=2)  # 2 of 4 right


def test_ori_tar_and_their_class_weighted_mean() -> None:
    found = scores(joint(Answers(7), 5), OLD, NEW)
    assert found["ori"] == 62.5 and found["tar"] == 50.0
    assert found["avg"] == pytest.approx((5 * 62.5 + 2 * 50) / 7)
    assert found["leak"] == 25.0
    assert set(found) == {"ori", "tar", "avg", "leak", "ece"}


def test_confidence_is_set_against_accuracy() -> None:
    found = scores(joint(Answers(7), 5), OLD, NEW)
    confidence = 1 / (1 + 6 * torch.exp(torch.tensor(-5.0)))
    assert found["ece"] == pytest.approx(100 * abs(float(confidence) - 7 / 12), abs=1e-4)


def test_two_networks_are_each_asked_about_their_own_classes() -> None:
    moved = asked([0, 0, 1, 1], [0, 0, 0, 1], classes=2)
    found = scores(Classifier(Answers(7), Answers(2), offset=0), OLD, moved)
    assert found == {"ori": 62.5, "tar": 75.0, "avg": pytest.approx((5 * 62.5 + 2 * 75) / 7)}


LATER = asked([7, 7, 7, 5], [0, 0, 0, 0], classes=1)  # 3 of 4 right


def test_clones_attached_one_after_another_are_groups_of_their_own() -> None:
    found = scores(joint(Answers(8), 5), OLD, NEW, LATER)
    assert found["ori"] == 62.5 and found["tar"] == pytest.approx((2 * 50 + 75) / 3)
    assert found["avg"] == pytest.approx((5 * 62.5 + 2 * 50 + 75) / 8)
    assert found["leak"] == 25.0
    assert (found["acc1"], found["acc2"], found["acc3"]) == (62.5, 50.0, 75.0)
    assert set(found) == {"ori", "tar", "avg", "leak", "ece", "acc1", "acc2", "acc3"}


GROUPS = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 9)), min_size=2, max_size=5)


@settings(max_examples=50)
@given(GROUPS, st.integers(0, 2**31))
def test_any_number_of_groups_is_counted_as_by_hand(sizes: list[tuple[int, int]], seed: int) -> None:
    """``sizes`` are (classes, pictures) of each group."""
    draw, total = generator(seed, "groups"), sum(classes for classes, _ in sizes)
    groups, right, offset = [], [], 0
    for classes, count in sizes:
        answers = torch.randint(total, (count,), generator=draw)
        labels = torch.randint(classes, (count,), generator=draw)
        groups.append(asked(answers.tolist(), labels.tolist(), classes))
        right.append(100 * float((answers == labels + offset).double().mean()))
        offset += classes
    found = scores(joint(Answers(total), sizes[0][0]), *groups)
    weighted = [classes * value for (classes, _), value in zip(sizes, right, strict=True)]
    assert found["ori"] == pytest.approx(right[0])
    assert found["tar"] == pytest.approx(sum(weighted[1:]) / sum(classes for classes, _ in sizes[1:]))
    assert found["avg"] == pytest.approx(sum(weighted) / total)
    each = {f"acc{index}": pytest.approx(value) for index, value in enumerate(right, start=1)}
    assert {name: value for name, value in found.items() if name.startswith("acc")} == (
        each if len(sizes) > 2 else {}
    )


def test_one_group_or_none_is_refused() -> None:
    for groups, said in (((), "none"), ((OLD,), "8"), ((OLD, NEW, NEW.take([])), "8 and 4 and 0")):
        with pytest.raises(PncError, match=f"^pictures to evaluate: expected old and new classes, found {said}$"):
            scores(joint(Answers(7), 5), *groups)


@pytest.mark.parametrize(("old", "new"), [(OLD.take([]), NEW), (OLD, NEW.take([]))])
def test_no_pictures_are_refused(old: Images, new: Images) -> None:
    with pytest.raises(PncError, match="pictures to evaluate: expected old and new classes, found"):
        scores(joint(Answers(7), 5), old, new)


def test_predicting_runs_in_eval_mode_without_gradients_whatever_the_batch() -> None:
    network, pixels = tiny_network("asked"), images(4, 5).pixels
    expected = network(as_float(pixels)).detach()
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    found = [predict(network.train(), pixels, batch) for batch in (3, 500)]
    assert not found[0].requires_grad
    for logits in found:
        torch.testing.assert_close(logits, expected)
    assert all(torch.equal(buffer, buffers[name]) for name, buffer in network.named_buffers())


def error_by_hand(logits: Tensor, labels: Tensor, bins: int) -> float:
    confidence, answer = logits.double().softmax(1).max(1)
    total = 0.0
    for index in range(bins):
        inside = (confidence >= index / bins) & ((confidence < (index + 1) / bins) | (index == bins - 1))
        if inside.any():
            right = (answer == labels)[inside].double().mean()
            total += float(inside.double().mean() * (right - confidence[inside].mean()).abs())
    return 100 * total


@settings(max_examples=40)
@given(st.integers(1, 60), st.integers(1, 6), st.integers(1, 20), st.integers(0, 2**31))
def test_the_calibration_error_is_the_mean_gap_over_bins(count: int, classes: int, bins: int, seed: int) -> None:
    draw = generator(seed, "logits")
    logits = torch.randn(count, classes, generator=draw) * 3
    labels = torch.randint(classes, (count,), generator=draw)
    found = calibration_error(logits, labels, bins)
    assert found == pytest.approx(error_by_hand(logits, labels, bins), abs=1e-6)
    assert 0 <= found <= 100
    assert accuracy(logits, labels) == pytest.approx(100 * int((logits.argmax(1) == labels).sum()) / count)
