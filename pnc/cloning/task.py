"""What a clone is learned from: two networks and samples."""

import operator
from dataclasses import dataclass

import torch
from torch import Tensor

from pnc.arch import BlockNet
from pnc.base.errors import bad
from pnc.base.images import Images


@dataclass(frozen=True)
class CloneTask:
    """Source, target and samples of the classes to clone.

    ``classes`` are T_s as outputs of ``source``; ``samples`` is D_t with labels 0…|T_s|−1 in that order and
    ``held_out`` the part of D_t kept for choices. ``rehearsal`` and ``rehearsal_held_out`` are the same of D_o,
    with the target's labels (None in the strict regime).
    """

    source: BlockNet
    target: BlockNet
    classes: tuple[int, ...]
    samples: Images
    held_out: Images
    rehearsal: Images | None = None
    rehearsal_held_out: Images | None = None

    @property
    def pixels(self) -> Tensor:
        """All of D_t's pictures, training part first: what G is fitted on."""
        return torch.cat([self.samples.pixels, self.held_out.pixels])

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "classes", tuple(map(operator.index, self.classes))
        )  # NumPy's numbers cannot be saved
        last = self.source.classes - 1
        if not self.classes or not all(0 <= index <= last for index in self.classes):
            raise bad("classes to clone", expected=f"outputs of the source, 0…{last}", found=list(self.classes))
        if len(set(self.classes)) != len(self.classes):
            raise bad("classes to clone", expected="each once", found=list(self.classes))
        for name, images in (("samples D_t", self.samples), ("held-out D_t", self.held_out)):
            if len(images) == 0:
                raise bad(name, expected="at least one picture", found="none")
