"""Two LeNet-5 of half the width on scikit-learn's digits, trained in seconds, and a clone between them."""

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from pnc.arch import BlockNet, NetworkSpec, build
from pnc.base.evaluate import accuracy, predict
from pnc.base.images import Images, as_float
from pnc.base.train import Schedule, fit
from pnc.cloned.model import attach
from pnc.cloning.clone import clone
from pnc.cloning.local.neighbourhood import Neighbourhood
from pnc.cloning.package import ClonePackage
from pnc.cloning.settings import CloneSettings
from pnc.data import DataSpec, load

OLD, NEW = (0, 1, 2, 3), (4, 5, 6, 7)
CLASSES = {0: "4", 2: "6"}  # outputs of the source
SETTINGS = CloneSettings(
    neighbourhood=Neighbourhood(masks=20),
    inputs_per_epoch=1000,
    start_inputs=512,
    held_out_inputs=128,
    schedule=Schedule(epochs=2, batch=128, lr=5e-3),
    insert=Schedule(epochs=4, batch=128, lr=5e-3),
)


@cache
def digits(split: str, classes: tuple[int, ...]) -> Images:
    return load(DataSpec("digits"), "train" if split == "train" else "test").relabelled(classes)


@cache
def trained(classes: tuple[int, ...], seed: int = 0) -> tuple[BlockNet, NetworkSpec]:
    images = digits("train", classes)
    mean, std = images.mean_std()
    spec = NetworkSpec("lenet5", images.class_names, mean, std, width=0.5)
    network = build(spec, seed)

    def loss(indices: Tensor, draws: torch.Generator) -> Tensor:
        return F.cross_entropy(network(as_float(images.pixels[indices])), images.labels[indices])

    fit(network, network.parameters(), loss, len(images), Schedule(6, 32, 3e-3), seed=seed, label="pretrain")
    return network.eval(), spec


def samples() -> Images:
    """D_t: the source's training pictures of the classes to clone, with its labels."""
    return digits("train", NEW).of_classes(list(CLASSES))


@cache
def cloned() -> ClonePackage:
    source, target = trained(NEW)[0], trained(OLD)[0]
    return clone(source, target, samples(), CLASSES, settings=SETTINGS, positions=[2], progress=False)


def average(package: ClonePackage) -> float:
    """Per cent over the four old and two new classes, each weighing the same, on test pictures."""
    model = attach(trained(OLD)[0], trained(NEW)[0], package)
    old, new = digits("test", OLD), digits("test", NEW).relabelled(list(CLASSES))
    asked = ((old, 0), (new, len(OLD)))
    parts = [accuracy(predict(model, images.pixels), images.labels + first) for images, first in asked]
    return (len(OLD) * parts[0] + len(CLASSES) * parts[1]) / (len(OLD) + len(CLASSES))
