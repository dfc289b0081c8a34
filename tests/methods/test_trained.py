"""What sets the trained baselines apart: each term of their losses, what each regime shows, and how classes weigh."""

from dataclasses import replace
from functools import cache

import pytest
import torch
import torch.nn.functional as F
from _tiny import images, tiny_network
from methods._task import CLASSES, RECIPE, SCHEDULE, STILL, X, answers, method_task, run
from torch import Tensor, nn

from pnc.arch import BlockNet
from pnc.base.augment import Augmentation
from pnc.base.classifier import LowResolution, Recipe
from pnc.base.evaluate import predict
from pnc.base.images import Images
from pnc.base.train import Schedule
from pnc.cloning.task import CloneTask
from pnc.methods import MethodTask
from pnc.methods._finetune import Terms, _labelled, _taught, distillation, extended
from pnc.methods.linear_probe import Probe

CONTINUAL = ["continual", "continual_kd", "lwf"]
EVERYWHERE = [(name, regime) for name in CONTINUAL for regime in ("strict", "rehearsal")] + [("replay", "strict")]
LONGER = {"epochs": 15, "batch": 16, "lr": 0.004}
ONE_STEP = {"epochs": 1, "batch": 1000, "lr": 0.1, "optimiser": "sgd", "warmup": 0.0}


def moved(task: MethodTask, network: nn.Module) -> float:
    """Squared distance of the blocks' weights to the old ones."""
    assert isinstance(network, BlockNet)
    before = task.target.blocks.parameters()
    pairs = zip(network.blocks.parameters(), before, strict=True)
    return sum(float((weight - old).detach().square().sum()) for weight, old in pairs)


def forgotten(task: MethodTask, network: nn.Module) -> float:
    """How far the old logits on D_t are from the target's own: KL between softmaxes."""
    pixels = task.clone.samples.pixels
    return float(distillation(predict(network, pixels)[:, :4], predict(task.target, pixels), 1.0).mean())


def new_logits(network: nn.Module, classes: tuple[int, ...] = CLASSES) -> tuple[Tensor, Tensor]:
    """Those of ``network`` on D_t, and the source's."""
    task = method_task(classes=classes).clone
    return predict(network, task.samples.pixels)[:, 4:], predict(task.source, task.samples.pixels)[:, list(classes)]


@cache
def tuned(name: str, regime: str, **settings: float) -> tuple[MethodTask, nn.Module]:
    """The network of a method that trained for a while; not to be changed."""
    task = method_task(regime, recipe=STILL)
    return task, run(name, task, schedule=LONGER, **settings).old


def taken(task: CloneTask, repeated: int) -> CloneTask:
    """``task`` with the first class of D_t and of D_o there ``repeated`` times."""
    assert task.rehearsal is not None

    def more(part: Images) -> Images:
        first = (part.labels == 0).nonzero().flatten()
        return part.take(torch.cat([torch.arange(len(part)), *[first] * (repeated - 1)]))

    return replace(task, samples=more(task.samples), rehearsal=more(task.rehearsal))


@pytest.mark.parametrize("name", CONTINUAL)
def test_continual_learning_changes_every_layer_of_its_copy(name: str) -> None:
    task = method_task()
    network = run(name, task).old
    before = dict(task.target.blocks.named_parameters())
    assert isinstance(network, BlockNet)
    assert not [n for n, parameter in network.blocks.named_parameters() if torch.equal(parameter, before[n])]


@pytest.mark.parametrize(("name", "regime"), EVERYWHERE)
def test_l2_sp_keeps_the_weights_near_the_old_ones(name: str, regime: str) -> None:
    task, chosen = tuned(name, regime)
    free, chained = (tuned(name, regime, l2_sp=weight)[1] for weight in (0.0, 1.0))
    assert moved(task, chosen) < 0.9 * moved(task, free)
    assert moved(task, chained) < 0.1 * moved(task, chosen)


@pytest.mark.parametrize(("name", "regime"), EVERYWHERE)
def test_lwf_keeps_the_old_logits_near_the_old_ones(name: str, regime: str) -> None:
    task, chosen = tuned(name, regime)
    assert forgotten(task, chosen) < 0.8 * forgotten(task, tuned(name, regime, lwf=0.0)[1])


@pytest.mark.parametrize("regime", ["strict", "rehearsal"])
def test_kd_brings_the_new_classes_near_the_source(regime: str) -> None:
    gaps = []
    for network in (tuned("continual_kd", regime)[1], tuned("continual_kd", regime, kd=0.0)[1]):
        own, teacher = new_logits(network)
        gaps.append(float(distillation(own, teacher, 1.0).mean()))
    assert gaps[0] < 0.7 * gaps[1]


def test_kd_matches_the_logit_of_a_single_class() -> None:
    task, gaps = method_task("strict", (2,), recipe=STILL), []
    for kd in (5.0, 0.0):
        own, teacher = new_logits(run("continual_kd", task, schedule={**LONGER, "lr": 0.01}, kd=kd).old, (2,))
        gaps.append(float((own - teacher).abs().mean()))
    assert gaps[0] < 0.7 * gaps[1]


def test_lwf_adds_its_weight_times_the_distance_to_the_old_answers() -> None:
    task = method_task("rehearsal")
    logits, labels = torch.zeros(len(X), 6), torch.tensor([0, 4, 3, 4, 2, 1, 4])
    once = distillation(logits[:, :4], task.target(X).detach(), 2.0)
    assert float(once.min()) > 0
    for weight in (0.0, 1.0, 3.0):
        added = _taught(task, Terms(l2_sp=0.0, lwf=weight, temperature=2.0), X, logits, labels)
        torch.testing.assert_close(added, weight * once)


def test_in_separate_softmaxes_a_label_competes_with_its_own_side_alone() -> None:
    task, labels = method_task("rehearsal"), torch.tensor([0, 3, 4, 5])
    terms = Terms(l2_sp=0.0, lwf=0.0, temperature=2.0, separate=True)
    logits = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    found = _labelled(task, terms, logits, labels)
    old, new = logits[:2, :4].log_softmax(1), logits[2:, 4:].log_softmax(1)
    torch.testing.assert_close(found, -torch.stack([old[0, 0], old[1, 3], new[0, 0], new[1, 1]]))
    shifted = logits + torch.tensor([0, 0, 0, 0, 9.0, 9.0])
    torch.testing.assert_close(_labelled(task, terms, shifted, labels), found)
    one = replace(terms, separate=False)
    torch.testing.assert_close(
        _labelled(task, one, logits, labels), F.cross_entropy(logits, labels, reduction="none")
    )


@pytest.mark.parametrize("name", CONTINUAL)
@pytest.mark.parametrize("regime", ["strict", "rehearsal"])
def test_batch_statistics_run_unless_they_are_frozen(name: str, regime: str) -> None:
    task = method_task(regime)
    before = dict(task.target.named_buffers())
    for frozen in (False, True):
        after = dict(run(name, task, frozen_bn=frozen).old.named_buffers())
        means = [key for key in before if key.endswith("running_mean")]
        assert means and all(torch.equal(after[key], before[key]) == frozen for key in means)


def test_what_lwf_trains_on_new_pictures_alone_still_knows_old_classes_from_one_another() -> None:
    """One softmax pushes all old logits down on new pictures; two leave them where distillation holds them."""
    gaps = []
    for name in ("continual_kd", "lwf"):
        task, network = tuned(name, "strict", lwf=0.0)
        logits = predict(network, task.clone.samples.pixels)
        gaps.append(float((logits[:, 4:].amax(1) - logits[:, :4].amax(1)).mean()))
    assert gaps[1] < gaps[0]


@pytest.mark.parametrize("classes", [CLASSES, (2,)])
def test_the_source_teaches_on_new_pictures_alone(classes: tuple[int, ...]) -> None:
    task = method_task("rehearsal", classes)
    logits, labels = torch.zeros(len(X), 4 + len(classes)), torch.tensor([0, 4, 3, 4, 2, 1, 4])
    added = _taught(task, Terms(l2_sp=0.0, lwf=0.0, temperature=2.0, kd=1.0), X, logits, labels)
    assert ((added > 0) == (labels >= 4)).all()
    assert (_taught(task, Terms(l2_sp=0.0, lwf=1.0, temperature=2.0), X, logits, labels) > 0).all()


def test_without_the_source_continual_kd_is_continual() -> None:
    task = method_task("strict")
    with_kd, plain = run("continual_kd", task, kd=0.0), run("continual", task)
    assert torch.equal(answers(with_kd), answers(plain))
    assert not torch.equal(answers(run("continual_kd", task)), answers(plain))


@pytest.mark.parametrize("name", CONTINUAL)
def test_strict_never_sees_old_pictures_and_rehearsal_does(name: str) -> None:
    for regime in ("", "strict", "rehearsal"):
        task = method_task(regime)
        old, held_out = images(4, 6, "target", seed=8), images(4, 2, "target", seed=9)
        other = replace(task, clone=replace(task.clone, rehearsal=old, rehearsal_held_out=held_out))
        assert torch.equal(answers(run(name, task)), answers(run(name, other))) == (regime != "rehearsal")
    assert torch.equal(answers(run(name, method_task())), answers(run(name, method_task("strict"))))


@pytest.mark.parametrize("name", CONTINUAL)
@pytest.mark.parametrize("regime", ["strict", "rehearsal"])
def test_no_baseline_trained_on_samples_sees_the_whole_training_set(name: str, regime: str) -> None:
    task = method_task(regime)
    other = replace(task, full=images(6, 6, seed=10))
    assert torch.equal(answers(run(name, task)), answers(run(name, other)))


def test_rehearsal_remembers_what_strict_training_forgets() -> None:
    kept = {}
    for regime in ("strict", "rehearsal"):
        task = method_task(regime, recipe=STILL)
        network = run("continual", task, schedule={**SCHEDULE, "epochs": 30}, lwf=0.0, l2_sp=0.0).old
        old = task.clone.rehearsal
        assert old is not None
        kept[regime] = float((predict(network, old.pixels).argmax(1) == old.labels).double().mean())
    assert kept["strict"] < 0.1 and kept["rehearsal"] > 0.5


@pytest.mark.parametrize("regime", ["strict", "rehearsal"])
@pytest.mark.parametrize("name", ["continual", "continual_kd"])
def test_pictures_that_come_again_give_their_class_no_more_weight(name: str, regime: str) -> None:
    task = method_task(regime, recipe=STILL)
    plain = tiny_network("target", 4)
    for block in plain.blocks:  # batch statistics would see the repetition
        block[-2] = nn.Identity()  # type: ignore[operator]
    task = replace(task, clone=replace(task.clone, target=plain))
    once, thrice = (
        answers(run(name, replace(task, clone=taken(task.clone, times)), schedule=ONE_STEP)) for times in (1, 3)
    )
    torch.testing.assert_close(once, thrice, atol=1e-4, rtol=1e-4)
    with torch.no_grad():
        assert float((once[:, :4] - plain(X)).abs().max()) > 1e-2


def test_the_probe_learns_on_frozen_features() -> None:
    task = method_task("rehearsal")
    probe = run("linear_probe", task, schedule={"epochs": 60, "batch": 16, "lr": 0.05}).old
    assert task.rehearsal is not None
    right = [
        predict(probe, part.pixels).argmax(1) == part.labels + offset
        for part, offset in ((task.rehearsal, 0), (task.clone.samples, 4))
    ]
    assert float(torch.cat(right).double().mean()) > 0.8


def test_the_probe_sees_features_of_mean_zero_and_deviation_one() -> None:
    task = method_task("rehearsal")
    probe = Probe(task.target, task.clone.source, 6)
    features = probe.standardise(probe.embed(X))
    assert features.shape == (7, 10 + 12)
    torch.testing.assert_close(features.mean(0), torch.zeros(22), atol=1e-4, rtol=0)
    deviation = features.std(0)
    alive = deviation > 0  # a filter that is silent on all pictures stays at zero
    assert int(alive.sum()) > 15
    torch.testing.assert_close(deviation[alive], torch.ones(int(alive.sum())), atol=1e-3, rtol=0)
    nn.init.normal_(probe.head.weight, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(probe(X), probe.head(features))


def test_classes_weigh_the_same_in_the_probe() -> None:
    """From zero weights every class is as likely, so that a step on balanced classes leaves their offsets alone."""
    task = method_task("rehearsal")
    probe = run("linear_probe", replace(task, clone=taken(task.clone, 3)), schedule=ONE_STEP).old
    head = probe.get_submodule("head")
    assert isinstance(head, nn.Linear)
    assert float(head.bias.detach().abs().max()) < 1e-6 < 1e-3 < float(head.weight.detach().abs().max())


def test_joint_training_sees_all_and_joint_sampled_only_what_rehearsal_does() -> None:
    task = method_task("rehearsal")
    fuller = replace(task, full=Images(255 - task.full.pixels, task.full.labels, task.full.class_names))
    assert not torch.equal(answers(run("joint", task)), answers(run("joint", fuller)))
    assert torch.equal(answers(run("joint_sampled", task)), answers(run("joint_sampled", fuller)))
    fewer = replace(task, clone=taken(task.clone, 2))
    assert not torch.equal(answers(run("joint_sampled", task)), answers(run("joint_sampled", fewer)))
    assert torch.equal(answers(run("joint", task)), answers(run("joint", fewer)))


@pytest.mark.parametrize(
    "other",
    [
        replace(RECIPE, augmentation=Augmentation(crop=2, flip=False, rotation=5)),
        replace(RECIPE, low=LowResolution(6, 0.5)),
        replace(RECIPE, schedule=Schedule(2, 16, 0.02)),
    ],
)
@pytest.mark.parametrize("name", ["joint", "joint_sampled"])
def test_joint_training_follows_the_recipe_of_the_target(name: str, other: Recipe) -> None:
    task = method_task("rehearsal")
    task = replace(task, spec=replace(task.spec, arch="resnetc20"))
    assert not torch.equal(answers(run(name, task)), answers(run(name, replace(task, recipe=other))))


@pytest.mark.parametrize("name", ["joint", "joint_sampled"])
def test_joint_training_learns_its_classes(name: str) -> None:
    task = method_task("rehearsal", recipe=Recipe(Schedule(30, 16, 1e-2)))
    network = run(name, task).old
    assert task.rehearsal is not None
    part = task.full if name == "joint" else task.rehearsal
    assert float((predict(network, part.pixels).argmax(1) == part.labels).double().mean()) > 0.7


def test_an_extended_target_starts_with_its_own_answers() -> None:
    target = method_task().target.requires_grad_(False)
    one, same, other = (extended(target, 2, seed) for seed in (0, 0, 1))
    torch.testing.assert_close(one(X)[:, :4], target(X))
    assert torch.equal(one(X), same(X)) and not torch.equal(one(X), other(X))
    assert all(parameter.requires_grad for parameter in one.parameters())
    assert target.classes == 4


def test_distillation_is_zero_for_equal_logits_and_blind_to_an_offset() -> None:
    teacher = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    assert distillation(teacher + 3, teacher, 2.0).tolist() == pytest.approx([0] * 5, abs=1e-5)
    assert distillation(teacher.flip(1), teacher, 2.0).min() > 0.01


@pytest.mark.parametrize(("name", "regime"), EVERYWHERE)
def test_a_target_that_was_trained_in_bf16_is_fine_tuned_in_it(name: str, regime: str) -> None:
    """And what it is compared with, its weights and its answers, stays float32."""
    exact, rounded = (method_task(regime, recipe=replace(STILL, precision=kind)) for kind in ("fp32", "bf16"))
    one, other = (run(name, task) for task in (exact, rounded))
    assert {parameter.dtype for parameter in other.old.parameters()} == {torch.float32}
    assert not torch.equal(answers(one), answers(other))
    torch.testing.assert_close(answers(one), answers(other), rtol=0.1, atol=0.1 * float(answers(one).abs().max()))
