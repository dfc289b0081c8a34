"""Learns the damaged tensors of A and F_c again: from D_t, against the source's answers, M and R as they are."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from pnc.arch import fingerprint
from pnc.base.errors import PncError, bad
from pnc.base.evaluate import predict
from pnc.base.images import Images
from pnc.base.seeds import generator
from pnc.base.train import fit
from pnc.cloning import objective
from pnc.cloning.calibration import calibrate
from pnc.cloning.candidate import Candidate
from pnc.cloning.clone import make_task
from pnc.cloning.inputs import Inputs, Near, features, rows, taught
from pnc.cloning.masks import MaskReading
from pnc.cloning.package import ClonePackage
from pnc.cloning.settings import CloneSettings
from pnc.cloning.slicing import slice_tail
from pnc.cloning.start import start
from pnc.cloning.task import CloneTask

Samples = Images | Iterable[tuple[Tensor, Tensor]]
REPAIRABLE = ("A.weight", "A.bias", "F_c.weight", "F_c.bias")


def repair(
    package: ClonePackage,
    source: nn.Module,
    target: nn.Module,
    samples: Samples,
    *,
    damaged: Iterable[str],
    settings: CloneSettings | None = None,
    seed: int = 0,
    progress: bool = False,
) -> ClonePackage:
    """``package`` with its ``damaged`` tensors of A and F_c learned again; all others keep their bits.

    ``samples`` is D_t, as for ``pnc.clone``. The damaged tensors start as a clone's do, A in closed form and F_c at
    the source's rows, and are fine-tuned with ``settings.insert`` by L_ins (Eq. 7) on D_t alone. The offset δ is kept
    with F_c's bias, and chosen anew where that was damaged. ``provenance`` then says what was ``repaired``.
    Raises PncError for damage outside A and F_c, for other networks, and for samples that do not fit.
    """
    lost = frozenset(damaged)
    if strange := sorted(lost - set(REPAIRABLE)):
        only = f"tensors of A and F_c alone ({', '.join(REPAIRABLE)})"
        raise bad("damage to repair", expected=only, found=", ".join(strange))
    if not lost:
        return package
    with torch.inference_mode(False), torch.enable_grad():
        how = _settings_of(package, settings or CloneSettings())
        task = _task(package, source, target, samples, how, seed)
        candidate = _restarted(package, task, how, lost, seed)
        loss, tail = _learn(candidate, task, how, _shift(package, lost), seed, progress)
        made: dict[str, Any] = {"repaired": sorted(lost), "repair_loss": loss}
        if "F_c.bias" in lost:
            offset = calibrate(candidate, tail, task, how, seed)
            made |= {"delta": offset.delta, "called_new": offset.called_new, "leak": offset.leak}
    info = replace(package.info, provenance={**package.info.provenance, **made})
    learned = {name: tensor.detach().cpu().clone() for name, tensor in _tensors(candidate).items() if name in lost}
    return replace(
        package,
        info=info,
        adapter=_replaced(package.adapter, "A.", learned),
        rows=_replaced(package.rows, "F_c.", learned),
    )


def _settings_of(package: ClonePackage, settings: CloneSettings) -> CloneSettings:
    """``settings`` with what the package's own tensors say about it."""
    shape = package.adapter["weight"].shape
    kernel: Literal["1x1", "3x3"] = "3x3" if len(shape) == 4 and shape[2] == 3 else "1x1"
    return replace(settings, reading=cast(MaskReading, package.info.reading), adapter=kernel)


def _task(
    package: ClonePackage, source: nn.Module, target: nn.Module, samples: Samples, how: CloneSettings, seed: int
) -> CloneTask:
    info = package.info
    wanted = dict(zip(info.classes, info.names, strict=True))
    task, _ = make_task(source, target, samples, wanted, rehearsal=None, settings=how, seed=seed)
    for role, network, own in (("source", task.source, info.source), ("target", task.target, info.target)):
        if (found := fingerprint(network)) != own:
            raise bad(f"{role} network's SHA-256", expected=f"{own} (the package's)", found=found)
    return task


def _restarted(
    package: ClonePackage, task: CloneTask, how: CloneSettings, lost: frozenset[str], seed: int
) -> Candidate:
    """The package's module with what is ``lost`` as it is before learning, and all else frozen."""
    candidate = start(task, how, package.info.position, seed)
    candidate.adapter.size, candidate.adapter.relu = package.info.size, package.info.relu
    candidate.tail.harden(package.masks)
    if package.constants:
        candidate.tail.rescale(package.constants)
    kept = {f"A.{name}": t for name, t in package.adapter.items()}
    kept |= {f"F_c.{name}": t for name, t in package.rows.items()}
    for name, parameter in _tensors(candidate).items():
        parameter.requires_grad_(name in lost)
        if name not in lost:
            parameter.data.copy_(kept[name])
    return candidate


def _tensors(candidate: Candidate) -> dict[str, nn.Parameter]:
    """A and F_c by the names that they have in the file."""
    named = [("A", candidate.adapter.conv), ("F_c", candidate.rows)]
    return {f"{part}.{name}": tensor for part, layer in named for name, tensor in layer.named_parameters()}


def _shift(package: ClonePackage, lost: frozenset[str]) -> float:
    """The offset δ that is in F_c's bias: the answers to learn from are without it."""
    return 0.0 if "F_c.bias" in lost else float(package.info.provenance.get("delta", 0.0))


def _learn(
    candidate: Candidate, task: CloneTask, how: CloneSettings, delta: float, seed: int, progress: bool
) -> tuple[float, nn.Module]:
    """Fine-tune what is not frozen: (the last epoch's loss, the tail that it was learned with)."""
    inputs = _inputs(task, how, seed)
    entering = features(task.target, inputs.pixels, candidate.position)
    evidence = objective.source_scores(inputs.answers, task.classes, how.rest_weight)
    tail = _cut_down(candidate, entering(torch.zeros(1, dtype=torch.long)))

    def loss(indices: Tensor, draws: torch.Generator) -> Tensor:
        del draws
        embedded = tail(candidate.adapter(entering(indices)))
        new = candidate.rows(torch.cat([inputs.embedding[indices], embedded], dim=1)) - delta
        old = inputs.old[indices]
        return objective.joint_distillation(old, new, old, evidence[indices])

    learned = nn.ModuleList([candidate.adapter, candidate.rows])
    groups = [parameter for parameter in learned.parameters() if parameter.requires_grad]
    schedule = how.insert or how.schedule
    history = fit(learned, groups, loss, len(inputs), schedule, seed=seed, label="repair", progress=progress)
    return history[-1][0], tail


def _inputs(task: CloneTask, how: CloneSettings, seed: int) -> Inputs:
    """D_t widened, or as it is where ``how.inputs`` says so, answered by the source."""
    draws, images = generator(seed, "repair"), task.samples
    chosen = rows(len(images), how.inputs_per_epoch, draws)
    plain = Near(images.pixels[chosen], images.labels[chosen], predict(task.source, images.pixels)[chosen])
    return taught(task, images, plain, len(plain), how, draws)


@torch.no_grad()
def _cut_down(candidate: Candidate, entering: Tensor) -> nn.Module:
    """The tail without what M drops; as it is where it cannot be taken apart."""
    try:
        return slice_tail(candidate.tail, candidate.adapter(entering))
    except PncError:
        return candidate.tail


def _replaced(part: Mapping[str, Tensor], prefix: str, learned: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: learned.get(prefix + name, tensor) for name, tensor in part.items()}
