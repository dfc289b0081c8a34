"""How much packages take from other classes, measured before they stay attached: on pictures, by the joint argmax."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from pnc.base.errors import bad
from pnc.base.images import as_float
from pnc.cloned.model import ClonedModel, attach
from pnc.cloning.networks import device_of
from pnc.cloning.notice import notice
from pnc.cloning.package import ClonePackage

BATCH = 500


@dataclass(frozen=True, eq=False)
class Interference:
    """``shares`` [classes, takers]: of each class's pictures, how many have their highest logit in which part.

    ``takers`` are the target, then every package by its classes' names; ``owners`` says which of them has each of
    ``classes``. Each row adds up to 1.
    """

    classes: tuple[str, ...]
    takers: tuple[str, ...]
    owners: tuple[int, ...]
    shares: Tensor

    @property
    def taken(self) -> Tensor:
        """``shares`` with 0 where nothing is taken by a package: its own classes, and all that the target answers."""
        foreign = torch.arange(len(self.takers)) != torch.tensor(self.owners)[:, None]
        foreign[:, 0] = False
        return self.shares * foreign


@dataclass(frozen=True, eq=False)
class Limit:
    """Attaching is refused, or only warned about, where a package takes more than ``share`` of another class.

    ``samples`` are pictures by class name, as for ``interference``.
    """

    samples: Mapping[str, Tensor]
    share: float
    refuse: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise bad("limit of interference", expected="a share in [0, 1]", found=self.share)

    def check(self, model: ClonedModel) -> None:
        """Raise PncError, or warn, with the worst of what is past the limit."""
        found = _measured(model, self.samples)
        row, column = divmod(int(found.taken.argmax()), len(found.takers))
        if (worst := float(found.taken[row, column])) <= self.share:
            return
        error = bad(
            f"pictures of '{found.classes[row]}' that {found.takers[column]} takes",
            expected=f"at most {100 * self.share:g} %",
            found=f"{100 * worst:.1f} %",
        )
        if self.refuse:
            raise error
        notice(str(error))


@torch.inference_mode(False)
def interference(
    target: nn.Module,
    plugs: Sequence[tuple[nn.Module, ClonePackage | str | Path]],
    samples: Mapping[str, Tensor],
    *,
    joint: bool | None = None,
) -> Interference:
    """What would be taken from whom with all (source, package) of ``plugs`` attached to ``target``; nothing changes.

    ``samples`` has pictures [n, C, H, W], uint8 or floats in [0, 1], by class name: of as many of the target's and
    the packages' classes as there are pictures of, best none that a clone has learned from. ``joint`` is as for
    ``attach``. Raises PncError as ``attach`` does, and for samples that are empty or of a class that nobody has.
    """
    model = target
    for source, package in plugs:
        model = attach(model, source, package, joint=joint)
    if not isinstance(model, ClonedModel):
        raise bad("packages to measure", expected="at least one", found="none")
    return _measured(model, samples)


@torch.no_grad()
def _measured(model: ClonedModel, samples: Mapping[str, Tensor]) -> Interference:
    groups = [package.info.names for package in model.packages]
    counts = [len(model.classes) - sum(map(len, groups)), *map(len, groups)]
    part = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))  # output → its column
    if unknown := sorted(set(samples) - set(model.classes)):
        raise bad("classes of the samples", expected=f"some of {', '.join(model.classes)}", found=", ".join(unknown))
    named = [(name, int(part[index])) for index, name in enumerate(model.classes) if name in samples]
    if not named:
        raise bad("samples", expected="pictures of at least one class", found="none")
    rows = [_shares(model, name, samples[name], part) for name, _ in named]
    classes, owners = zip(*named, strict=True)
    return Interference(classes, ("target", *map(", ".join, groups)), owners, torch.stack(rows))


def _shares(model: ClonedModel, name: str, pictures: Tensor, part: Tensor) -> Tensor:
    if not isinstance(pictures, Tensor) or pictures.dim() != 4 or len(pictures) == 0:
        found = list(pictures.shape) if isinstance(pictures, Tensor) else type(pictures).__name__
        raise bad(f"samples of '{name}'", expected="pictures [n, C, H, W], at least one", found=found)
    device = device_of(model.original)
    batches = (batch if batch.is_floating_point() else as_float(batch) for batch in pictures.split(BATCH))
    answers = torch.cat([model(batch.to(device)).argmax(1).cpu() for batch in batches])
    return torch.bincount(part[answers], minlength=int(part.max()) + 1) / len(answers)
