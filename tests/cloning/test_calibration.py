"""The offset δ: the share it promises, the best one among all, and where it ends up."""

import pytest
import torch
from _tiny import clone_task, quick
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pnc.base.images import Images, as_float
from pnc.base.seeds import generator
from pnc.cloning.adapter import Adapter
from pnc.cloning.calibration import GAPS, best_offset, calibrate, expected_leak, quantile_offset
from pnc.cloning.candidate import Candidate, traverse
from pnc.cloning.settings import CloneSettings
from pnc.cloning.tail import MaskedTail
from pnc.cloning.task import CloneTask

seeds = st.integers(0, 2**31)


def called_new(old: Tensor, new: Tensor, delta: float) -> float:
    joint = torch.cat([old, new + delta], dim=1).double()
    return float((joint.argmax(1) >= old.shape[1]).double().mean())


@settings(max_examples=50)
@given(st.integers(2, 300), st.integers(1, 5), st.integers(1, 3), st.floats(0.02, 0.98), seeds)
def test_the_share_q_of_new_pictures_is_called_new(count: int, old: int, new: int, q: float, seed: int) -> None:
    draw = generator(seed, "logits")
    z_old, z_new = (torch.randn(count, classes, generator=draw).double() * 5 for classes in (old, new))
    delta = quantile_offset(z_old, z_new, q)
    assert abs(called_new(z_old, z_new, delta) - q) <= 1 / count + 1e-9


@pytest.mark.parametrize(("count", "q"), [(100, 0.96), (25, 0.96), (50, 0.5), (10, 0.9), (1000, 0.999)])
def test_where_the_share_is_a_whole_number_of_pictures_it_is_exact(count: int, q: float) -> None:
    draw = generator(count, "logits")
    old, new = torch.randn(count, 3, generator=draw), torch.randn(count, 2, generator=draw)
    assert called_new(old, new, quantile_offset(old, new, q)) == pytest.approx(q, abs=1e-9)


def weighted(delta: float, new: tuple[Tensor, Tensor, Tensor], old: tuple[Tensor, Tensor, Tensor]) -> float:
    """Class-weighted accuracy of the joint argmax."""
    total = 0.0
    for first, (z_old, z_new, labels), classes in ((True, new, new[1]), (False, old, old[0])):
        answer = torch.cat([z_old, z_new + delta], dim=1).argmax(1)
        right = answer == (labels + z_old.shape[1] if first else labels)
        total += classes.shape[1] * float(right.double().mean())
    return total


@settings(max_examples=100)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 4), st.integers(1, 3), seeds)
def test_no_offset_beats_the_best_one(new: int, old: int, old_classes: int, new_classes: int, seed: int) -> None:
    draw = generator(seed, "logits")

    def part(count: int, classes: int) -> tuple[Tensor, Tensor, Tensor]:
        """Small whole numbers, so that ties are common."""
        z_old, z_new = (torch.randint(-4, 5, (count, k), generator=draw).double() for k in (old_classes, new_classes))
        return z_old, z_new, torch.randint(classes, (count,), generator=draw)

    of_new, of_old = part(new, new_classes), part(old, old_classes)
    found = weighted(best_offset(*of_new, *of_old), of_new, of_old)
    every = [weighted(step / 4, of_new, of_old) for step in range(-41, 42)]  # gaps are whole numbers in [−8, 8]
    assert found == pytest.approx(max(every))


def test_offsets_beyond_all_pictures_are_found() -> None:
    sure = (torch.zeros(3, 1), torch.tensor([[1.0], [2.0], [3.0]]), torch.zeros(3, dtype=torch.long))
    never = (torch.zeros(2, 2), torch.tensor([[-9.0], [9.0]]), torch.tensor([1, 1]))  # argmax is 0: never right
    assert called_new(sure[0], sure[1], best_offset(*sure, *never)) == 1
    hopeless = (torch.zeros(3, 2), torch.tensor([[0.0, 1.0]]).expand(3, 2), torch.zeros(3, dtype=torch.long))
    right = (torch.tensor([[1.0, 0.0]]), torch.tensor([[5.0, 5.0]]), torch.tensor([0]))
    assert called_new(right[0], right[1], best_offset(*hopeless, *right)) == 0


def candidate_for(task: CloneTask) -> Candidate:
    rows = nn.Linear(task.target.head.in_features + task.source.head.in_features, len(task.classes))
    adapter, draw = Adapter(8, 9, (4, 4)), generator(0, "candidate")
    with torch.no_grad():
        for parameter in (*adapter.parameters(), *rows.parameters()):
            parameter.normal_(0, 0.3, generator=draw)
    return Candidate(2, adapter, MaskedTail(task.source, 2, 0.5).harden(), rows)


@torch.no_grad()
def joint_logits(candidate: Candidate, task: CloneTask, images: Images) -> tuple[Tensor, Tensor, Tensor]:
    entering, embedding = traverse(task.target, as_float(images.pixels), {2})
    return task.target.head(embedding), candidate(entering[2], embedding), images.labels


@pytest.mark.parametrize("q", [0.25, 0.5, 0.75])
def test_strict_calibration_calls_a_share_q_of_held_out_pictures_new(q: float) -> None:
    task = clone_task()
    candidate = candidate_for(task)
    before = candidate.rows.bias.detach().clone()
    found = calibrate(candidate, candidate.tail, task, quick(q=q, neutral=1.0), seed=0)
    torch.testing.assert_close(candidate.rows.bias.detach() - before, torch.full((2,), found.delta))
    old, new, _ = joint_logits(candidate, task, task.held_out)
    assert called_new(old, new, 0.0) == pytest.approx(q, abs=1 / len(task.held_out))
    assert found.called_new == pytest.approx(called_new(old, new, 0.0), abs=1e-6)
    gaps = (new.amax(1) - old.amax(1)).sort().values
    least, middle, most = (found.gaps[index] for index in (0, GAPS // 2, -1))
    expected = [float(each) for each in (gaps[0], gaps.quantile(0.5), gaps[-1])]
    assert len(found.gaps) == GAPS and [least, middle, most] == pytest.approx(expected, abs=1e-5)


def test_pictures_that_neither_network_knows_bound_the_offset() -> None:
    task = clone_task()
    offsets = {
        neutral: calibrate(candidate_for(task), candidate_for(task).tail, task, quick(q=0.9, neutral=neutral), seed=0)
        for neutral in (0.1, 0.5, 1.0)
    }
    assert offsets[0.1].delta < offsets[0.5].delta <= offsets[1.0].delta
    assert offsets[0.1].called_new < 0.9


def test_rehearsal_calibration_takes_the_best_offset_on_both_kinds_of_pictures() -> None:
    task = clone_task()
    candidate = candidate_for(task)
    assert task.rehearsal_held_out is not None
    parts = [joint_logits(candidate, task, images) for images in (task.held_out, task.rehearsal_held_out)]
    found = calibrate(candidate, candidate.tail, task, quick(regime="rehearsal"), seed=0)
    best = best_offset(*parts[0], *parts[1])
    assert weighted(found.delta, *parts) == pytest.approx(weighted(best, *parts))
    assert found.delta == pytest.approx(best, abs=1e-4)
    assert found.leak == pytest.approx(called_new(*parts[1][:2], found.delta))


def test_no_calibration_leaves_the_rows_alone_and_the_seed_decides_the_rest() -> None:
    task = clone_task()
    candidate = candidate_for(task)
    before = candidate.rows.bias.detach().clone()
    assert calibrate(candidate, candidate.tail, task, quick(calibration="none"), seed=0).delta == 0
    assert torch.equal(candidate.rows.bias, before)
    offsets = [
        calibrate(candidate_for(task), candidate.tail, task, CloneSettings(q=0.999), seed) for seed in (0, 0, 1)
    ]
    assert offsets[0] == offsets[1] != offsets[2]


@settings(max_examples=30)
@given(st.floats(-20, 20), st.integers(1, 4), seeds)
def test_the_expected_leak_is_a_share_that_grows_with_the_offset(delta: float, cloned: int, seed: int) -> None:
    draw = generator(seed, "logits")
    target, source = torch.randn(50, 4, generator=draw), torch.randn(50, 5, generator=draw)
    less, more = (
        expected_leak(target, source, tuple(range(cloned)), 0.5, offset, generator(seed, "exchange"))
        for offset in (delta, delta + 1)
    )
    assert 0 <= less <= more <= 1


def test_networks_that_never_confuse_classes_are_expected_to_leak_nothing() -> None:
    sure, doubtful = torch.full((20, 5), -9.0), torch.zeros(20, 4)
    sure[:, 0] = 9
    assert expected_leak(doubtful, sure, (0,), 0.0, 0.0, generator(0, "exchange")) == 0
    assert expected_leak(doubtful, sure, (0,), 0.0, 10.0, generator(0, "exchange")) == 1
