"""Learning without Forgetting: the old network's answers on new pictures stand in for the old pictures."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pnc.arch import BlockNet
from pnc.base.images import Images
from pnc.base.train import Schedule
from pnc.incremental._course import Course
from pnc.incremental._registry import learner
from pnc.incremental._training import check_positive, check_weight, distillation, train, widened


@learner("lwf", sees="steps")
def lwf(course: Course, *, schedule: Schedule, weight: float = 1.0, temperature: float = 2.0) -> Iterator[nn.Module]:
    """Cross-entropy over all classes so far, and distillation of the old classes' logits with ``weight`` λ_o.

    Li & Hoiem 2016, https://arxiv.org/abs/1606.09282, Eq. 2 to 4, with one head for all classes: nobody says at test
    time which step a picture is from.
    """
    check_weight(weight=weight)
    check_positive(temperature=temperature)
    network = course.start()
    for step in course.steps:
        network = _taught(course, network, step, schedule, weight, temperature)
        yield network


def _taught(
    course: Course, teacher: BlockNet, step: Images, schedule: Schedule, weight: float, temperature: float
) -> BlockNet:
    learning = widened(teacher, len(step.class_names), course.seed)

    def term(pictures: Tensor, labels: Tensor) -> Tensor:
        logits = learning(pictures)
        loss = F.cross_entropy(logits, labels)
        if not weight:
            return loss
        with torch.no_grad():
            old = teacher(pictures)
        return loss + weight * distillation(logits[:, : teacher.classes], old, temperature)

    train(course, learning, step, term, schedule)
    return learning
