"""A tiny clone, beside originals that have to stay."""

from collections.abc import Callable
from typing import Any

import torch
from _tiny import package_for, pictures, source_and_target
from torch import nn

from pnc.cloned.model import ClonedModel, attach

X = pictures(4)
Action = Callable[[ClonedModel], Any]


def cloned() -> ClonedModel:
    source, target = source_and_target()
    return attach(target.train(), source, package_for(source, target, 1))


def trained(model: nn.Module, optimiser: type[torch.optim.Optimizer] = torch.optim.SGD, **own: Any) -> None:
    steps = optimiser(model.requires_grad_(True).train().parameters(), lr=0.1, **own)
    model(X).square().mean().backward()
    steps.step()
