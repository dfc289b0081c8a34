r"""LwF and iCaRL, and fine-tuning as the control, beside Avalanche's on a small stream of new classes.

    pip install --no-deps --target FOLDER avalanche-lib==0.6.0 absl-py beautifulsoup4 dill gdown gputil \
        lightning-utilities pytorchcv qpsolvers tensorboard torchmetrics wandb xxhash
    PYTHONPATH=. python benchmarks/learners.py --avalanche FOLDER

LeNet-5 knows scikit-learn's digits 0–4 and is taught 5 and 6, then 7 and 8, then 9. Both sides start from the same
weights, those of new outputs too, and have the same pictures, optimiser, rate and size of a batch. The order of the
batches is each side's own; what does not depend on it is compared number by number.
"""

import argparse
import copy
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import mean, stdev
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from _clock import table
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from bench.work.provenance import device_name
from pnc.arch import NetworkSpec, build
from pnc.base.classifier import Recipe, train_classifier
from pnc.base.evaluate import joint, predict, scores
from pnc.base.images import Images, as_float
from pnc.base.train import Schedule, _optimiser, _set_rate
from pnc.data import DataSpec, load
from pnc.incremental import LEARNERS, Course, continued
from pnc.incremental._memory import herded, unit_features
from pnc.incremental._training import embed, fresh_head

STEPS = ((0, 1, 2, 3, 4), (5, 6), (7, 8), (9,))  # what the target knows, then what it is taught
PRETRAINED = Recipe(Schedule(10, batch=64, lr=4e-3, weight_decay=1e-4))
TAUGHT = Schedule(10, batch=64, lr=5e-4)
LWF = {"weight": 10.0, "temperature": 2.0}
MEMORY = 100
NAMES = {"finetuning": "fine-tuning", "lwf": "LwF", "icarl": "iCaRL"}
# A batch is all there is, so that it has no order. Of iCaRL's smallest gradients AdamW would magnify the rounding.
ADAM, SGD = (Schedule(30, 10_000, lr, optimiser=each) for lr, each in ((1e-3, "adam"), (1e-2, "sgd")))
WHOLE = {"finetuning": ADAM, "lwf": ADAM, "icarl": SGD}
DIVISIBLE = 630  # exemplars: as many of each of 5, 7, 9 and 10 classes, however one rounds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--avalanche", type=Path, required=True, help="the folder that it is installed in")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    sys.path.append(str(options.avalanche))
    warnings.simplefilter("ignore")  # Avalanche's, about names that it will drop
    groups, test = pictures()
    courses = [course(groups, seed) for seed in range(options.seeds)]
    print(f"{device_name()}, torch {torch.__version__}, n = {options.seeds} seeds\n")
    steps = " | ".join(f"step {number}" for number in range(1, len(STEPS)))
    print(table(f"learner | of | {steps} | then 0–4 | then 5–9", list(accuracies(courses, test))) + "\n")
    print(table("what has to be equal | largest difference", list(exact(courses[0], test))))


def accuracies(courses: Sequence[Course], test: Sequence[Images]) -> Iterator[list[object]]:
    """Of all classes so far after each step, of old and new ones after the last: mean ± deviation over the seeds."""
    unmirrored = partial(theirs, rows=True)
    for name, shown in NAMES.items():
        sides = {"pnc": ours, "Avalanche": theirs} | (
            {"Avalanche, unmirrored": unmirrored} if name == "icarl" else {}
        )
        for side, learner in sides.items():
            runs = [measured(learner(name, course, TAUGHT, MEMORY), test) for course in courses]
            yield [shown, side, *(f"{mean(each):.1f} ± {stdev(each):.1f}" for each in zip(*runs, strict=True))]


def measured(models: Iterator[nn.Module], test: Sequence[Images]) -> list[float]:
    own = len(STEPS[0])
    found = [scores(joint(model, own), *test[: number + 1]) for number, model in enumerate(models, start=1)]
    return [*(each["avg"] for each in found), found[-1]["ori"], found[-1]["tar"]]


def exact(course: Course, test: Sequence[Images]) -> Iterator[list[object]]:
    """What has to be equal but for rounding: losses of a batch, herding, and trainings whose batches are whole."""
    for name in ("lwf", "icarl"):
        own, other = losses(name, course)
        yield [f"{NAMES[name]}: the loss of a batch, {own:.2f}", f"{abs(own - other):.0e}"]
    yield ["herding: places in the order of exemplars of 0–4", others_herded(course)]
    pixels = torch.cat([images.pixels for images in test])
    for name, shown in NAMES.items():
        both = zip(whole(ours, name, course), whole(partial(theirs, rows=True), name, course), strict=True)
        answers = [[predict(model, pixels) for model in pair] for pair in both]
        differences = [float((own - other).abs().max()) for own, other in answers]
        largest = max(float(own.abs().max()) for own, _ in answers)
        what = "distances" if name == "icarl" else "logits"
        yield [f"{shown}, all steps in whole batches: {what}, up to {largest:.1f}", f"{max(differences):.0e}"]


def pictures() -> tuple[list[Images], list[Images]]:
    """Of each of ``STEPS``: to learn from, labelled as in a course, and for the test, labelled from 0."""
    train, test = (load(DataSpec("digits"), split) for split in ("train", "test"))
    groups, names = list[Images](), tuple[str, ...]()
    for step in STEPS:
        groups.append(continued(names, train.relabelled(step)))
        names = groups[-1].class_names
    return groups, [test.relabelled(step) for step in STEPS]


def course(groups: Sequence[Images], seed: int) -> Course:
    own = groups[0]
    network = build(NetworkSpec("lenet5", own.class_names, *own.mean_std()), seed)
    train_classifier(network, own, PRETRAINED, seed=seed, label="target")
    return Course(network, tuple(groups[1:]), seed, own=own)


def ours(name: str, course: Course, schedule: Schedule, memory: int) -> Iterator[nn.Module]:
    """The classifier after each step."""
    settings = {"schedule": schedule, **(LWF if name == "lwf" else {})}
    return LEARNERS.get(name).run(replace(course, memory=memory if name == "icarl" else 0), settings)


def theirs(name: str, course: Course, schedule: Schedule, memory: int, rows: bool = False) -> Iterator[nn.Module]:
    """The same of Avalanche.

    The target's own classes are its first experience, at a rate of zero: it learns from that which classes are old,
    and which of their pictures are exemplars. With ``rows`` pictures are rows of pixels, which iCaRL does not mirror.
    """
    torch.manual_seed(course.seed)
    features, head = Features(course), Head(course.target.head)
    strategy = strategy_of(name, features, head, schedule, memory)
    for number, experience in enumerate(stream(course, rows)):
        strategy.train_epochs = schedule.epochs if number else 1
        if number:
            head.grow(len(course.steps[number - 1].class_names), course.seed)
        # Its iCaRL's loss is a mean over the outputs, ours a sum, as the paper has it. AdamW does not see the factor.
        summed = name == "icarl" and schedule.optimiser == "sgd"
        for group in strategy.optimizer.param_groups:
            group["scale"] = (head.linear.out_features if summed else 1) * (number > 0)
        strategy.train(experience, reset_optimizer_state=True)
        if number:
            yield Answers(copy.deepcopy(strategy.model), head.linear.out_features).eval()


def strategy_of(name: str, features: nn.Module, head: nn.Module, schedule: Schedule, memory: int) -> Any:
    supervised, network = import_module("avalanche.training.supervised"), nn.Sequential(features, head)
    options: dict[str, Any] = {
        "optimizer": _optimiser(network.parameters(), schedule),
        "train_mb_size": schedule.batch,
        "eval_mb_size": 500,
        "plugins": [Pace(schedule)],
        "evaluator": None,
    }
    if name == "icarl":
        options |= {"memory_size": memory, "fixed_memory": True, "buffer_transform": None}
        return supervised.ICaRL(feature_extractor=features, classifier=head, **options)
    options |= {"model": network, "criterion": nn.CrossEntropyLoss()}
    if name == "lwf":
        return supervised.LwF(alpha=LWF["weight"], temperature=LWF["temperature"], **options)
    return supervised.Naive(**options)


def stream(course: Course, rows: bool) -> Any:
    """Avalanche's experiences: the target's own classes, then those of each step."""
    parts = (course.own, *course.steps)
    inputs, labels = (torch.cat(each) for each in zip(*((as_float(p.pixels), p.labels) for p in parts), strict=True))
    data = TensorDataset(inputs.flatten(1) if rows else inputs, labels)
    data.targets = labels.tolist()
    split = {
        "fixed_class_order": list(range(course.classes)),
        "per_exp_classes": {number: len(part.labels.unique()) for number, part in enumerate(parts)},
    }
    make = import_module("avalanche.benchmarks").nc_benchmark
    return make(data, data, len(parts), task_labels=False, **split).train_stream  # a test stream is not used


class Features(nn.Module):
    """A trainable copy of the target without its head."""

    def __init__(self, course: Course) -> None:
        super().__init__()
        self.network, self.shape = course.start().requires_grad_(True), course.steps[0].pixels.shape[1:]
        self.network.head = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x.reshape(-1, *self.shape))


class Head(nn.Module):
    """Grows by the same weights as the heads of our learners."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = copy.deepcopy(linear).requires_grad_(True)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)

    def grow(self, classes: int, seed: int) -> None:
        old, self.linear = self.linear, fresh_head(self.linear.in_features, classes, seed)
        with torch.no_grad():
            self.linear.weight[: old.out_features] = old.weight
            self.linear.bias[: old.out_features] = old.bias

    def _load_from_state_dict(self, state: dict[str, Tensor], prefix: str, *others: Any) -> None:
        """As wide as what is read: Avalanche's iCaRL writes each step's network over that of the step before."""
        self.linear = fresh_head(self.linear.in_features, len(state[f"{prefix}linear.bias"]), 0)
        super()._load_from_state_dict(state, prefix, *others)


class Pace:
    """A plugin that sets the rate of each batch as ``pnc.base.train.fit`` does."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule

    def before_training_iteration(self, strategy: Any, **_: object) -> None:
        clock, steps = strategy.clock, len(strategy.dataloader)
        progress = (clock.train_exp_epochs + (clock.train_epoch_iterations + 0.5) / steps) / self.schedule.epochs
        _set_rate(strategy.optimizer, self.schedule, progress)


class Answers(nn.Module):
    """Avalanche's for the classes so far; its iCaRL has zero for the mean of a class that is still to come."""

    def __init__(self, model: nn.Module, classes: int) -> None:
        super().__init__()
        self.model, self.classes = model, classes

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)[:, : self.classes]


class Distances(nn.Module):
    """Of our nearest mean: the squares are taken off."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return -(-self.model(x)).sqrt()


def whole(side: Callable[..., Iterator[nn.Module]], name: str, course: Course) -> Iterator[nn.Module]:
    """Trained on whole batches."""
    plugin = import_module("avalanche.training.supervised.icarl")._ICaRLPlugin
    with patch.object(plugin, "construct_exemplar_set", herd):
        for model in side(name, course, WHOLE[name], DIVISIBLE):
            yield Distances(model) if name == "icarl" and side is ours else model


def herd(plugin: Any, strategy: Any) -> None:
    """In place of the selection in Avalanche's iCaRL, which is not the paper's Alg. 4: its herding that is."""
    inputs, labels = (torch.stack([torch.as_tensor(row[i]) for row in strategy.experience.dataset]) for i in (0, 1))
    for label in labels.unique().tolist():
        own = inputs[labels == label]
        with torch.no_grad():
            order = herding(F.normalize(strategy.model.feature_extractor(own), dim=1))
        chosen = own[order[: plugin.memory_size // len(plugin.observed_classes)]]
        plugin.x_memory.append(chosen)
        plugin.y_memory.append([label] * len(chosen))
        plugin.order.append(torch.arange(1, len(chosen) + 1))


def herding(features: Tensor) -> list[int]:
    """Avalanche's order of all rows."""
    strategy = import_module("avalanche.training.storage_policy").HerdingSelectionStrategy
    return strategy.make_sorted_indices_from_features(None, features)


def others_herded(course: Course) -> str:
    """In how many places of the order Avalanche has another picture."""
    own, each = course.own, MEMORY // len(STEPS[0])
    features = unit_features(partial(embed, course.start()), own.pixels)
    places = [
        mine != other
        for label in STEPS[0]
        for mine, other in zip(
            herded(features[own.labels == label], each), herding(features[own.labels == label])[:each], strict=True
        )
    ]
    return f"{sum(places)} of {len(places)}"


def losses(name: str, course: Course) -> tuple[float, float]:
    """Ours and Avalanche's of a batch of the first step, by a student that has moved away from its teacher."""
    found = list[Any]()

    def caught(_: Course, network: nn.Module, images: Images, term: Any, schedule: Schedule) -> None:
        found.extend((network, images.take(range(len(images) - TAUGHT.batch, len(images))), term))

    with patch.object(import_module(f"pnc.incremental.{name}"), "train", caught):
        next(ours(name, course, TAUGHT, MEMORY))
    network, images, term = found
    torch.manual_seed(course.seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * parameter.std() * torch.randn_like(parameter)
        x, labels = as_float(images.pixels), images.labels
        return float(term(x, labels)), float(their_loss(name, course, x, network(x), labels))


def their_loss(name: str, course: Course, x: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
    """iCaRL's is a mean over the outputs where ours is a sum: so times their number."""
    teacher, old = course.start(), list(range(course.target.classes))
    if name == "icarl":
        loss = import_module("avalanche.training.losses").ICaRLLossPlugin()
        loss.old_logits, loss.old_classes = teacher(x), old
        return loss(logits, labels) * logits.shape[1]
    distil = import_module("avalanche.training.regularization").LearningWithoutForgetting
    penalty = distil(LWF["weight"], LWF["temperature"])
    penalty.prev_model, penalty.prev_classes_by_task = teacher, {0: old}
    return F.cross_entropy(logits, labels) + penalty(x, logits, None)


if __name__ == "__main__":
    main()
