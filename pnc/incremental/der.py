"""DER, dynamically expandable representation: a feature extractor more with each step, the earlier ones frozen."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pnc.arch import BlockNet
from pnc.base.images import Images
from pnc.base.train import Schedule
from pnc.incremental._course import Course
from pnc.incremental._memory import Memory
from pnc.incremental._registry import learner
from pnc.incremental._training import check_positive, check_weight, fresh_head, together, train


@learner("der", sees="exemplars")
def der(
    course: Course,
    *,
    schedule: Schedule,
    auxiliary: float = 1.0,
    balanced_epochs: int = 30,
    balanced_temperature: float = 5.0,
) -> Iterator[nn.Module]:
    """Cross-entropy on the features of all extractors, and with weight ``auxiliary`` that of a head on the new
    extractor's features alone, which tells the new classes from each other and from all old ones (Eq. 5 to 7); then a
    fresh head on frozen features, on equally many pictures of each class, at ``balanced_temperature`` (Sec. 3.4).

    Yan, Xie & He 2021, https://arxiv.org/abs/2103.16788, without their pruning: each step adds a whole extractor.
    """
    check_weight(auxiliary=auxiliary)
    check_positive(balanced_epochs=balanced_epochs, balanced_temperature=balanced_temperature)
    balancing = replace(schedule, epochs=balanced_epochs)
    network = course.start()
    memory, expanded = Memory.of_target(course, network), Expanded([Extractor(network)], network.head)
    for step in course.steps:
        known, expanded = expanded.head.out_features, expanded.larger(len(step.class_names), course.seed)
        _represent(course, expanded, known, together(memory.images, step), schedule, auxiliary)
        memory = memory.and_of(step, expanded.features)
        _classify(course, expanded, memory.balanced, balancing, balanced_temperature)
        yield expanded


class Extractor(nn.Module):
    """A network without its head: pictures → features [N, d]."""

    def __init__(self, network: BlockNet) -> None:
        super().__init__()
        self.blocks, self.pool = copy.deepcopy(network.blocks), copy.deepcopy(network.pool)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return self.pool(x).flatten(1)


class Expanded(nn.Module):
    """A head on the features of several extractors, one behind the other; all but the last of these are frozen."""

    def __init__(self, extractors: Sequence[nn.Module], head: nn.Linear) -> None:
        super().__init__()
        self.extractors, self.head = nn.ModuleList(extractors), head

    def train(self, mode: bool = True) -> "Expanded":
        super().train(mode)
        for frozen in self.extractors[:-1]:
            frozen.eval()  # batch statistics, too
        return self

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        return torch.cat([extract(x) for extract in self.extractors], dim=1)

    def larger(self, classes: int, seed: int) -> "Expanded":
        """A copy with ``classes`` outputs and one extractor more, which starts as the last one is."""
        old = copy.deepcopy(self.extractors).requires_grad_(False)
        new = copy.deepcopy(self.extractors[-1]).requires_grad_(True)
        known, width = self.head.out_features, self.head.in_features
        own = width // len(self.extractors)
        head = fresh_head(width + own, classes, seed).to(self.head.weight.device)
        with torch.no_grad():
            head.weight[:known, :width] = self.head.weight
            head.bias[:known] = self.head.bias
        return Expanded([*old, new], head)


def _represent(
    course: Course, expanded: Expanded, known: int, images: Images, schedule: Schedule, auxiliary: float
) -> None:
    """Representation learning: the new extractor and the head."""
    classes, width = expanded.head.out_features, expanded.head.in_features // len(expanded.extractors)
    beside = fresh_head(width, classes - known + 1, course.seed, "auxiliary").to(images.pixels.device)

    def term(pictures: Tensor, labels: Tensor) -> Tensor:
        features = expanded.features(pictures)
        which = (labels - known + 1).clamp_min(0)  # 0: any old class
        told = F.cross_entropy(beside(features[:, -width:]), which)
        return F.cross_entropy(expanded.head(features), labels) + auxiliary * told

    train(course, nn.ModuleList([expanded, beside]), images, term, schedule)


def _classify(course: Course, expanded: Expanded, images: Images, schedule: Schedule, temperature: float) -> None:
    """Classifier learning: a fresh head alone."""
    expanded.requires_grad_(False)
    width, classes = expanded.head.in_features, expanded.head.out_features
    head = expanded.head = fresh_head(width, classes, course.seed, "balanced").to(images.pixels.device)

    def term(pictures: Tensor, labels: Tensor) -> Tensor:
        with torch.no_grad():
            features = expanded.features(pictures)
        return F.cross_entropy(head(features) / temperature, labels)

    train(course, head, images, term, schedule, stage="balancing")
    expanded.eval()
