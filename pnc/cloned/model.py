"""Put clones beside a target, take them out again (Eqs. 2 and 5; the paper's 'sustainability')."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from pnc.arch import BlockNet, as_blocknet, fingerprint
from pnc.arch.twin import Twin
from pnc.base.errors import bad
from pnc.cloned.export import AnyPackage, Format, ModulePackage, write_export, write_module
from pnc.cloned.slicing import slice_clone
from pnc.cloning.adapter import Adapter
from pnc.cloning.candidate import Candidate, traverse
from pnc.cloning.masks import MaskReading
from pnc.cloning.package import ClonePackage
from pnc.cloning.tail import MaskedTail


@dataclass(frozen=True, eq=False)
class _Attached:
    """A package with its source, or with M_f already sliced, ``tail``, which then takes the source's place."""

    package: AnyPackage
    source: nn.Module | None
    tail: nn.Module | None = None


class ClonedModel(nn.Module):
    """M_c: the target with clones beside it, pictures [N, C, H, W] → logits [N, |T_t| + Σ |T_s|].

    The target's own logits come first and are exactly its own; each package's classes follow in the order in
    which they were attached. Both networks run as read-only twins: nothing that is called here changes them.
    """

    def __init__(self, target: nn.Module, attached: Sequence[_Attached]) -> None:
        super().__init__()
        # Kept out of nn.Module's registry, so that .train(), .to() and optimisers never reach the original.
        self._original = (target,)
        self._attached = tuple(attached)
        self.target = Twin(as_blocknet(target))
        self.clones = nn.ModuleList(_candidate(item, self._network) for item in attached)
        self.eval()

    @property
    def _network(self) -> BlockNet:
        return cast(BlockNet, self.target.module)

    @property
    def _candidates(self) -> list[Candidate]:
        return cast(list[Candidate], list(self.clones))

    def _parts(self) -> tuple[BlockNet, list[Candidate]]:
        return self._network, self._candidates

    @property
    def packages(self) -> tuple[AnyPackage, ...]:
        return tuple(item.package for item in self._attached)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of all outputs; the target's are numbers where it does not name them."""
        return _own_classes(self._network) + tuple(name for package in self.packages for name in package.info.names)

    def forward(self, x: Tensor) -> Tensor:
        network = self._network
        entering, embedding = traverse(network, x, {clone.position for clone in self._candidates})
        new = [clone(entering[clone.position], embedding) for clone in self._candidates]
        return torch.cat([network.head(embedding), *new], dim=1)

    def detach(self, package: AnyPackage | None = None) -> nn.Module:
        """Take ``package`` out again, or all of them: the rest still attached, or the very target once none is.

        Raises PncError if the package is not attached here.
        """
        left = [item for item in self._attached if package is not None and item.package is not package]
        if package is not None and len(left) == len(self._attached):
            raise bad(
                "package to detach", expected=f"one of {[p.info.names for p in self.packages]}", found="another"
            )
        return self._with(left) if left else self._original[0]

    @torch.no_grad()
    def sliced(self, example: Tensor) -> "ClonedModel":
        """The same model with every clone cut down to its kept filters, for pictures of ``example``'s shape.

        It stays sliced when packages are attached to it or taken out.
        """
        entering, _ = traverse(self._network, example[:1], {clone.position for clone in self._candidates})
        clones = [slice_clone(clone, entering[clone.position]) for clone in self._candidates]
        items = [replace(item, tail=clone.tail) for item, clone in zip(self._attached, clones, strict=True)]
        model = ClonedModel(self._original[0], items)
        model.target, model.clones = Twin(self._network), nn.ModuleList(clones)
        return model

    def _with(self, attached: Sequence[_Attached]) -> "ClonedModel":
        """The same target with other packages, of the type and at the place that this model has."""
        model = ClonedModel(self._original[0], attached)
        own, like = (next(each.parameters()) for each in (model, self))
        return model if (own.dtype, own.device) == (like.dtype, like.device) else model.to(like)

    def export(self, path: str | Path, example: Tensor, format: Format | None = None) -> None:
        """Write the whole model, without the source, as one file; see ``pnc.cloned.export.write_export``."""
        write_export(path, self, example, format)

    def export_module(self, path: str | Path, package: AnyPackage | None = None) -> None:
        """Write one clone, for whoever has the target; see ``pnc.cloned.export.write_module``."""
        write_module(path, self, package)


def attach(target: nn.Module, source: nn.Module, package: ClonePackage) -> ClonedModel:
    """Plug ``package`` into ``target``, which may itself be a ClonedModel; neither network changes.

    Raises PncError if a fingerprint does not fit (naming both), or a class is there already.
    """
    _check_fingerprint("source", source, package.info.source)
    return _plugged(target, _Attached(package, source))


def attach_module(target: nn.Module, module: str | Path | ModulePackage) -> ClonedModel:
    """Plug a clone without its source into ``target``: a file that ``export_module`` wrote, or what it holds.

    Otherwise as ``attach``. Raises PncError if the file is damaged or the target's fingerprint does not fit.
    """
    package = module if isinstance(module, ModulePackage) else ModulePackage.load(module)
    return _plugged(target, _Attached(package, None, package.tail))


def _plugged(target: nn.Module, item: _Attached) -> ClonedModel:
    """``target`` with ``item``. Raises PncError if it was not made for ``target``, or names a class that is there."""
    original = _original(target)
    _check_fingerprint("target", original, item.package.info.target)
    held = target._attached if isinstance(target, ClonedModel) else ()
    known = {*_own_classes(as_blocknet(original)), *(name for each in held for name in each.package.info.names)}
    if doubled := sorted(known & set(item.package.info.names)):
        raise bad("classes to attach", expected="names the target does not have", found=doubled)
    return target._with([*held, item]) if isinstance(target, ClonedModel) else ClonedModel(target, [item])


def _original(target: nn.Module) -> nn.Module:
    return target._original[0] if isinstance(target, ClonedModel) else target


def _own_classes(target: BlockNet) -> tuple[str, ...]:
    return target.class_names or tuple(str(index) for index in range(target.classes))


def _check_fingerprint(role: str, network: nn.Module, expected: str) -> None:
    found = fingerprint(network)
    if found != expected:
        raise bad(f"{role} network's SHA-256", expected=f"{expected} (the package's)", found=found)


def _candidate(item: _Attached, target: BlockNet) -> Candidate:
    """The package's module, rebuilt on a read-only twin of its source."""
    package, info = item.package, item.package.info
    if not 0 <= info.position < len(target):
        raise bad("position R", expected=f"a block of the target, 0…{len(target) - 1}", found=info.position)
    leaving, entering = package.adapter["weight"].shape[:2]
    new, width = package.rows["weight"].shape
    with torch.random.fork_rng(devices=[]):
        adapter, rows = Adapter(entering, leaving, info.size, info.relu), nn.Linear(width, new)
    adapter.conv.load_state_dict(dict(package.adapter))
    rows.load_state_dict(dict(package.rows))
    tail = _masked(item) if item.tail is None else Twin(item.tail).module.to(rows.weight.dtype)
    clone = Candidate(info.position, adapter, cast(MaskedTail, tail), rows).requires_grad_(False)
    return clone.to(next(target.parameters()).device)


def _masked(item: _Attached) -> MaskedTail:
    package, info = item.package, item.package.info
    assert isinstance(package, ClonePackage) and item.source is not None
    tail = MaskedTail(as_blocknet(item.source), info.source_position, 1.0, cast(MaskReading, info.reading))
    return tail.harden(package.masks)
