"""iCaRL: exemplars, distillation, and the nearest mean of exemplars as the classifier."""

from collections.abc import Iterator
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pnc.arch import BlockNet
from pnc.base.images import Images
from pnc.base.train import Schedule
from pnc.incremental._course import Course
from pnc.incremental._memory import Memory, unit_features
from pnc.incremental._registry import learner
from pnc.incremental._training import embed, together, train, widened


@learner("icarl", sees="exemplars")
def icarl(course: Course, *, schedule: Schedule) -> Iterator[nn.Module]:
    """Sigmoid outputs: labels for the new classes, the old network's answers for the old ones, on new pictures and
    exemplars alike (Alg. 3); a picture is of the class whose exemplars' mean is nearest (Alg. 1).

    Rebuffi et al. 2017, https://arxiv.org/abs/1611.07725.
    """
    network = course.start()
    memory = Memory.of_target(course, network)
    for step in course.steps:
        network = _taught(course, network, together(memory.images, step), schedule)
        memory = memory.and_of(step, partial(embed, network))
        yield NearestMean(network, class_means(network, memory.images)).eval()


def _taught(course: Course, teacher: BlockNet, images: Images, schedule: Schedule) -> BlockNet:
    classes = len(images.class_names)
    learning = widened(teacher, classes, course.seed)

    def term(pictures: Tensor, labels: Tensor) -> Tensor:
        wanted = F.one_hot(labels, classes).to(pictures.dtype)
        with torch.no_grad():
            wanted[:, : teacher.classes] = teacher(pictures).sigmoid()
        return F.binary_cross_entropy_with_logits(learning(pictures), wanted, reduction="sum") / len(labels)

    train(course, learning, images, term, schedule)
    return learning


class NearestMean(nn.Module):
    """Minus the squared distance of a picture's feature, of length 1, to each class's ``means`` [classes, d]."""

    means: Tensor

    def __init__(self, network: BlockNet, means: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("means", means)

    def forward(self, x: Tensor) -> Tensor:
        features = F.normalize(embed(self.network, x), dim=1)
        return -torch.cdist(features, self.means).square()


def class_means(network: BlockNet, images: Images) -> Tensor:
    """The mean of each class's features, all of length 1: [classes, d]."""
    features = unit_features(partial(embed, network), images.pixels)
    means = [features[images.labels == label].mean(0) for label in range(len(images.class_names))]
    return F.normalize(torch.stack(means), dim=1)
