"""``pnc.clone``: from two trained networks and some pictures to a package, in one call."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from pnc.arch import BlockNet, Normalise, as_blocknet
from pnc.arch.twin import Twin
from pnc.base.errors import bad
from pnc.base.images import Images
from pnc.base.splits import holdout
from pnc.cloning.local.local_models import fit_local_models
from pnc.cloning.localize_insert import check_search
from pnc.cloning.package import ClonePackage
from pnc.cloning.search import converged_losses, search
from pnc.cloning.selection import best_position
from pnc.cloning.settings import CloneSettings
from pnc.cloning.task import CloneTask

Samples = Images | Iterable[tuple[Tensor, Tensor]]


def clone(
    source: nn.Module,
    target: nn.Module,
    samples: Samples,
    classes: Mapping[int, str],
    *,
    rehearsal: Samples | None = None,
    settings: CloneSettings | None = None,
    positions: Sequence[int] | None = None,
    seed: int = 0,
    progress: bool = False,
) -> ClonePackage:
    """Clone ``classes`` of ``source`` (output → name) for ``target``; neither network changes.

    ``samples`` is D_t: pictures [n, C, H, W] with the source's labels [n], as Images or as batches (a DataLoader),
    uint8 or floats in [0, 1]; pictures of other classes are refused. ``rehearsal`` is some of D_o with the
    target's labels, needed when ``settings.regime`` is "rehearsal". ``positions`` limits the search over R.
    Raises PncError for input that does not fit.
    """
    settings = settings or CloneSettings()
    task = make_task(source, target, samples, classes, rehearsal=rehearsal, settings=settings, seed=seed)
    check_search(task, settings, range(len(task.target)) if positions is None else positions)
    local_models = fit_local_models(
        task.source, task.pixels, settings.neighbourhood, seed=seed, ridge=settings.ridge, progress=progress
    )
    names = tuple(classes.values())
    packages = search(task, local_models, settings, names, positions=positions, seed=seed, progress=progress)
    return packages[best_position(converged_losses(packages))]


def make_task(
    source: nn.Module,
    target: nn.Module,
    samples: Samples,
    classes: Mapping[int, str],
    *,
    rehearsal: Samples | None,
    settings: CloneSettings,
    seed: int,
) -> CloneTask:
    """Check the input of ``clone`` and hold out what its choices need."""
    teacher, student = _read_only(source), _read_only(target)
    own = dict(enumerate(student.class_names or map(str, range(student.classes))))
    if not classes:
        raise bad("classes to clone", expected="at least one", found="none")
    if overlap := sorted(set(own.values()) & set(classes.values())):
        raise bad("classes to clone (T_s)", expected="names that the target (T_t) lacks", found=overlap)
    if outside := sorted(set(classes) - set(range(teacher.classes))):
        raise bad("classes to clone", expected=f"outputs of the source, 0…{teacher.classes - 1}", found=outside)
    new = holdout(_images(samples, classes, "samples (D_t)"), settings.held_out, seed, "D_t")
    old = None if rehearsal is None else _images(rehearsal, own, "rehearsal samples (D_o)")
    if old is not None and (shape := old.pixels.shape[1:]) != new[0].pixels.shape[1:]:
        raise bad("rehearsal samples (D_o)", expected=f"pictures {list(new[0].pixels.shape[1:])}", found=list(shape))
    parts = (None, None) if old is None else holdout(old, settings.held_out, seed, "D_o")
    task = CloneTask(teacher, student, tuple(classes), *new, *parts)
    for role, network in (("source", teacher), ("target", student)):
        _check_pictures(network, task.samples, role)
    return task


def _read_only(network: nn.Module) -> BlockNet:
    view = Twin(as_blocknet(network)).module
    assert isinstance(view, BlockNet)
    return view


def _images(samples: Samples, classes: Mapping[int, str], what: str) -> Images:
    """``samples`` as Images whose labels are positions in ``classes``."""
    pixels, labels = (samples.pixels, samples.labels) if isinstance(samples, Images) else _gather(samples, what)
    wanted = torch.tensor(list(classes), dtype=torch.int64)
    if strangers := sorted(set(labels.unique().tolist()) - set(classes)):
        raise bad(f"labels of {what}", expected=f"classes out of {list(classes)}", found=strangers)
    if missing := sorted(set(classes) - set(labels.unique().tolist())):
        raise bad(what, expected=f"pictures of each class out of {list(classes)}", found=f"none of {missing}")
    positions = (labels.cpu().unsqueeze(1) == wanted).int().argmax(dim=1)
    return Images(pixels, positions.to(labels.device), tuple(classes.values()))


def _gather(batches: Iterable[tuple[Tensor, Tensor]], what: str) -> tuple[Tensor, Tensor]:
    parts = [_batch(item, what) for item in batches]
    if not parts:
        raise bad(what, expected="at least one batch of (pictures, labels)", found="none")
    pixels, labels = zip(*parts, strict=True)
    if len(shapes := sorted({tuple(part.shape[1:]) for part in pixels})) > 1:
        raise bad(f"pictures of {what}", expected="one size", found=shapes)
    return torch.cat(pixels), torch.cat(labels)


def _batch(item: object, what: str) -> tuple[Tensor, Tensor]:
    match item:
        case [Tensor() as pictures, Tensor() as labels] if pictures.dim() == 4 and labels.shape == pictures.shape[:1]:
            return _as_uint8(pictures, what), labels.long()
    parts = item if isinstance(item, list | tuple) else [item]
    found = [list(part.shape) if isinstance(part, Tensor) else type(part).__name__ for part in parts]
    raise bad(what, expected="batches of pictures [n, C, H, W] and labels [n]", found=found)


def _as_uint8(pictures: Tensor, what: str) -> Tensor:
    if pictures.dtype == torch.uint8:
        return pictures
    expected = "uint8, or floats in [0, 1]"
    if not pictures.is_floating_point():
        raise bad(f"pixels of {what}", expected=expected, found=pictures.dtype)
    if pictures.numel() and not (pictures.min() >= 0 and pictures.max() <= 1):
        found = f"floats in [{float(pictures.min()):g}, {float(pictures.max()):g}]"
        raise bad(f"pixels of {what}", expected=expected, found=found)
    return (pictures * 255).round().to(torch.uint8)


@torch.no_grad()
def _check_pictures(network: BlockNet, samples: Images, role: str) -> None:
    """One picture through the network, so that a wrong size or channel count is named before hours of work."""
    shape = list(samples.pixels.shape[1:])
    for module in network.modules():
        if isinstance(module, Normalise) and len(module.mean) != samples.channels:  # it would broadcast
            raise bad(f"channels of pictures for the {role}", expected=len(module.mean), found=samples.channels)
    try:
        network(samples.pixels[:1].float() / 255)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise bad(f"picture size for the {role}", expected="what it takes", found=f"{shape} ({reason})") from None
