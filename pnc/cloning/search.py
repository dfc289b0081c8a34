"""The search over R (Algorithm 1): a candidate per position, the one with the least converged loss wins."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import torch

from pnc.arch import fingerprint
from pnc.base.train import Checkpoint
from pnc.cloning.candidate import Candidate
from pnc.cloning.local.local_models import LocalModels
from pnc.cloning.localize_insert import Outcome, localize_insert
from pnc.cloning.package import ClonePackage, PackageInfo
from pnc.cloning.settings import CloneSettings
from pnc.cloning.task import CloneTask


def search(
    task: CloneTask,
    local_models: LocalModels,
    settings: CloneSettings,
    names: Sequence[str],
    *,
    positions: Sequence[int] | None = None,
    seed: int = 0,
    until_worse: bool = False,
    checkpoint: Checkpoint | None = None,
    progress: bool = False,
) -> dict[int, ClonePackage]:
    """A package for every position R (all of L−1 … 0 if not given); ``provenance`` says how each went.

    ``until_worse`` as in ``localize_insert``.
    """
    chosen = tuple(reversed(range(len(task.target)))) if positions is None else tuple(positions)
    found = localize_insert(
        task,
        local_models,
        settings,
        chosen,
        seed=seed,
        until_worse=until_worse,
        checkpoint=checkpoint,
        progress=progress,
    )
    return {
        position: to_package(candidate, outcome, task, settings, names, seed)
        for position, (candidate, outcome) in found.items()
    }


def converged_losses(packages: Mapping[int, ClonePackage]) -> dict[int, float]:
    return {position: package.info.provenance["loss"] for position, package in packages.items()}


def accuracies(packages: Mapping[int, ClonePackage]) -> dict[int, float]:
    return {position: package.info.provenance["accuracy"] for position, package in packages.items()}


def to_package(
    candidate: Candidate,
    outcome: Outcome,
    task: CloneTask,
    settings: CloneSettings,
    names: Sequence[str],
    seed: int,
) -> ClonePackage:
    """A hardened candidate as {M, R, A, F_c}."""
    offset = asdict(outcome.offset)
    gaps = torch.tensor(offset.pop("gaps"))
    made = {"regime": settings.regime, "keep": settings.keep, "precision": settings.precision, "seed": seed}
    made |= {"loss": outcome.converged, "accuracy": outcome.accuracy, **offset}
    adapter, rows = candidate.adapter, candidate.rows
    info = PackageInfo(
        source=fingerprint(task.source),
        target=fingerprint(task.target),
        classes=tuple(task.classes),
        names=tuple(names),
        position=candidate.position,
        source_position=candidate.tail.start,
        size=adapter.size,
        relu=adapter.relu,
        reading=settings.reading,
        provenance=made,
    )
    tensors = [
        {name: tensor.detach().cpu().clone() for name, tensor in module.state_dict().items()}
        for module in (adapter.conv, rows)
    ]
    masks = {name: mask.cpu() for name, mask in candidate.tail.bits().items()}
    constants = {name: tensor.cpu().clone() for name, tensor in candidate.tail.constants().items()}
    return ClonePackage(info, masks, tensors[0], tensors[1], constants, {"gap": gaps})
