"""Every row of the tables keeps one contract; and what sets the baselines apart."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest
import torch
from _tiny import SIZE, clone_task, images, package_for, pictures, quick, state
from torch import Tensor

from pnc.arch import BlockNet, NetworkSpec
from pnc.base.augment import Augmentation
from pnc.base.errors import PncError
from pnc.base.evaluate import Classifier, scores
from pnc.base.images import Images, as_float
from pnc.base.train import Schedule
from pnc.cloned.model import attach
from pnc.cloning.objective import source_scores
from pnc.cloning.package import ClonePackage
from pnc.methods import METHODS, MethodTask, train_classifier
from pnc.methods._finetune import distillation, extended

CLASSES, NAMES = (3, 1), ("owl", "kiwi")
X = pictures(7)


def packages(source: BlockNet, target: BlockNet, seed: int) -> dict[int, ClonePackage]:
    return {position: package_for(source, target, position, CLASSES, NAMES, seed) for position in range(3)}


def method_task(classes: Sequence[int] = CLASSES, seed: int = 0, rehearsal: bool = True) -> MethodTask:
    clone = clone_task(tuple(classes), rehearsal)
    names = (*(f"target {index}" for index in range(4)), *NAMES[: len(classes)])
    full = images(len(names), 6, seed=7)
    mean, std = full.mean_std()
    masked, unmasked = (packages(clone.source, clone.target, index) for index in range(2))
    return MethodTask(
        clone=clone,
        full=Images(full.pixels, full.labels, names),
        spec=NetworkSpec("plain_cnn", names, mean, std, SIZE, width=0.25),
        settings=quick(),
        pretrain=Schedule(2, 16, 1e-2),
        finetune=Schedule(2, 16, 1e-2),
        augmentation=Augmentation(crop=1, flip=False, rotation=5),
        seed=seed,
        packages={"masked": masked, "unmasked": unmasked},
        chosen={"masked": 1, "unmasked": 0},
    )


def answers(classifier: Classifier) -> Tensor:
    with torch.no_grad():
        return torch.cat([classifier.old.eval()(X), classifier.new.eval()(X)], dim=1)


@cache
def built(name: str) -> Classifier:
    return METHODS.get(name).build(method_task())


@pytest.mark.parametrize("name", METHODS.names())
def test_a_method_yields_a_classifier_and_changes_neither_network(name: str) -> None:
    task = method_task()
    networks = task.clone.source, task.target
    before = [state(network) for network in networks]
    classifier = METHODS.get(name).build(task)
    found = scores(classifier, images(4, 3), images(2, 3))
    assert [state(network) for network in networks] == before
    assert all(0 <= value <= 100 for value in found.values())
    classes = 6 if classifier.old is classifier.new else 4
    logits = classifier.old(X), classifier.new(X)
    assert logits[0].shape == (7, classes) and logits[1].shape[1] >= classifier.offset + 2
    assert all(part.isfinite().all() for part in logits)
    assert classifier.offset == (4 if classifier.old is classifier.new else 0)


@pytest.mark.parametrize("name", METHODS.names())
def test_a_methods_seed_decides_its_result(name: str) -> None:
    torch.manual_seed(11)
    assert torch.equal(answers(METHODS.get(name).build(method_task())), answers(built(name)))


@pytest.mark.parametrize("name", ["joint", "joint_sampled", "continual", "continual_kd", "pnc_f", "linear_probe"])
def test_what_trains_comes_out_otherwise_with_another_seed(name: str) -> None:
    other = answers(METHODS.get(name).build(replace(method_task(), seed=1)))
    assert not torch.equal(other, answers(built(name)))


@pytest.mark.parametrize("name", [name for name in METHODS.names() if not name.startswith("pnc")])
def test_a_single_class_can_be_added(name: str) -> None:
    classifier = METHODS.get(name).build(method_task((2,)))
    assert scores(classifier, images(4, 3), images(1, 3))["tar"] >= 0


def test_rows_have_names_of_their_own() -> None:
    rows = [METHODS.get(name).row for name in METHODS.names()]
    assert len(set(rows)) == len(rows)


def test_pretrained_networks_answer_for_themselves_with_the_cloned_classes_in_front() -> None:
    task, classifier = method_task(), built("pretrained")
    assert torch.equal(classifier.old(X), task.target(X))
    assert torch.equal(classifier.new(X), task.clone.source(X)[:, [3, 1, 0, 2, 4]])


def test_direct_ensembles_put_logits_side_by_side() -> None:
    task = method_task()
    plain, calibrated = (built(name).old(X) for name in ("direct_ensemble", "direct_ensemble_calibrated"))
    old, source = task.target(X), task.clone.source(X)
    torch.testing.assert_close(plain, torch.cat([old, source[:, [3, 1]]], dim=1))
    torch.testing.assert_close(calibrated[:, :4], old)
    offset = calibrated[:, 4:] - source_scores(source, CLASSES, task.settings.rest_weight)
    torch.testing.assert_close(offset, offset[0, 0].expand(7, 2), atol=1e-4, rtol=1e-4)


def test_a_calibrated_ensemble_calls_the_share_q_of_held_out_pictures_new() -> None:
    held_out = method_task().clone.held_out
    logits = built("direct_ensemble_calibrated").old(as_float(held_out.pixels))
    share = (logits.argmax(1) >= 4).double().mean()
    assert float(share) == pytest.approx(0.96, abs=1 / len(held_out))


def test_pnc_rows_use_the_package_that_they_name() -> None:
    task = method_task()
    for name, variant, position in (
        ("pnc", "masked", 1),
        ("pnc_without_insert", "masked", 2),
        ("pnc_without_local", "unmasked", 0),
    ):
        package = task.packages[variant][position]  # type: ignore[index]
        assert torch.equal(built(name).old(X), attach(task.target, task.clone.source, package)(X))


def test_fine_tuning_changes_every_layer_of_the_copy_the_targets_too() -> None:
    task, tuned = method_task(), built("pnc_f").old
    original = attach(task.target, task.clone.source, task.package("masked"))
    before = dict(original.named_parameters())
    same = [name for name, parameter in tuned.named_parameters() if torch.equal(parameter, before[name])]
    assert not same
    buffers = dict(original.named_buffers())
    assert all(torch.equal(buffer, buffers[name]) for name, buffer in tuned.named_buffers())


@pytest.mark.parametrize("name", ["continual", "continual_kd"])
def test_continual_learning_changes_every_layer_of_its_copy(name: str) -> None:
    task, network = method_task(), built(name).old
    before = dict(task.target.blocks.named_parameters())
    assert isinstance(network, BlockNet)
    assert not [n for n, parameter in network.blocks.named_parameters() if torch.equal(parameter, before[n])]


def test_an_extended_target_starts_with_its_own_answers() -> None:
    target = method_task().target.requires_grad_(False)
    one, same, other = (extended(target, 2, seed) for seed in (0, 0, 1))
    torch.testing.assert_close(one(X)[:, :4], target(X))
    assert torch.equal(one(X), same(X)) and not torch.equal(one(X), other(X))
    assert all(parameter.requires_grad for parameter in one.parameters())
    assert target.classes == 4


def test_distillation_is_zero_for_equal_logits_and_blind_to_an_offset() -> None:
    teacher = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    assert float(distillation(teacher + 3, teacher)) == pytest.approx(0, abs=1e-5)
    assert float(distillation(teacher.flip(1), teacher)) > 0.1


def test_the_probe_learns_on_frozen_features() -> None:
    task = replace(method_task(), finetune=Schedule(60, 16, 5e-2))
    probe = METHODS.get("linear_probe").build(task).old
    assert task.clone.rehearsal is not None
    trained_on = [(task.clone.rehearsal, 0), (task.clone.samples, 4)]
    right = [probe(as_float(part.pixels)).argmax(1) == part.labels + offset for part, offset in trained_on]
    assert float(torch.cat(right).double().mean()) > 0.8


@pytest.mark.parametrize("name", ["joint_sampled", "linear_probe"])
def test_methods_that_need_old_pictures_say_so(name: str) -> None:
    with pytest.raises(PncError, match="expected samples of D_o, found none"):
        METHODS.get(name).build(method_task(rehearsal=False))


def test_a_package_that_was_not_trained_is_named() -> None:
    task = method_task()
    with pytest.raises(PncError, match=r"masked package: expected R = 5, found trained ones \[0, 1, 2\]"):
        task.package("masked", 5)
    with pytest.raises(PncError, match=r"masked package: expected R = None, found trained ones \[\]"):
        METHODS.get("pnc").build(replace(task, packages={}, chosen={}))


def test_an_unknown_method_is_refused_with_the_known_ones() -> None:
    with pytest.raises(PncError, match=r"unknown method: expected one of continual, .*, found 'magic'"):
        METHODS.get("magic")


def test_pretraining_learns_and_ends_in_eval_mode() -> None:
    task = method_task()
    network = extended(task.target, 2, 0)
    schedule = Schedule(8, 12, 1e-2)
    history = train_classifier(network, task.full, schedule, Augmentation(0, False, 0), seed=0, label="test")
    assert history[-1][0] < 0.9 * history[0][0]
    assert not any(module.training for module in network.modules())
