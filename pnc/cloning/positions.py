"""Where a module can plug in at all."""

import torch

from pnc.arch import BlockNet
from pnc.base.errors import bad
from pnc.base.images import as_float
from pnc.cloning.candidate import source_position, traverse
from pnc.cloning.notice import notice
from pnc.cloning.task import CloneTask


def usable_positions(task: CloneTask) -> tuple[int, ...]:
    """The positions R, last first, at which features are maps [N, C, H, W] in the target and in the source at R_s.

    A network may flatten its features before its last blocks (hidden fully connected layers), where the adapter, a
    1×1 convolution, does not fit; a warning says which R are left out. Raises PncError if none is left.
    """
    target, source = _maps(task.target, task), _maps(task.source, task)
    every = range(len(target))
    fit = [R for R in every if target[R] and source[source_position(R, len(target), len(source))]]
    if not fit:
        raise bad("positions R", expected="one at which both networks have features [N, C, H, W]", found="none")
    if left_out := sorted(set(every) - set(fit)):
        notice(f"positions R left out of the search, as features there are not [N, C, H, W]: {left_out}")
    return tuple(reversed(fit))


@torch.no_grad()
def _maps(network: BlockNet, task: CloneTask) -> list[bool]:
    """For each block, whether features [N, C, H, W] enter it."""
    entering, _ = traverse(network, as_float(task.samples.pixels[:1]), range(len(network)))
    return [entering[R].dim() == 4 for R in range(len(network))]
