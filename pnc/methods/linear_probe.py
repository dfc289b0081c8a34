"""The frozen features' ceiling: a linear classifier on both networks' last features, trained on D_t and D_o."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pnc.arch import BlockNet
from pnc.base.errors import bad
from pnc.base.evaluate import Classifier, joint
from pnc.base.images import as_float
from pnc.base.train import fit
from pnc.methods._registry import MethodTask, method


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

    def forward(self, x: Tensor) -> Tensor:
        return self.head((self.embed(x) - self.mean) / self.std)


@method("linear_probe", row="Linear probe (ceiling)")
def linear_probe(task: MethodTask) -> Classifier:
    """Cross-entropy on the samples that rehearsal sees. Raises PncError without samples of D_o."""
    old, new = task.clone.rehearsal, task.clone.samples
    if old is None:
        raise bad("linear probe", expected="samples of D_o", found="none")
    probe = Probe(task.target, task.clone.source, len(task.spec.class_names)).to(new.pixels.device)
    pixels = torch.cat([old.pixels, new.pixels])
    labels = torch.cat([old.labels, new.labels + task.old_classes])
    features = torch.cat([probe.embed(as_float(part)) for part in pixels.split(500)])
    probe.mean.copy_(features.mean(0))
    probe.std.copy_(features.std(0).clamp_min(1e-6))
    features = (features - probe.mean) / probe.std
    fit(
        probe.head,
        probe.head.parameters(),
        lambda indices, _: F.cross_entropy(probe.head(features[indices]), labels[indices]),
        len(labels),
        task.finetune,
        seed=task.seed,
        label="linear probe",
        progress=task.progress,
    )
    return joint(probe, task.old_classes)
