"""What stands beside a clone: the target alone, both networks whole, and one network trained on all classes."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from pnc.arch import BlockNet, NetworkSpec, build
from pnc.cloning.objective import source_scores

ALONE, ENSEMBLE, JOINT = "target", "direct_ensemble_calibrated", "joint"  # the latter as pnc.methods calls them
REGIMES = {ALONE: "", ENSEMBLE: "strict", JOINT: ""}  # that the suites run them in


class BothWhole(nn.Module):
    """[M_t(x) | scores of T_s by M_s(x)], pictures [N, C, H, W] → logits [N, |T_t| + |T_s|].

    ρ and δ are free: they change no count.
    """

    def __init__(self, target: BlockNet, source: BlockNet, classes: Sequence[int]) -> None:
        super().__init__()
        self.target, self.source, self.classes = target, source, tuple(classes)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.target(x), source_scores(self.source(x), self.classes, 0.25)], dim=1)


def rivals(target: BlockNet, spec: NetworkSpec, source: BlockNet, classes: Sequence[int]) -> dict[str, nn.Module]:
    """Each by its method's name. ``spec`` is the target's, ``classes`` are T_s as outputs of the source.

    The jointly trained network has the target's architecture and a row more for each class of T_s; its weights are
    not trained, as nothing here asks what they say.
    """
    names = (*spec.class_names, *(f"cloned {index}" for index in classes))
    return {
        ALONE: target,
        ENSEMBLE: BothWhole(target, source, classes).eval(),
        JOINT: build(replace(spec, class_names=names)),
    }
