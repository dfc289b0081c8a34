"""Learning M, A and F_c: one R at a time or all at once, killed or not, the same bits; and nothing else changes."""

import functools
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import _tiny
import pytest
import torch
from _tiny import clone_task, pictures, same_bits, state, tiny_network
from torch import Tensor, nn

from pnc.base.images import Images, as_float
from pnc.base.train import Checkpoint, Schedule
from pnc.cloning import inputs as module
from pnc.cloning import objective
from pnc.cloning.candidate import Candidate, source_position, traverse
from pnc.cloning.local import neighbourhood
from pnc.cloning.local.local_models import LocalModels, fit_local_models
from pnc.cloning.localize_insert import Outcome, localize_insert
from pnc.cloning.masks import kept_filters
from pnc.cloning.settings import CloneSettings
from pnc.cloning.task import CloneTask

Found = dict[int, tuple[Candidate, Outcome]]


quick = functools.partial(_tiny.quick, start_inputs=128, held_out_inputs=64)


def local_models(task: CloneTask, settings: CloneSettings) -> LocalModels:
    return fit_local_models(task.source, task.pixels, settings.neighbourhood, seed=0)


def learned(task: CloneTask, settings: CloneSettings, positions: Sequence[int], seed: int = 0, **more: Any) -> Found:
    return localize_insert(task, local_models(task, settings), settings, positions, seed=seed, **more)


def same(one: Found, other: Found, position: int) -> bool:
    (first, losses), (second, others) = one[position], other[position]
    bits, other_bits = first.tail.bits(), second.tail.bits()
    masks = all(torch.equal(bits[name], other_bits[name]) for name in bits)
    return (
        masks
        and losses == others
        and all(same_bits(getattr(first, part), getattr(second, part)) for part in ("adapter", "rows"))
    )


@cache
def all_positions(regime: str) -> Found:
    return learned(clone_task(), quick(regime=regime), [2, 1, 0])


@pytest.mark.parametrize("regime", ["strict", "rehearsal"])
def test_one_position_at_a_time_gives_the_same_bits_as_all_at_once(regime: str) -> None:
    together = all_positions(regime)
    assert list(together) == [2, 1, 0]
    for position in (0, 1, 2):
        alone = learned(clone_task(), quick(regime=regime), [position])
        assert same(alone, together, position)


@pytest.mark.parametrize(("losses", "left"), [((3, 2, 1), (2, 1, 0)), ((1, 2, 0), (2, 1)), ((2, 1, 3), (2, 1, 0))])
def test_a_search_may_end_with_the_first_position_that_converges_worse(
    losses: tuple[float, ...], left: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = iter(losses)
    monkeypatch.setattr("pnc.cloning.localize_insert._Learner.examine", lambda *_: (next(said), 1.0))
    found = learned(clone_task(), quick(schedule=Schedule(1), insert=None), [2, 1, 0], until_worse=True)
    assert tuple(found) == left


def test_the_seed_decides_the_result_and_the_global_generator_does_not() -> None:
    torch.manual_seed(1)
    again = learned(clone_task(), quick(), [2, 1, 0])
    other = learned(clone_task(), quick(), [2, 1, 0], seed=1)
    for position in (0, 1, 2):
        assert same(again, all_positions("strict"), position)
        assert not same(other, again, position)


def test_the_global_generator_is_left_alone() -> None:
    task = clone_task()
    before = torch.random.get_rng_state()
    learned(task, quick(), [1])
    assert torch.equal(torch.random.get_rng_state(), before)


class KilledError(Exception):
    """Stands for whatever ends a run from outside."""


@pytest.mark.parametrize("calls", [1, 2, 5, 9])  # two batches to an epoch, three epochs, two positions
def test_a_killed_run_goes_on_and_ends_with_the_same_bits(
    calls: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, checkpoint = quick(schedule=Schedule(3, 32, 1e-2)), Checkpoint(tmp_path / "run.pt", seconds=0)
    undisturbed = learned(clone_task(), settings, [2, 1])
    counted, healthy = [], objective.localisation_loss

    def dying(masked: Tensor, local: Tensor) -> Tensor:
        counted.append(1)
        if len(counted) > calls:
            raise KilledError
        return healthy(masked, local)

    with monkeypatch.context() as patched:
        patched.setattr(objective, "localisation_loss", dying)
        with pytest.raises(KilledError):
            learned(clone_task(), settings, [2, 1], checkpoint=checkpoint)
    assert checkpoint.of("R2-localise").path.exists() == (calls >= 2)
    assert checkpoint.of("R1-localise").path.exists() == (calls >= 9)
    resumed = learned(clone_task(), settings, [2, 1], checkpoint=checkpoint)
    assert same(resumed, undisturbed, 2) and same(resumed, undisturbed, 1)


@pytest.mark.parametrize("regime", ["strict", "rehearsal"])
def test_neither_network_nor_the_local_models_change(regime: str) -> None:
    task, settings = clone_task(), quick(regime=regime)
    models = local_models(task, settings)
    before, theta = [state(network) for network in (task.source, task.target)], models.theta.clone()
    localize_insert(task, models, settings, [2, 0], seed=0)
    assert [state(network) for network in (task.source, task.target)] == before
    assert torch.equal(models.theta, theta)


def test_masks_end_hard_with_the_kept_number_of_filters_in_every_layer() -> None:
    task = clone_task()
    for position, (candidate, losses) in all_positions("strict").items():
        assert not candidate.tail.scores()
        bits = candidate.tail.bits()
        assert list(bits) == [f"{i}.{1 if i == 0 else 0}" for i in range(position, 3)]
        for name, mask in bits.items():
            assert int(mask.sum()) == kept_filters(len(task.source.blocks.get_parameter(f"{name}.weight")), 0.5)
        assert len(losses.epochs) == 4 and losses.converged > 0 and 0 <= losses.accuracy <= 1


def test_learning_lowers_the_loss_and_moves_every_part() -> None:
    task, settings = clone_task(), quick(inputs_per_epoch=256, schedule=Schedule(6, 32, 2e-2), start="random")
    found = learned(task, settings, [2, 1, 0])
    at_rest = Schedule(1, 32, 1e-12)
    still = learned(task, replace(settings, schedule=at_rest, insert=at_rest), [2, 1, 0])
    for position in (2, 1, 0):
        (candidate, losses), (start, at_first) = found[position], still[position]
        assert losses.epochs[-1] < 0.8 * losses.epochs[0]
        assert losses.converged < at_first.converged
        assert not same_bits(candidate.adapter, start.adapter) and not same_bits(candidate.rows, start.rows)
    pairs = [(found[position][0].tail.bits(), still[position][0].tail.bits()) for position in (2, 1, 0)]
    assert any(not torch.equal(bits[name], other[name]) for bits, other in pairs for name in bits)


def untrained(task: CloneTask, position: int, **changes: Any) -> Candidate:
    """The candidate that training starts from (a learning rate of almost nothing)."""
    settings = quick(calibration="none", schedule=Schedule(1, 64, 1e-12), insert=None, **changes)
    return learned(task, settings, [position])[position][0]


def test_new_rows_start_as_the_sources_and_old_features_count_for_nothing() -> None:
    task = clone_task(classes=(3, 1))
    candidate, head = untrained(task, 1, rest_weight=0.0), task.source.head
    rows, width = candidate.rows.weight.detach(), task.target.head.in_features
    torch.testing.assert_close(rows[:, :width], torch.zeros(2, width), atol=1e-9, rtol=0)
    torch.testing.assert_close(rows[:, width:], head.weight.detach()[[3, 1]])
    torch.testing.assert_close(candidate.rows.bias.detach(), head.bias.detach()[[3, 1]])


def test_at_the_pictures_themselves_the_adapter_starts_as_the_identity_and_the_clone_as_the_source() -> None:
    task = clone_task()
    candidate = untrained(task, 0, keep=1.0, rest_weight=0.0)
    torch.testing.assert_close(candidate.adapter.conv.weight.detach()[:, :, 0, 0], torch.eye(3), atol=0.02, rtol=0)
    x = pictures(16)
    entering, embedding = traverse(task.target, x, {0})
    error = candidate(entering[0], embedding) - task.source(x)[:, [3, 1]]
    assert error.detach().abs().mean() < 0.03 * task.source(x)[:, [3, 1]].detach().std()


def source_and_local(task: CloneTask, models: LocalModels) -> tuple[Tensor, Tensor]:
    """The source's and g_i's answers for T_s, for every held-out picture i and every mask."""
    count, masks = len(task.held_out), models.masks
    held_out = models.slice(len(task.samples), len(models))
    pairs = torch.cartesian_prod(torch.arange(count), torch.arange(len(masks)))
    near = neighbourhood.perturb(as_float(task.held_out.pixels)[pairs[:, 0]], masks[pairs[:, 1]])
    classes = list(task.classes)
    with torch.no_grad():
        return task.source(near)[:, classes], held_out.predict(pairs[:, 0], pairs[:, 1])[:, classes]


def test_the_losses_set_each_picture_and_mask_against_their_own_local_model() -> None:
    """An unmasked clone at R = 0 is the source, so each loss is what G itself misses."""
    task = clone_task()
    settings = quick(
        keep=1.0,
        inputs="neighbourhood",
        insertion="two_softmax",
        rest_weight=0.0,
        calibration="none",
        localisation=0.0,
        held_out_inputs=4096,
        schedule=Schedule(1, 512, 1e-12),
        insert=None,
    )
    models = local_models(task, settings)
    answers, local = source_and_local(task, models)
    inserted, both = (
        localize_insert(task, models, replace(settings, localisation=weight), [0], seed=0)[0][1].converged
        for weight in (0.0, 10.0)
    )
    assert inserted == pytest.approx(
        float(objective.two_softmax_distillation(answers, answers, answers, local)), rel=0.2
    )
    assert (both - inserted) / 10 == pytest.approx(float((answers - local).square().mean()), rel=0.15)
    assert float((answers - local.flip(0)).square().mean()) > 2 * float((answers - local).square().mean())


def test_a_random_start_is_another_one_and_a_worse_one() -> None:
    task = clone_task()
    x = pictures(64, seed=9)
    errors = {}
    for start in ("ridge", "random"):
        candidate = untrained(task, 1, start=start)
        entering, _ = traverse(task.target, x, {1})
        errors[start] = float((candidate.adapter(entering[1]) - task.source.run(x, 0, 1)).detach().square().mean())
    assert errors["ridge"] < 0.7 * errors["random"]


def test_the_adapter_has_no_relu_where_the_sources_features_go_below_zero() -> None:
    task = clone_task()
    source = tiny_network("source", 5, (5, 9, 12))
    assert isinstance(source.blocks[0], nn.Sequential)
    source.blocks[0].pop(-1)  # a linear bottleneck leaves block 0
    assert untrained(task, 1).adapter.relu
    assert not untrained(replace(task, source=source), 1).adapter.relu


VARIANTS = [
    {"insertion": "two_softmax"},
    {"insertion": "labels"},
    {"inputs": "neighbourhood"},
    {"inputs": "neighbourhood", "insertion": "two_softmax", "calibration": "none"},
    {"reading": "zero_after_bn", "start": "random"},
    {"reading": "bn_mean", "rest_weight": 0.0},
    {"localisation": 0.0, "keep": 1.0},
    {"insert": None, "reading": "zero"},
    {"anneal": 1.0},
    {"adapter": "3x3"},
    {"regime": "rehearsal", "inputs": "neighbourhood", "calibration": "none"},
]


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_every_reading_can_be_learned(changes: dict[str, Any]) -> None:
    found = learned(clone_task((2,)), quick(**changes), [2, 1])
    joint = all_positions("strict")
    for position, (candidate, losses) in found.items():
        assert all(parameter.isfinite().all() for parameter in candidate.parameters())
        assert losses.converged >= 0 and losses.epochs != joint[position][1].epochs


@pytest.mark.parametrize(("position", "target", "source", "expected"), [
    (0, 3, 5, 0), (1, 3, 5, 2), (2, 3, 5, 4), (4, 5, 3, 2), (3, 5, 3, 2), (1, 5, 3, 1), (7, 8, 5, 4), (4, 5, 5, 4),
])  # fmt: skip
def test_the_source_is_entered_at_the_same_relative_depth(
    position: int, target: int, source: int, expected: int
) -> None:
    assert source_position(position, target, source) == expected


def test_networks_of_different_depth_and_size_of_maps_fit_together() -> None:
    source = tiny_network("source", 5, (4, 6, 6, 7, 5))
    task = replace(clone_task(), source=source)
    found = learned(task, quick(), [2, 1, 0])
    assert {position: candidate.tail.start for position, (candidate, _) in found.items()} == {0: 0, 1: 2, 2: 4}
    x = pictures(3)
    for position, (candidate, _) in found.items():
        entering, embedding = traverse(task.target, x, {position})
        wanted = source.run(x, 0, candidate.tail.start).shape[1:]
        assert candidate.adapter(entering[position]).shape[1:] == wanted
        assert candidate(entering[position], embedding).shape == (3, 2)


def coloured(each: int) -> Images:
    """Two classes one behind the other; every picture is of one grey that tells which it is."""
    greys = torch.arange(2 * each, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 8, 8)
    return Images(greys.contiguous(), torch.arange(2).repeat_interleave(each), ("a", "b"))


def watched(monkeypatch: pytest.MonkeyPatch, change: str) -> list[Tensor]:
    """The greys of every batch of pictures from now on, before ``change`` makes inputs of them."""
    seen: list[Tensor] = []
    original = getattr(module, change)

    def watching(x: Tensor, *others: Any) -> Tensor:
        seen.append((x[:, 0, 0, 0] * 255).round().long())
        return original(x, *others)

    monkeypatch.setattr(module, change, watching)
    return seen


each_kind_of_inputs = pytest.mark.parametrize(("inputs", "change"), [("wide", "widen"), ("neighbourhood", "perturb")])


@each_kind_of_inputs
@pytest.mark.parametrize(("each", "count"), [(40, 16), (4, 32)])
def test_samples_are_used_equally_often_give_or_take_one(
    inputs: str, change: str, each: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = replace(clone_task(), samples=coloured(each))
    seen = watched(monkeypatch, change)
    learned(task, quick(inputs=inputs, inputs_per_epoch=count), [2])
    used = torch.bincount(seen[0], minlength=2 * each)
    assert len(seen[0]) == count and int(used.max() - used.min()) <= 1


def every_other(models: LocalModels) -> LocalModels:
    return replace(models, theta=models.theta[::2], of=models.of[::2])


@each_kind_of_inputs
def test_local_models_of_a_part_of_the_pictures_count_around_that_part_alone(
    inputs: str, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Widened pictures need none: they are made from all."""
    task, settings = replace(clone_task(), samples=coloured(10)), quick(inputs=inputs)
    models = every_other(local_models(task, settings))
    to_insert, to_localise = watched(monkeypatch, change), watched(monkeypatch, "perturb")
    localize_insert(task, models, settings, [2, 1], seed=0)
    near = list(range(0, 20, 2))
    assert to_localise[0].unique().tolist() == near
    assert to_insert[0].unique().tolist() == (near if inputs == "neighbourhood" else list(range(20)))


def test_a_part_of_the_local_models_answers_as_all_of_them_do() -> None:
    task, settings = clone_task(), quick(inputs="neighbourhood")
    models = local_models(task, settings)
    found = localize_insert(task, models, settings, [2], seed=0)
    assert same(localize_insert(task, models.among(torch.arange(28)), settings, [2], seed=0), found, 2)
    assert not same(localize_insert(task, every_other(models), settings, [2], seed=0), found, 2)
