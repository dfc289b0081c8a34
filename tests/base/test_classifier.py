"""Training by a recipe: it learns, small pictures come first where asked for, and classes can be balanced."""

import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from _tiny import images, same_bits, tiny_network
from torch import Tensor, nn

from pnc.arch import NetworkSpec, build
from pnc.base.augment import Augmentation, augment
from pnc.base.classifier import LowResolution, Recipe, balanced, train_classifier
from pnc.base.errors import PncError
from pnc.base.images import Images, as_float
from pnc.base.mapping import from_mapping
from pnc.base.seeds import generator
from pnc.base.train import Checkpoint, History, Schedule

PICTURES = images(4, 8)
RECIPE = Recipe(Schedule(4, 16, 1e-2))
LOW = replace(RECIPE, low=LowResolution(4, 0.5))


def trained(recipe: Recipe, pictures: Images = PICTURES, **own: Any) -> tuple[nn.Module, History]:
    network = tiny_network("trained")
    history = train_classifier(network, pictures, recipe, **{"seed": 0, "label": "test", **own})
    return network, history


class Watched(nn.Module):
    """A network that keeps what it is shown in train mode; it learns nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4))
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.seen.append(x)
        return self.weight.expand(len(x), 4)


class KilledError(Exception):
    """Stands for whatever ends a run from outside."""


class Dying(nn.Module):
    """A network that dies after ``calls`` batches."""

    def __init__(self, network: nn.Module, calls: int) -> None:
        super().__init__()
        self.network, self.left = network, calls

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.left -= 1
        if self.left < 0:
            raise KilledError
        logits: Tensor = self.network(x)
        return logits


@pytest.mark.parametrize(
    "schedule",
    [Schedule(10, 16, 1e-2), Schedule(10, 16, 0.1, weight_decay=5e-4, optimiser="sgd")],
)
@pytest.mark.parametrize("low", [None, LowResolution(4, 0.5)])
def test_training_learns_and_ends_in_eval_mode(schedule: Schedule, low: LowResolution | None) -> None:
    network, history = trained(Recipe(schedule, low=low))
    assert len(history) == 10 and history[-1][0] < 0.9 * history[0][0]
    assert not any(module.training for module in network.modules())


def test_a_recipe_changes_nothing_unless_it_is_asked_to() -> None:
    network = Watched()
    train_classifier(network, PICTURES, Recipe(Schedule(1, 1000)), seed=0, label="test")
    expected = as_float(PICTURES.pixels)
    (seen,) = network.seen
    assert torch.equal(seen.flatten(1).sum(1).sort().values, expected.flatten(1).sum(1).sort().values)


@pytest.mark.parametrize(
    ("share", "epochs", "small"),
    [(0.5, 4, 2), (0.5, 5, 2), (0.01, 5, 0), (0.99, 5, 4), (0.7, 10, 7), (0.29, 100, 29)],
)
def test_the_first_epochs_are_on_small_pictures(share: float, epochs: int, small: int) -> None:
    network = Watched()
    recipe = Recipe(Schedule(epochs, 20), low=LowResolution(4, share))
    train_classifier(network, PICTURES, recipe, seed=0, label="test")
    sizes = [(part.shape[2], part.shape[3]) for part in network.seen]
    assert sizes == [(4, 4)] * 2 * small + [(8, 8)] * 2 * (epochs - small)


def test_small_pictures_are_the_same_ones_scaled_with_a_border_scaled_alike() -> None:
    recipe = Recipe(Schedule(2, 1000), Augmentation(crop=2, flip=True, rotation=5), LowResolution(4, 0.5))
    network = Watched()
    train_classifier(network, PICTURES, recipe, seed=3, label="test")
    for epoch, (seen, crop) in enumerate(zip(network.seen, (1, 2), strict=True)):
        draws = generator(3, "test", "epoch", epoch)
        order = torch.randperm(len(PICTURES), generator=draws)
        pictures = as_float(PICTURES.pixels[order])
        if epoch == 0:
            pictures = F.interpolate(pictures, (4, 4), mode="bilinear", antialias=True)
        expected = augment(pictures, draws, crop=crop, flip=True, rotation=5)
        torch.testing.assert_close(seen, expected, atol=1 / 255, rtol=0)


@pytest.mark.parametrize("calls", [0, 1, 3, 4, 5, 7])
def test_a_killed_run_goes_on_at_the_right_size_and_ends_with_the_same_bits(tmp_path: Path, calls: int) -> None:
    undisturbed, expected = trained(LOW)
    checkpoint = Checkpoint(tmp_path / "run.pt", seconds=0)
    with pytest.raises(KilledError):
        network = Dying(tiny_network("trained"), calls)
        train_classifier(network, PICTURES, LOW, seed=0, label="test", checkpoint=checkpoint)
    resumed = Dying(tiny_network("trained"), 1000)
    found = train_classifier(resumed, PICTURES, LOW, seed=0, label="test", checkpoint=checkpoint)
    assert same_bits(resumed.network, undisturbed) and found == expected
    assert 1000 - resumed.left == 8 - 2 * (calls // 2)


def test_small_pictures_make_a_difference() -> None:
    assert not same_bits(trained(LOW)[0], trained(RECIPE)[0])


@pytest.mark.parametrize("size", [8, 9])
def test_small_pictures_must_be_smaller(size: int) -> None:
    with pytest.raises(PncError, match=f"^low.pixels: expected fewer pixels than the pictures' 8, found {size}$"):
        trained(replace(RECIPE, low=LowResolution(size, 0.5)))


@pytest.mark.parametrize(("arch", "size"), [("lenet5", 16), ("plain_cnn", 4)])
def test_a_network_that_cannot_take_them_says_so_in_one_line_before_it_trains(arch: str, size: int) -> None:
    pictures = images(2, 4, size=32)
    network = build(NetworkSpec(arch, pictures.class_names, *pictures.mean_std(), width=0.25))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(PncError) as caught:
        train_classifier(network, pictures, replace(RECIPE, low=LowResolution(size, 0.5)), seed=0, label="test")
    said = str(caught.value)
    assert said.startswith(f"low.pixels: expected pictures that the network takes, found {size}×{size} (")
    assert "\n" not in said
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("arch", ["resnetc20", "plain_cnn"])
def test_networks_that_pool_globally_take_pictures_of_half_the_size(arch: str) -> None:
    pictures = images(2, 4, size=32)
    network = build(NetworkSpec(arch, pictures.class_names, *pictures.mean_std(), width=0.25))
    recipe = Recipe(Schedule(2, 8), low=LowResolution(16, 0.5))
    history = train_classifier(network, pictures, recipe, seed=0, label="test")
    assert len(history) == 2


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"pixels": 0, "share": 0.5}, "low.pixels: expected a positive number of pixels, found 0"),
        ({"pixels": 4, "share": 0.0}, "low.share: expected a fraction in (0, 1), found 0.0"),
        ({"pixels": 4, "share": 1.0}, "low.share: expected a fraction in (0, 1), found 1.0"),
        ({"pixels": 4, "share": math.nan}, "low.share: expected a fraction in (0, 1), found nan"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(PncError) as caught:
        LowResolution(**settings)
    assert str(caught.value) == said


@pytest.mark.parametrize("recipe", [RECIPE, LOW, replace(LOW, augmentation=Augmentation(2, True, 0.0))])
def test_a_recipe_survives_the_way_through_plain_values(recipe: Recipe) -> None:
    assert from_mapping(Recipe, asdict(recipe)) == recipe
    assert from_mapping(Recipe, {"schedule": {"epochs": 2}}) == Recipe(Schedule(2))


def test_balanced_weights_make_every_class_count_the_same() -> None:
    labels = torch.tensor([0, 0, 0, 4, 4, 2])
    weights = balanced(labels)
    assert [float(weights[labels == label].sum()) for label in (0, 2, 4)] == pytest.approx([2.0] * 3)
    assert float(weights.mean()) == pytest.approx(1)
    assert balanced(torch.tensor([1, 1, 0, 0])).tolist() == [1, 1, 1, 1]
