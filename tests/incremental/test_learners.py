"""Each learner's own promise: exemplars, corrections, frozen extractors, balanced sets, losses."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from _tiny import content, tiny_network
from hypothesis import given
from hypothesis import strategies as st
from incremental._lessons import FIRST, OWN, SCHEDULE, SECOND, X, answers, course, learned, schedule
from sklearn.neighbors import NearestCentroid

from pnc.base.augment import Augmentation
from pnc.base.errors import PncError
from pnc.base.images import as_float
from pnc.incremental import _training, eeil
from pnc.incremental._memory import Memory, herded, unit_features
from pnc.incremental._training import distillation, embed, widened
from pnc.incremental.bic import Corrected, correct, kept_back
from pnc.incremental.der import Expanded, Extractor
from pnc.incremental.icarl import class_means

# Exemplars

FEATURES = st.tuples(st.integers(2, 12), st.integers(2, 5), st.integers(0, 10**6)).map(
    lambda shape: F.normalize(torch.randn(shape[:2], generator=torch.Generator().manual_seed(shape[2])), dim=1)
)


@given(FEATURES, st.integers(1, 12))
def test_the_first_exemplar_is_the_nearest_to_the_mean_and_each_next_one_the_best_of_the_rest(
    features: torch.Tensor, count: int
) -> None:
    chosen = herded(features, count)
    mean = features.double().mean(0)
    assert len(chosen) == len(set(chosen)) == min(count, len(features))
    for number in range(len(chosen)):
        before = features[chosen[:number]].double().sum(0)
        far = [
            float((mean - (before + row.double()) / (number + 1)).norm())
            for index, row in enumerate(features)
            if index not in chosen[:number]
        ]
        own = float((mean - (before + features[chosen[number]].double()) / (number + 1)).norm())
        assert own <= min(far) + 1e-6
    assert herded(features, max(1, count - 1)) == chosen[: max(1, count - 1)]


def test_exemplars_are_as_many_of_each_class_and_make_room_in_the_order_of_their_worth() -> None:
    network = course().start()

    def features(pictures: torch.Tensor) -> torch.Tensor:
        return embed(network, pictures)

    own = Memory(14).and_of(OWN, features)
    assert [len(pixels) for pixels in own.classes] == [3] * 4 and own.images.class_names == OWN.class_names
    more = own.and_of(FIRST, features)
    assert [len(pixels) for pixels in more.classes] == [2] * 6
    for before, after in zip(own.classes, more.classes[:4], strict=True):
        assert torch.equal(before[:2], after)
    found = more.images
    assert found.labels.tolist() == [label for label in range(6) for _ in range(2)]
    pictures = {content(pixels) for pixels in FIRST.pixels[FIRST.labels == 5]}
    assert {content(pixels) for pixels in found.pixels[found.labels == 5]} < pictures


def test_a_class_with_fewer_pictures_than_it_may_keep_limits_what_is_balanced() -> None:
    network = course().start()
    few = OWN.take([*range(18), 18])
    memory = Memory(20).and_of(few, lambda pictures: embed(network, pictures))
    assert [len(pixels) for pixels in memory.classes] == [5, 5, 5, 1]
    assert memory.balanced.labels.bincount().tolist() == [1, 1, 1, 1]


# iCaRL


def test_icarl_answers_as_the_nearest_centroid_of_features_of_length_one() -> None:
    for model, classes in zip(learned("icarl", course("icarl")), (6, 7), strict=True):
        with torch.no_grad():
            features = F.normalize(embed(model.network, X), dim=1)  # type: ignore[arg-type]
            found = model(X)
        means = model.means  # type: ignore[union-attr]
        aside = 0.01 * torch.ones_like(means)  # its centroids are means of points that differ
        both = torch.cat([means - aside, means + aside]).numpy().astype(float)
        own = NearestCentroid().fit(both, np.tile(np.arange(classes), 2))
        assert own.predict(features.numpy().astype(float)).tolist() == found.argmax(1).tolist()
        torch.testing.assert_close(means.norm(dim=1), torch.ones(classes))


def test_icarls_means_are_those_of_the_exemplars_of_each_class() -> None:
    network = tiny_network("target", 4)
    features = unit_features(lambda pictures: embed(network, pictures), OWN.pixels)
    expected = F.normalize(torch.stack([features[OWN.labels == label].mean(0) for label in range(4)]), dim=1)
    torch.testing.assert_close(class_means(network, OWN), expected)


# LwF


def test_lwf_without_its_weight_is_fine_tuning_to_the_bit() -> None:
    plain, without = (
        answers(learned(name, course(name), **more)) for name, more in (("finetuning", {}), ("lwf", {"weight": 0.0}))
    )
    assert torch.equal(plain, without)
    assert not torch.equal(answers(learned("lwf", course("lwf"))), plain)


def test_the_more_it_weighs_the_less_lwf_moves_the_old_logits() -> None:
    target = course().target(X).detach().softmax(1)
    still: dict[str, Any] = {"steps": (FIRST,), "augmentation": Augmentation(0, False, 0.0)}
    found = [answers(learned("lwf", course("lwf", **still), weight=weight)) for weight in (0.0, 1.0, 100.0)]
    moved = [float((logits[:, :4].softmax(1) - target).abs().sum()) for logits in found]
    assert moved == sorted(moved, reverse=True)


def test_lwf_with_a_softmax_of_its_own_for_new_classes_says_nothing_against_old_ones() -> None:
    (one,), (own,) = (
        learned("lwf", course("lwf", steps=(FIRST,)), weight=0.0, own_softmax=each) for each in (False, True)
    )
    before = course().target.head.bias
    assert torch.equal(own.head.bias[:4], before) and not torch.equal(one.head.bias[:4], before)
    assert not torch.equal(own.head.bias[4:], one.head.bias[4:])


def test_a_softmax_of_a_single_new_class_is_refused() -> None:
    with pytest.raises(PncError, match=r"own_softmax: expected .* two classes or more, found one of a single class"):
        learned("lwf", course("lwf"), own_softmax=True)


def test_distillation_has_the_gradient_of_the_cross_entropy_that_the_papers_write() -> None:
    student, teacher = torch.randn(5, 3, requires_grad=True), torch.randn(5, 3)
    soft = (teacher / 2).softmax(1)
    written = -(soft * (student / 2).log_softmax(1)).sum(1).mean()
    (expected,) = torch.autograd.grad(written, student)
    (found,) = torch.autograd.grad(distillation(student, teacher, 2.0), student)
    torch.testing.assert_close(found, expected)
    assert float(distillation(teacher, teacher, 2.0)) == pytest.approx(0, abs=1e-6)


def test_a_wider_network_answers_the_old_classes_as_before() -> None:
    network = tiny_network("target", 4)
    wide = widened(network, 7, 0).eval()
    torch.testing.assert_close(wide(X)[:, :4], network(X))
    assert wide(X).shape == (7, 7) and all(each.requires_grad for each in wide.parameters())


# EEIL


def test_eeils_second_stage_sees_as_many_pictures_of_each_class(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, list[list[int]]] = {}

    def watched(taught: Any, module: Any, images: Any, *others: Any, stage: str = "learning") -> None:
        seen.setdefault(stage, []).append(images.labels.bincount().tolist())
        _training.train(taught, module, images, *others, stage=stage)

    monkeypatch.setattr(eeil, "train", watched)
    learned("eeil", course("eeil"))
    assert seen["balancing"] == [[2] * 6, [2] * 7]
    assert seen["learning"] == [[3, 3, 3, 3, 6, 6], [2, 2, 2, 2, 2, 2, 6]]


def test_eeil_distils_each_earlier_step_in_a_softmax_of_its_own() -> None:
    teacher = tiny_network("target", 6)
    logits = torch.randn(7, 7)
    found = eeil.Teaching(teacher, (4, 2), 3.0, 2.0)(X, logits)
    with torch.no_grad():
        theirs = teacher(X)
    parts = [distillation(logits[:, at], theirs[:, at], 2.0) for at in (slice(0, 4), slice(4, 6))]
    torch.testing.assert_close(found, 3 * (parts[0] + parts[1]))
    last = eeil.Teaching(teacher, (4, 2), 3.0, 2.0, first=1)(X, logits)
    torch.testing.assert_close(last, 3 * parts[1])


# BiC


def test_bics_correction_leaves_the_old_logits_and_the_network_alone() -> None:
    taught = course("bic")
    network = taught.start()
    wide = Corrected(network, (4,)).wider(6, 0).eval()
    before, weights = wide(X).detach(), [content(each) for each in wide.network.parameters()]
    correct(taught, wide, FIRST, schedule())
    after = wide(X).detach()
    assert torch.equal(after[:, :4], before[:, :4])
    own = wide.corrections[-1]
    torch.testing.assert_close(after[:, 4:], own.alpha * before[:, 4:] + own.beta)
    assert (float(own.alpha), float(own.beta)) != (1, 0)
    assert [content(each) for each in wide.network.parameters()] == weights


def test_bics_earlier_corrections_stay_when_a_step_is_added() -> None:
    first, second = learned("bic", course("bic"))
    assert second.heads == (4, 2, 1) and len(second.corrections) == 2  # type: ignore[arg-type]
    for name in ("alpha", "beta"):
        one, other = (getattr(model.corrections[0], name) for model in (first, second))  # type: ignore[index]
        assert torch.equal(one, other) and not other.requires_grad


def test_bic_keeps_as_many_pictures_of_each_class_back_and_trains_on_none_of_them() -> None:
    network = course().start()
    memory = Memory(16).and_of(OWN, lambda pictures: embed(network, pictures))
    learned_from, kept = kept_back(memory, FIRST, 0.5, seed=0)
    assert kept.labels.bincount().tolist() == [2] * 6
    assert learned_from.labels.bincount().tolist() == [2, 2, 2, 2, 4, 4]
    both = [{content(pixels) for pixels in images.pixels} for images in (learned_from, kept)]
    assert not both[0] & both[1]
    assert both[0] | both[1] == {content(pixels) for pixels in (*memory.images.pixels, *FIRST.pixels)}
    assert kept_back(memory, FIRST, 0.99, seed=0)[0].labels.bincount().min() == 1


# DER


def test_ders_old_extractors_are_frozen_bit_for_bit() -> None:
    taught = course("der")
    first, second = learned("der", taught)
    target = Extractor(taught.target).state_dict()
    for model, count in ((first, 2), (second, 3)):
        extractors: Any = model.extractors
        assert len(extractors) == count
        assert {name: content(value) for name, value in extractors[0].state_dict().items()} == {
            name: content(value) for name, value in target.items()
        }
    one, other = (model.extractors[1].state_dict() for model in (first, second))  # type: ignore[index]
    assert {name: content(value) for name, value in one.items()} == {
        name: content(value) for name, value in other.items()
    }
    assert any(not torch.equal(one[name], target[name]) for name in target)


def test_der_grows_by_an_extractor_and_its_part_of_the_head_with_each_step() -> None:
    taught = course("der")
    own = sum(each.numel() for each in Extractor(taught.target).parameters())
    sizes = [sum(each.numel() for each in model.parameters()) for model in learned("der", taught)]
    width = taught.target.head.in_features
    assert sizes == [2 * own + (2 * width + 1) * 6, 3 * own + (3 * width + 1) * 7]


def test_a_larger_der_starts_as_the_last_extractor_and_keeps_the_old_head() -> None:
    network = tiny_network("target", 4)
    small = Expanded([Extractor(network)], network.head).eval()
    torch.testing.assert_close(small(X), network(X))
    large = small.larger(6, seed=0)
    assert torch.equal(large.head.weight[:4, :10], network.head.weight)
    large.train()
    assert not large.extractors[0].training and large.extractors[1].training
    assert not any(each.requires_grad for each in large.extractors[0].parameters())
    features = large.eval().features(as_float(OWN.pixels[:3]))
    assert torch.equal(features[:, :10], features[:, 10:])


# The ceiling


def test_joint_learning_sees_all_that_there_has_been(monkeypatch: pytest.MonkeyPatch) -> None:
    from pnc.incremental import finetuning

    seen = []

    def watched(taught: Any, module: Any, images: Any, *others: Any) -> None:
        seen.append(images.labels.bincount().tolist())
        _training.train(taught, module, images, *others)

    monkeypatch.setattr(finetuning, "train", watched)
    learned("joint", course("joint"))
    assert seen == [[6] * 6, [6] * 7]
    assert SCHEDULE["epochs"] == 2 and len(SECOND) == 6
