"""One tiny target, two sources and three packages that can all be attached to it."""

from functools import cache

import torch
from _tiny import package_for, pictures, tiny_network
from torch import Tensor, nn

from pnc.arch import BlockNet
from pnc.cloned.model import ClonedModel, attach
from pnc.cloning.package import ClonePackage

X = pictures(5)


def birds() -> BlockNet:
    return tiny_network("bird", 5, (5, 9, 12))


def beasts() -> BlockNet:
    return tiny_network("beast", 3, (4, 6, 6, 7, 5), seed=1)


def animals() -> BlockNet:
    return tiny_network("animal", 4)


Plug = tuple[BlockNet, ClonePackage]


@cache
def packages() -> tuple[ClonePackage, ...]:
    """Three for ``animals()``: from two sources, at every R, with every reading of a masked filter."""
    target, first, second = animals(), birds(), beasts()
    return (
        package_for(first, target, 2, (3, 1), ("owl", "kiwi")),
        package_for(second, target, 1, (0,), ("lynx",), seed=1, reading="zero_after_bn"),
        package_for(first, target, 0, (4, 0), ("crow", "rook"), seed=2, reading="bn_mean"),
    )


def plugs() -> list[Plug]:
    """The packages, the first and the last of them with the same source."""
    first, second = birds(), beasts()
    return list(zip((first, second, first), packages(), strict=True))


def attached(target: nn.Module, chosen: list[Plug]) -> nn.Module:
    for source, package in chosen:
        target = attach(target, source, package)
    return target


@torch.no_grad()
def by_name(model: nn.Module) -> dict[str, Tensor]:
    """Logits of X by class name."""
    names = model.classes if isinstance(model, ClonedModel) else model.class_names
    return dict(zip(names, model(X).T, strict=True))  # type: ignore[arg-type]


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
