"""The target trained on all that there has been so far: the ceiling."""

from collections.abc import Iterator

from torch import nn

from pnc.base.images import Images
from pnc.base.train import Schedule
from pnc.incremental._course import Course
from pnc.incremental._registry import learner
from pnc.incremental._training import together
from pnc.incremental.finetuning import tuned


@learner("joint", sees="everything")
def joint(course: Course, *, schedule: Schedule) -> Iterator[nn.Module]:
    """Cross-entropy on the samples of D_o and on all steps so far, each time from the target anew.

    The ceiling of every comparison since Li & Hoiem 2016, https://arxiv.org/abs/1606.09282; here on the very samples
    that the others are taught with or choose exemplars from.
    """
    target, seen = course.start(), list[Images]() if course.own is None else [course.own]
    for step in course.steps:
        seen.append(step)
        yield tuned(course, target, together(*seen), schedule)
