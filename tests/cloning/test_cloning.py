"""``pnc.clone`` end to end: every architecture, other people's networks, and every way to call it wrongly."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from _tiny import CHANNELS, OWLS, built, pictures, quick, samples, source_and_target, state, tiny_network
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import pnc
from pnc.arch import ARCHITECTURES
from pnc.base.augment import Augmentation
from pnc.base.classifier import Recipe, train_classifier
from pnc.base.evaluate import joint, scores
from pnc.base.images import Images, as_float
from pnc.base.train import Schedule
from pnc.cloning.local.neighbourhood import Neighbourhood
from pnc.cloning.selection import best_position
from pnc.data import DataSpec, load


def end_to_end(source: nn.Module, target: nn.Module, given: Images, folder: Path, **more: Any) -> pnc.ClonePackage:
    """Clone, save, load, attach, call in train mode, slice, detach: nothing may change; returns the package."""
    x = as_float(given.pixels[:3])
    own = copy.deepcopy(target).eval()(x).detach()
    before = state(source), state(target)
    settings = quick(inputs_per_epoch=16, schedule=Schedule(1, 16), neighbourhood=Neighbourhood(2, 3))
    pnc.clone(source, target, given, OWLS, settings=settings, **more).save(folder / "owls.pnc")
    package = pnc.ClonePackage.load(folder / "owls.pnc")
    assert (state(source), state(target)) == before
    cloned = pnc.attach(target, source, package).train()
    inputs = x.clone().requires_grad_()
    logits = cloned(inputs)
    logits.sum().backward()
    assert inputs.grad is not None
    assert torch.equal(logits[:, : own.shape[1]], own)
    assert logits.shape[1] == own.shape[1] + 2 and logits.isfinite().all()
    torch.testing.assert_close(cloned.sliced(x)(x), cloned(x), atol=1e-5, rtol=1e-5)
    assert cloned.detach() is target
    assert (state(source), state(target)) == before
    assert torch.equal(copy.deepcopy(target).eval()(x), own)
    assert package.nbytes < sum(tensor.nbytes for tensor in target.state_dict().values())
    return package


@pytest.mark.parametrize("arch", ARCHITECTURES.names())
def test_every_architecture_keeps_the_contract_even_in_train_mode(arch: str, tmp_path: Path) -> None:
    source, target = built(arch, "bird", 5, 0).train(), built(arch, "animal", 4, 1).train()
    package = end_to_end(source, target, samples(each=3, size=32), tmp_path, positions=[len(target) - 1])
    assert package.info.position == package.info.source_position == len(target) - 1
    assert package.info.names == ("owl", "kiwi") and package.info.classes == (3, 1)


@pytest.mark.parametrize(
    ("source", "target", "starts"),
    [("resnetc20", "plain_cnn", [0, 2, 4]), ("plain_cnn", "resnetc20", [0, 1, 2, 2, 2])],
)
def test_heterogeneous_pairs_meet_at_the_same_relative_depth(
    source: str, target: str, starts: list[int], tmp_path: Path
) -> None:
    teacher, student = built(source, "bird", 5, 0), built(target, "animal", 4, 1, width=1.0)
    position = len(student) - 2
    package = end_to_end(teacher, student, samples(size=32), tmp_path, positions=[position])
    assert package.info.source_position == starts[position]
    entering = teacher.run(torch.zeros(1, 3, 32, 32), 0, starts[position]).shape
    assert package.info.size == tuple(entering[2:])
    assert package.adapter["weight"].shape[0] == entering[1]


def test_torchvisions_resnets_are_cloned_as_they_are(tmp_path: Path) -> None:
    """A short one; it is converted stage by stage, whatever their length."""
    from torchvision.models.resnet import BasicBlock, ResNet

    with torch.random.fork_rng(devices=[]):
        source, target = (ResNet(BasicBlock, [1, 1, 1, 1], num_classes=classes).train() for classes in (5, 4))
    package = end_to_end(source, target, samples(each=3, size=32), tmp_path, positions=[4])
    assert pnc.attach(target, source, package).classes == ("0", "1", "2", "3", "owl", "kiwi")


def sequential(classes: int, seed: int) -> nn.Sequential:
    """Layer by layer, with ReLUs in place."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(CHANNELS, 6, 3, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 9, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(36, classes),
        )


def test_sequential_networks_are_cloned_as_they_are(tmp_path: Path) -> None:
    source, target = sequential(5, 0).train(), sequential(4, 1).train()
    for position in (0, 2, 5):  # 5 is a ReLU: its module has no filter to choose
        package = end_to_end(source, target, samples(), tmp_path, positions=[position])
        assert len(package.masks) == {0: 2, 2: 1, 5: 0}[position]
    end_to_end(source, target, samples(), tmp_path)


def test_layers_that_work_in_place_spoil_no_features(tmp_path: Path) -> None:
    """Block 2 of the target is a ReLU in place: the clone must see what enters it, not what leaves it."""
    networks = [sequential(5, 0).eval(), sequential(4, 1).eval()]
    tame = [copy.deepcopy(network) for network in networks]
    for module in (module for network in tame for module in network.modules()):
        if isinstance(module, nn.ReLU):
            module.inplace = False
    found, expected = (
        pnc.clone(source, target, samples(), OWLS, settings=quick(), positions=[2])
        for source, target in (networks, tame)
    )
    assert found._serialise() == expected._serialise()
    x = pictures(3)
    kept = x.clone()
    assert torch.equal(pnc.attach(networks[1], networks[0], found)(x), pnc.attach(tame[1], tame[0], expected)(x))
    assert torch.equal(x, kept)


def test_heads_without_a_bias_can_be_cloned(tmp_path: Path) -> None:
    source, target = source_and_target()
    for network in (source, target):
        network.head = nn.Linear(network.head.in_features, network.classes, bias=False)
    end_to_end(source, target, samples(), tmp_path)


def cloned(seed: int = 0, **changes: Any) -> pnc.ClonePackage:
    source, target = source_and_target()
    return pnc.clone(source, target, samples(), OWLS, settings=quick(**changes), seed=seed)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    torch.manual_seed(1)
    one = cloned()
    torch.manual_seed(2)
    assert one._serialise() == cloned()._serialise()
    other = cloned(seed=1)
    assert not torch.equal(one.rows["weight"], other.rows["weight"])


def test_without_positions_all_are_searched_and_the_least_loss_wins() -> None:
    source, target = source_and_target()
    losses = {}
    for position in (0, 1, 2):
        package = pnc.clone(source, target, samples(), OWLS, settings=quick(), positions=[position])
        losses[position] = package.info.provenance["loss"]
    best = cloned()
    assert best.info.position == min(losses, key=lambda position: losses[position])
    source, labels = source_and_target()[0], samples().labels
    right = (source(as_float(samples().pixels)).argmax(1) == labels).double().mean()
    assert best.info.provenance == {
        "regime": "strict", "keep": 0.5, "seed": 0, "loss": losses[best.info.position],
        "source_accuracy": 100 * float(right),
    }  # fmt: skip


@given(st.dictionaries(st.integers(0, 9), st.sampled_from([0.1, 0.5, 0.7, 3.0]), min_size=1))
def test_of_equal_losses_the_largest_position_wins(losses: dict[int, float]) -> None:
    best = best_position(losses)
    least = [position for position, loss in losses.items() if loss == min(losses.values())]
    assert best == max(least)


def test_a_clone_learns_its_classes_from_their_pictures_alone() -> None:
    """Handwritten digits, 8×8: 0–4 the target's, 5–9 the source's, 6 cloned."""
    train, test = (load(DataSpec("digits", resolution=8), split) for split in ("train", "test"))
    networks = []
    for role, digits in (("target", (0, 1, 2, 3, 4)), ("source", (5, 6, 7, 8, 9))):
        own = train.relabelled(digits).with_channels(3)
        network = tiny_network(role, 5, (16, 24, 32))
        recipe = Recipe(Schedule(6, 64, 1.5e-2), Augmentation(1, False, 10))
        train_classifier(network, own, recipe, seed=0, label=role)
        networks.append(network)
    target, source = networks
    new = Images(train.pixels, train.labels, train.class_names).of_classes([6]).with_channels(3)
    given = Images(new.pixels, new.labels - 5, new.class_names)
    settings = quick(keep=1.0, inputs_per_epoch=512, start_inputs=256, views=8, schedule=Schedule(4, 64, 6e-3))
    package = pnc.clone(source, target, given, {1: "6"}, settings=settings)
    model = pnc.attach(target, source, package)
    parts = [test.relabelled(digits).with_channels(3) for digits in ((0, 1, 2, 3, 4), (6,))]
    found = scores(joint(model, 5), *parts)
    assert found["ori"] > 85 and found["tar"] > 85
