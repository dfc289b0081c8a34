"""Learning without Forgetting as its authors train it: old and new classes each in a softmax of their own."""

from pnc.base.train import Schedule
from pnc.methods._calibrate import with_calibrated
from pnc.methods._finetune import Terms, fine_tuned
from pnc.methods._registry import MethodTask, Rows, method


@method("lwf")
def lwf(
    task: MethodTask,
    *,
    schedule: Schedule,
    l2_sp: float = 0.01,
    lwf: float = 1.0,
    kd: float = 1.0,
    temperature: float = 2.0,
    frozen_bn: bool = False,
    q: float = 0.96,
    neutral: float = 0.5,
) -> Rows:
    """continual_kd whose labels never set new classes against old ones, so that nothing pushes the old ones down.

    Li & Hoiem 2016, https://arxiv.org/abs/1606.09282; with D_o it is the separated softmax of Ahn et al. 2020,
    https://arxiv.org/abs/2003.13947. Labels say nothing about a single class: there the source's logit alone teaches.
    Old against new is left to the calibrated row.
    """
    network = fine_tuned(task, schedule, Terms(l2_sp, lwf, temperature, kd, separate=True), frozen_bn=frozen_bn)
    return with_calibrated(network, task, q, neutral)
