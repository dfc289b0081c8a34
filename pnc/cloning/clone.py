"""``pnc.clone``: from two trained networks and some pictures to a package, in one call."""

import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from pnc.arch import BlockNet, Normalise, as_blocknet, fingerprint, unwrapped
from pnc.arch.twin import Twin, may_write
from pnc.base.errors import bad
from pnc.base.images import Images, as_float
from pnc.base.splits import holdout
from pnc.base.train import Checkpoint
from pnc.cloning._request import Classes, SettingsLike, read_classes, read_settings
from pnc.cloning._samples import Samples, as_images
from pnc.cloning.candidate import source_position
from pnc.cloning.local.local_models import fit_local_models
from pnc.cloning.local.passes import passes
from pnc.cloning.localize_insert import check_search
from pnc.cloning.networks import check_kind, check_values, device_of, unreachable
from pnc.cloning.notice import notice
from pnc.cloning.package import ClonePackage
from pnc.cloning.positions import usable_positions
from pnc.cloning.search import converged_losses, search
from pnc.cloning.selection import best_position
from pnc.cloning.settings import CloneSettings
from pnc.cloning.task import CloneTask

LEAK = 0.03  # the share of T_t's pictures that a clone may be expected to take without a warning


def clone(
    source: nn.Module,
    target: nn.Module,
    samples: Samples,
    classes: Classes,
    *,
    rehearsal: Samples | None = None,
    settings: SettingsLike | None = None,
    positions: Sequence[int] | Literal["all"] | None = None,
    seed: int = 0,
    checkpoints: str | Path | None = None,
    progress: bool | None = None,
) -> ClonePackage:
    """Clone ``classes`` of ``source`` (output → name) for ``target``; neither network changes.

    ``classes`` may also be a list of outputs, or of names that the source has for them. ``samples`` is D_t: pictures
    [n, C, H, W] with the source's labels [n], as Images or as batches (a DataLoader), uint8 or floats in [0, 1];
    pictures of other classes are refused. ``rehearsal`` is some of D_o with the target's labels: given, it makes the
    regime "rehearsal", unless ``settings`` (also a mapping, or a JSON file's path) say otherwise, which is refused.

    R is searched from L − 1 on, until one converges worse than those before it: the early ones take most of the time,
    and are seldom chosen. ``positions`` are those to search, or "all" of them, as Algorithm 1 has it.

    The work is done where the target lies. ``checkpoints`` is a folder where work that is cut off goes on when it is
    called again with the same input. ``progress`` is shown on a terminal if not said. The ``provenance`` of a package
    says how accurate the source is on D_t, in per cent, and under "searched" how every R went: its converged loss,
    held-out accuracy, δ and expected leak.

    Raises PncError for input that does not fit. Warns where the source answers a class's pictures with other classes
    alone, where it has filters that M cannot choose among, and where T_t is expected to lose much to T_s.
    """
    with torch.inference_mode(False), torch.enable_grad():
        chosen = read_settings(settings, rehearsal is not None)
        task, names = make_task(source, target, samples, classes, rehearsal=rehearsal, settings=chosen, seed=seed)
        chosen = chosen.on(task.samples.pixels.device)
        searched = usable_positions(task) if positions is None or positions == "all" else positions
        check_search(task, chosen, searched)
        _warn_of_unmasked(task, searched)
        right = _source_accuracy(task, names)
        shown = bool(sys.stderr and sys.stderr.isatty()) if progress is None else progress
        local_models = fit_local_models(
            task.source,
            task.pixels,
            chosen.neighbourhood,
            seed=seed,
            ridge=chosen.ridge,
            precision=chosen.precision,
            progress=shown,
        )
        with _unfinished(checkpoints, task, chosen, seed) as kept:
            packages = search(
                task,
                local_models,
                chosen,
                names,
                positions=searched,
                seed=seed,
                until_worse=positions is None,
                checkpoint=kept,
                progress=shown,
            )
        best = packages[best_position(converged_losses(packages))]
        provenance = {**best.info.provenance, "source_accuracy": right, "searched": _searched(packages)}
        _warn_of_leak(provenance["leak"], names)
        return replace(best, info=replace(best.info, provenance=provenance))


@contextmanager
def _unfinished(
    folder: str | Path | None, task: CloneTask, settings: CloneSettings, seed: int
) -> Iterator[Checkpoint | None]:
    """Where work on this very input is kept in ``folder`` until it is through."""
    if folder is None:
        yield None
        return
    pictures = [images.sha256() for images in (task.samples, task.held_out, task.rehearsal) if images is not None]
    networks = [fingerprint(network) for network in (task.source, task.target)]
    key = hashlib.sha256(repr((networks, pictures, task.classes, settings, seed)).encode()).hexdigest()[:16]
    yield Checkpoint(Path(folder) / f"{key}.pt")
    for path in Path(folder).glob(f"{key}-*.pt"):
        path.unlink()


def _searched(packages: Mapping[int, ClonePackage]) -> dict[str, dict[str, Any]]:
    kept = ("loss", "accuracy", "delta", "leak")
    return {str(R): {key: package.info.provenance[key] for key in kept} for R, package in packages.items()}


def _warn_of_leak(share: float, names: tuple[str, ...]) -> None:
    """Say so where the target is expected to lose more than a few of its own pictures to what was cloned."""
    if share > LEAK:
        notice(
            f"{', '.join(names)}: to the target these look like classes of its own, so that about {100 * share:.0f} %"
            " of its pictures are expected to be called one of them; samples of its classes (rehearsal) would help"
        )


def make_task(
    source: nn.Module,
    target: nn.Module,
    samples: Samples,
    classes: Classes,
    *,
    rehearsal: Samples | None,
    settings: CloneSettings,
    seed: int,
) -> tuple[CloneTask, tuple[str, ...]]:
    """Check the input of ``clone`` and hold out what its choices need; also the names of the cloned classes."""
    target, further = _without_clones(target)
    for role, network in (("source", source), ("target", target)):
        check_kind(network, role)
        check_values(network, role)
    device = device_of(target)
    teacher, student = _read_only(source, device), _read_only(target, device)
    own = dict(enumerate(student.class_names or map(str, range(student.classes))))
    taken: dict[str, int | None] = dict.fromkeys(further) | {name: output for output, name in own.items()}
    wanted = read_classes(classes, teacher, taken)
    d_t = as_images(samples, wanted, "samples (D_t)", device)
    _check_grid(settings.neighbourhood.grid, d_t)
    new = holdout(d_t, settings.held_out, seed, "D_t")
    old = None if rehearsal is None else as_images(rehearsal, own, "rehearsal samples (D_o)", device)
    if old is not None and (shape := old.pixels.shape[1:]) != d_t.pixels.shape[1:]:
        raise bad("rehearsal samples (D_o)", expected=f"pictures {list(d_t.pixels.shape[1:])}", found=list(shape))
    parts = (None, None) if old is None else holdout(old, settings.held_out, seed, "D_o")
    task = CloneTask(teacher, student, tuple(wanted), *new, *parts)
    for role, view in (("source", teacher), ("target", student)):
        _check_pictures(view, task.samples, role)
    return task, tuple(wanted.values())


def _without_clones(target: nn.Module) -> tuple[nn.Module, tuple[str, ...]]:
    """The target under a ClonedModel, and the names of the classes that are attached to it already."""
    inner = unwrapped(target) if isinstance(target, nn.Module) else target
    packages = getattr(inner, "packages", None)
    if not isinstance(packages, tuple):  # pnc.cloned.ClonedModel cannot be imported here
        return target, ()
    return cast(nn.Module, inner.original), tuple(name for package in packages for name in package.info.names)


def _read_only(network: nn.Module, device: torch.device) -> BlockNet:
    view = as_blocknet(network)
    return cast(BlockNet, Twin(view, own=may_write(view)).module.to(device))


def _check_grid(grid: int, images: Images) -> None:
    height, width = images.pixels.shape[-2:]
    if height % grid or width % grid:
        expected = f"a divisor of the pictures' {height}×{width} pixels"
        raise bad("settings.neighbourhood.grid", expected=expected, found=grid)


@torch.no_grad()
def _check_pictures(network: BlockNet, samples: Images, role: str) -> None:
    """One picture through the network, so that a wrong size or channel count is named before hours of work."""
    shape = list(samples.pixels.shape[1:])
    for module in network.modules():
        if isinstance(module, Normalise) and len(module.mean) != samples.channels:  # it would broadcast
            raise bad(f"channels of pictures for the {role}", expected=len(module.mean), found=samples.channels)
    before = fingerprint(network)
    what, expected = f"a picture {shape} through the {role} network", f"logits [1, {network.classes}]"
    try:
        logits = network(as_float(samples.pixels[:1]))
    except Exception as error:  # a block may raise whatever it likes
        reason = next(iter(str(error).splitlines()), "")
        raise bad(what, expected=expected, found=f"{type(error).__name__}: {reason}") from None
    if not isinstance(logits, Tensor) or logits.shape != (1, network.classes):
        found = list(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise bad(what, expected=expected, found=found)
    if fingerprint(network) != before:
        raise bad(f"{role} network", expected="weights that stay when it is run", found="layers that write to theirs")


def _warn_of_unmasked(task: CloneTask, positions: Sequence[int]) -> None:
    first = min(source_position(position, len(task.target), len(task.source)) for position in positions)
    found = unreachable(nn.ModuleDict({str(i): task.source.blocks[i] for i in range(first, len(task.source))}))
    if found:
        more = f" and {len(found) - 4} more" if len(found) > 4 else ""
        notice(f"the source's blocks: M cannot choose among all filters, it keeps {', '.join(found[:4])}{more} whole")


@torch.no_grad()
def _source_accuracy(task: CloneTask, names: Sequence[str]) -> float:
    """Per cent of D_t that the source, over all its outputs, answers with its label."""
    labels = torch.cat([task.samples.labels, task.held_out.labels])
    answers = torch.cat([task.source(as_float(part)).argmax(1) for part in passes(task.source, task.pixels, 500)])
    right = answers == torch.tensor(task.classes, device=labels.device)[labels]
    accuracy = 100 * float(right.double().mean())
    if never := [name for index, name in enumerate(names) if not right[labels == index].any()]:
        notice(
            f"samples (D_t): the source never answers {', '.join(never)} on their own pictures; its accuracy on all "
            f"of D_t is {accuracy:.1f} % (are the labels the source's, and source and target in their places?)"
        )
    return accuracy
