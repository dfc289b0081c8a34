"""Learning without Forgetting: the old network's answers on new pictures stand in for the old pictures."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pnc.arch import BlockNet
from pnc.base.errors import bad
from pnc.base.images import Images
from pnc.base.train import Schedule
from pnc.incremental._course import Course
from pnc.incremental._registry import learner
from pnc.incremental._training import check_positive, check_weight, distillation, train, widened


@learner("lwf", sees="steps")
def lwf(
    course: Course, *, schedule: Schedule, weight: float = 1.0, temperature: float = 2.0, own_softmax: bool = False
) -> Iterator[nn.Module]:
    """Cross-entropy over all classes so far, and distillation of the old classes' logits with ``weight`` λ_o.

    Li & Hoiem 2016, https://arxiv.org/abs/1606.09282, Eq. 2 to 4, with one head for all classes: nobody says at test
    time which step a picture is from. With ``own_softmax`` the cross-entropy is over a step's own classes alone, as
    theirs is, and says nothing against old ones. Raises PncError where a step then has one class only.
    """
    check_weight(weight=weight)
    check_positive(temperature=temperature)
    network = course.start()
    for step in course.steps:
        if own_softmax and len(step.class_names) - network.classes < 2:
            raise bad("own_softmax", expected="steps of two classes or more", found="one of a single class")
        network = _taught(course, network, step, schedule, weight, temperature, own_softmax)
        yield network


def _taught(
    course: Course,
    teacher: BlockNet,
    step: Images,
    schedule: Schedule,
    weight: float,
    temperature: float,
    own_softmax: bool,
) -> BlockNet:
    learning = widened(teacher, len(step.class_names), course.seed)
    first = teacher.classes if own_softmax else 0

    def term(pictures: Tensor, labels: Tensor) -> Tensor:
        logits = learning(pictures)
        loss = F.cross_entropy(logits[:, first:], labels - first)
        if not weight:
            return loss
        with torch.no_grad():
            old = teacher(pictures)
        return loss + weight * distillation(logits[:, : teacher.classes], old, temperature)

    train(course, learning, step, term, schedule)
    return learning
