"""Generated replay: pictures inverted from the target stand in for the old ones."""

import torch

from pnc.base.images import Images
from pnc.base.train import Schedule
from pnc.methods._calibrate import with_calibrated
from pnc.methods._finetune import Terms, fine_tuned, seen
from pnc.methods._inversion import Inversion, inverted
from pnc.methods._registry import MethodTask, Rows, method


@method("replay", regimes=("strict",))
def replay(
    task: MethodTask,
    *,
    schedule: Schedule,
    pictures: int = 200,
    steps: int = 200,
    rate: float = 0.1,
    smooth: float = 1.0,
    bn: float = 1.0,
    l2_sp: float = 0.01,
    lwf: float = 1.0,
    kd: float = 1.0,
    head: float = 1.0,
    temperature: float = 2.0,
    frozen_bn: bool = False,
    q: float = 0.96,
    neutral: float = 0.5,
) -> Rows:
    """In the manner of Always Be Dreaming (Smith et al. 2021, https://arxiv.org/abs/2106.09701); and calibrated.

    As ``lwf``, on D_t and on generated pictures (pnc.methods._inversion): the target's old logits are distilled on
    both, and labels compete within their own side alone, so that the features need not tell generated from real. One
    softmax over all classes teaches the head alone, with weight ``head``.
    """
    made = inverted(task, Inversion(pictures, steps, rate, smooth, bn))
    new = seen(task)
    images = Images(torch.cat([made.pixels, new.pixels]), torch.cat([made.labels, new.labels]), new.class_names)
    terms = Terms(l2_sp, lwf, temperature, kd, separate=True, head=head)
    return with_calibrated(fine_tuned(task, schedule, terms, frozen_bn=frozen_bn, images=images), task, q, neutral)
