"""Exemplars: a few pictures of every class so far, chosen by herding.

Rebuffi et al. 2017 (iCaRL), https://arxiv.org/abs/1611.07725, Alg. 4 and 5.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from pnc.arch import BlockNet
from pnc.base.images import Images, as_float
from pnc.incremental._course import Course
from pnc.incremental._training import embed

Extract = Callable[[Tensor], Tensor]  # pictures [N, C, H, W] in [0, 1] → features [N, d]


@torch.no_grad()
def unit_features(extract: Extract, pixels: Tensor, batch: int = 500) -> Tensor:
    """Features [N, d] of uint8 ``pixels``, each of length 1."""
    return torch.cat([F.normalize(extract(as_float(part)), dim=1) for part in pixels.split(batch)])


def herded(features: Tensor, count: int) -> list[int]:
    """Rows of ``features`` [N, d], at most ``count``: whichever next one brings their mean nearest to that of all."""
    mean, total, chosen = features.mean(0), torch.zeros_like(features[0]), list[int]()
    free = torch.ones(len(features), dtype=torch.bool, device=features.device)
    for number in range(1, min(count, len(features)) + 1):
        distances = (mean - (total + features) / number).norm(dim=1)
        best = int(distances.masked_fill(~free, torch.inf).argmin())
        chosen.append(best)
        free[best] = False
        total = total + features[best]
    return chosen


@dataclass(frozen=True, eq=False)
class Memory:
    """At most ``size`` pictures, as many of each class: ``classes`` has their pixels, by label, best first."""

    size: int
    classes: tuple[Tensor, ...] = ()
    names: tuple[str, ...] = ()

    @staticmethod
    def of_target(course: Course, network: BlockNet) -> "Memory":
        """Of the target's own classes, chosen from the samples of D_o by the features of ``network``, its copy."""
        empty = Memory(course.memory)
        return empty if course.own is None else empty.and_of(course.own, partial(embed, network))

    def and_of(self, images: Images, extract: Extract) -> "Memory":
        """With exemplars of the classes in ``images``; those there were make room, the least important first."""
        new = [images.pixels[images.labels == label] for label in images.labels.unique().tolist()]
        each = self.size // (len(self.classes) + len(new))
        chosen = [pixels[herded(unit_features(extract, pixels), each)] for pixels in new]
        return Memory(self.size, (*(pixels[:each] for pixels in self.classes), *chosen), images.class_names)

    @property
    def images(self) -> Images:
        return _labelled(self.classes, self.names)

    @property
    def balanced(self) -> Images:
        """As many pictures of each class: what the class with the fewest has."""
        least = min(map(len, self.classes))
        return _labelled(tuple(pixels[:least] for pixels in self.classes), self.names)


def _labelled(classes: tuple[Tensor, ...], names: tuple[str, ...]) -> Images:
    labels = torch.arange(len(classes)).repeat_interleave(torch.tensor([len(pixels) for pixels in classes]))
    pixels = torch.cat(classes)
    return Images(pixels, labels.to(pixels.device), names[: len(classes)])
