"""PNC-F: every weight of a copy is trained, its labels are the clone's, and what was given stays as it was."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from _tiny import images, package_for, pictures, same_bits, source_and_target, state, tiny_network
from torch import nn

from pnc.base.augment import Augmentation
from pnc.base.classifier import UNCHANGED
from pnc.base.errors import PncError
from pnc.base.evaluate import predict
from pnc.base.images import Images
from pnc.base.train import Checkpoint, Schedule
from pnc.cloned.finetune import fine_tuned
from pnc.cloned.model import ClonedModel, attach

X = pictures(5)
SAMPLES, OLD = images(2, 10, seed=1), images(4, 6, "target", seed=3)
SHORT, LONG = Schedule(2, 16, 1e-2), Schedule(25, 16, 1e-2)
ONE_STEP = Schedule(1, 1000, 0.1, optimiser="sgd", warmup=0.0)


def cloned() -> ClonedModel:
    source, target = source_and_target()
    return attach(target, source, package_for(source, target, 1))


def twice_cloned() -> ClonedModel:
    """With one class of another source behind the two of ``cloned``."""
    model, other = cloned(), tiny_network("beast", 3, (4, 6, 6))
    target = model.detach()
    return attach(model, other, package_for(other, target, 2, (0,), ("lynx",), seed=1))  # type: ignore[arg-type]


def tuned(model: ClonedModel | None = None, samples: Images = SAMPLES, **own: Any) -> nn.Module:
    settings: dict[str, Any] = {"schedule": SHORT, "augmentation": UNCHANGED, "seed": 0, **own}
    return fine_tuned(cloned() if model is None else model, samples, **settings)


def right(network: nn.Module, part: Images, offset: int) -> float:
    """Share of ``part`` that is called what it is."""
    return float((predict(network, part.pixels).argmax(1) == part.labels + offset).double().mean())


def test_the_given_model_and_both_networks_stay_bit_for_bit() -> None:
    source, target = source_and_target()
    model = attach(target, source, package_for(source, target, 1))
    before = [state(network) for network in (model, source, target)]
    logits = model(X)
    network = tuned(model, rehearsal=OLD)
    assert [state(network) for network in (model, source, target)] == before
    assert torch.equal(model(X), logits) and not torch.equal(network(X), logits)
    assert model.detach() is target


def test_every_layer_of_the_copy_is_trained_and_batch_statistics_stay() -> None:
    model = cloned()
    network = tuned(model)
    before, buffers = dict(model.named_parameters()), dict(model.named_buffers())
    assert not [name for name, weight in network.named_parameters() if torch.equal(weight, before[name])]
    assert buffers and all(torch.equal(buffer, buffers[name]) for name, buffer in network.named_buffers())


@pytest.mark.parametrize(("model", "samples", "offset"), [(cloned, SAMPLES, 4), (twice_cloned, images(1, 10), 6)])
def test_labels_are_those_of_the_classes_attached_last(model: Any, samples: Images, offset: int) -> None:
    assert right(tuned(model(), samples, schedule=LONG), samples, offset) > 0.9


def test_on_new_pictures_alone_it_forgets_what_rehearsal_keeps() -> None:
    strict, rehearsed = tuned(schedule=LONG), tuned(schedule=LONG, rehearsal=OLD)
    assert right(strict, OLD, 0) < 0.1
    assert right(rehearsed, OLD, 0) > 0.4 and right(rehearsed, SAMPLES, 4) > 0.6


@pytest.mark.parametrize("rehearsal", [None, OLD])
def test_pictures_that_come_again_give_their_class_no_more_weight(rehearsal: Images | None) -> None:
    first = (SAMPLES.labels == 0).nonzero().flatten()
    more = SAMPLES.take(torch.cat([torch.arange(len(SAMPLES)), first, first]))
    networks = [tuned(samples=part, schedule=ONE_STEP, rehearsal=rehearsal) for part in (SAMPLES, more)]
    torch.testing.assert_close(networks[0](X), networks[1](X), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(networks[0](X), cloned()(X), atol=1e-2)


def test_the_seed_and_the_augmentation_count() -> None:
    torch.manual_seed(1)
    first = tuned()
    torch.manual_seed(2)
    assert same_bits(tuned(), first)
    assert not same_bits(tuned(seed=1), first)
    assert not same_bits(tuned(augmentation=Augmentation(1, True, 5)), first)


def test_a_run_that_is_through_is_read_from_its_checkpoint(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "run.pt")
    first = tuned(checkpoint=checkpoint)
    assert checkpoint.path.is_file()
    assert same_bits(tuned(samples=replace(SAMPLES, pixels=255 - SAMPLES.pixels), checkpoint=checkpoint), first)


def test_samples_of_other_classes_are_refused() -> None:
    with pytest.raises(PncError, match=r"^classes of the samples \(D_t\): expected the 2 attached last, found 3$"):
        tuned(samples=images(3, 4))


def test_it_computes_in_the_arithmetic_that_the_last_package_was_learned_in() -> None:
    exact, rounded = cloned(), cloned()
    package = rounded.packages[-1]
    package.info.provenance["precision"] = "bf16"
    one, other = (predict(tuned(model), SAMPLES.pixels) for model in (exact, rounded))
    assert other.dtype == torch.float32 and not torch.equal(one, other)
    torch.testing.assert_close(one, other, rtol=0.1, atol=0.1 * float(one.abs().max()))
