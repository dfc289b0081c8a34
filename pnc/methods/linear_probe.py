"""The frozen features' ceiling: a linear classifier on both networks' last features, trained on D_t and D_o."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pnc.arch import BlockNet
from pnc.base.classifier import balanced
from pnc.base.images import as_float
from pnc.base.train import Schedule, fit
from pnc.methods._calibrate import with_calibrated
from pnc.methods._finetune import seen
from pnc.methods._registry import MethodTask, Rows, method


class Probe(nn.Module):
    """A linear layer on [M_t's embedding | M_s's embedding], standardised; neither network is trained."""

    mean: Tensor
    std: Tensor

    def __init__(self, target: BlockNet, source: BlockNet, classes: int) -> None:
        super().__init__()
        self.networks = nn.ModuleList([target, source])
        width = target.head.in_features + source.head.in_features
        self.head = nn.Linear(width, classes)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("std", torch.ones(width))

    @torch.no_grad()
    def embed(self, x: Tensor) -> Tensor:
        return torch.cat([network.embed(network.run(x)) for network in self.networks], dim=1)  # type: ignore[operator]

    def standardise(self, features: Tensor) -> Tensor:
        """``features`` [N, d] of the training pictures with mean 0 and deviation 1, which later ones follow."""
        self.mean.copy_(features.mean(0))
        self.std.copy_(features.std(0).clamp_min(1e-6))
        return (features - self.mean) / self.std

    def forward(self, x: Tensor) -> Tensor:
        return self.head((self.embed(x) - self.mean) / self.std)


@method("linear_probe", regimes=("rehearsal",))
def linear_probe(task: MethodTask, *, schedule: Schedule) -> Rows:
    """Cross-entropy on the samples that rehearsal sees, each class weighing the same; and calibrated.

    Linear classifier probes: Alain & Bengio 2016, https://arxiv.org/abs/1610.01644.
    """
    images = seen(task)
    probe = Probe(task.target, task.clone.source, len(task.spec.class_names)).to(images.pixels.device)
    features = probe.standardise(torch.cat([probe.embed(as_float(part)) for part in images.pixels.split(500)]))
    weights = balanced(images.labels)

    def loss(indices: Tensor, _: torch.Generator) -> Tensor:
        each = F.cross_entropy(probe.head(features[indices]), images.labels[indices], reduction="none")
        return (weights[indices] * each).mean()

    fit(
        probe.head,
        probe.head.parameters(),
        loss,
        len(images),
        schedule,
        seed=task.seed,
        label="linear probe",
        checkpoint=task.checkpoint,
        progress=task.progress,
    )
    return with_calibrated(probe, task)
