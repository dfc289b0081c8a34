"""The target fine-tuned on one step after another, and nothing done against forgetting: the floor."""

from collections.abc import Iterator

import torch.nn.functional as F
from torch import nn

from pnc.arch import BlockNet
from pnc.base.images import Images
from pnc.base.train import Schedule
from pnc.incremental._course import Course
from pnc.incremental._registry import learner
from pnc.incremental._training import train, widened


@learner("finetuning", sees="steps")
def finetuning(course: Course, *, schedule: Schedule) -> Iterator[nn.Module]:
    """Cross-entropy over all classes so far, on the pictures of the step alone.

    The floor of every comparison since Li & Hoiem 2016, https://arxiv.org/abs/1606.09282.
    """
    network = course.start()
    for step in course.steps:
        network = tuned(course, network, step, schedule)
        yield network


def tuned(course: Course, network: BlockNet, images: Images, schedule: Schedule) -> BlockNet:
    """A copy of ``network`` over the classes of ``images``, trained on their labels."""
    learning = widened(network, len(images.class_names), course.seed)
    train(course, learning, images, lambda pictures, labels: F.cross_entropy(learning(pictures), labels), schedule)
    return learning
