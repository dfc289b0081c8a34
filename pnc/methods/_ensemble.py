"""Two networks with one row of logits."""

import torch
from torch import Tensor, nn

from pnc.arch import BlockNet
from pnc.cloned.offset import offset
from pnc.cloning.objective import source_scores
from pnc.methods._registry import MethodTask


class Ensemble(nn.Module):
    """[M_t(x) | scores of T_s by M_s(x) + δ]; ``rest_weight`` as in pnc.cloning.objective.source_scores."""

    def __init__(self, task: MethodTask, rest_weight: float = 0.0) -> None:
        super().__init__()
        self.target: BlockNet = task.target
        self.source: BlockNet = task.clone.source
        self.classes = task.clone.classes
        self.rest_weight = rest_weight
        self.delta = 0.0

    def forward(self, x: Tensor) -> Tensor:
        new = source_scores(self.source(x), self.classes, self.rest_weight)
        return torch.cat([self.target(x), new + self.delta], dim=1)


def calibrated_ensemble(
    task: MethodTask, q: float = 0.96, neutral: float = 0.5, rest_weight: float = 0.25
) -> Ensemble:
    """With PNC's score for the new classes and its offset δ (pnc.cloned.offset)."""
    ensemble = Ensemble(task, rest_weight)
    ensemble.delta = offset(ensemble, task.clone, task.regime, task.seed, q, neutral)
    return ensemble
