"""Put clones beside a target, take them out again (Eqs. 2 and 5; the paper's 'sustainability')."""

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from pnc.arch import BlockNet, as_blocknet, fingerprint, unwrapped
from pnc.arch.twin import Twin, may_write
from pnc.base.errors import bad
from pnc.cloned._watch import Watch
from pnc.cloned.export import AnyPackage, Format, ModulePackage, write_export, write_module
from pnc.cloned.joint import joint_offsets
from pnc.cloning.adapter import Adapter
from pnc.cloning.candidate import Candidate, traverse
from pnc.cloning.masks import MaskReading
from pnc.cloning.networks import check_kind, device_of
from pnc.cloning.notice import notice
from pnc.cloning.package import ClonePackage
from pnc.cloning.slicing import slice_tail
from pnc.cloning.tail import MaskedTail

if TYPE_CHECKING:
    from pnc.cloned.interference import Limit


@dataclass(frozen=True, eq=False)
class _Attached:
    """A package with its source, or with M_f already sliced, ``tail``, which then takes the source's place."""

    package: AnyPackage
    source: nn.Module | None
    tail: nn.Module | None = None


class ClonedModel(nn.Module):
    """M_c: the target with clones beside it, pictures [N, C, H, W] → logits [N, |T_t| + Σ |T_s|].

    The target's own logits come first and are exactly its own; each package's classes follow in the order in
    which they were attached. Where it is ``joint``, they have the offsets that put the packages on one scale
    (pnc.cloned.joint).

    Nothing that is called on it changes either network. It computes on their weights without holding a memory of its
    own for them, as long as nobody reaches for its insides. Whatever does (``parameters``, ``state_dict``, ``to``,
    ``apply``, ``target``, an optimiser) finds copies, made at that moment, on which it computes from then on.
    docs/guarantees.md has the details and the costs.
    """

    def __init__(self, target: nn.Module, attached: Sequence[_Attached], joint: bool = False) -> None:
        super().__init__()
        # Kept out of nn.Module's registry, so that no method of nn.Module ever reaches an original or its weights.
        self._original = (target,)
        self._attached = tuple(attached)
        self.joint = joint
        self._shared: tuple[nn.Module, ...] = (_assemble(target, attached, joint),)
        self._watches = _watches(target, attached)
        self.training = False

    # Whatever nn.Module does with submodules goes through ``_modules``, and so gets the copies.

    @property
    def _modules(self) -> dict[str, nn.Module | None]:
        self._unshare()
        return self.__dict__["_modules"]

    @_modules.setter
    def _modules(self, modules: dict[str, nn.Module | None]) -> None:
        self.__dict__["_modules"] = modules

    def __getattr__(self, name: str) -> Any:
        if name in ("target", "clones"):
            self._unshare()
        return super().__getattr__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, nn.Module):
            self._unshare()
        super().__setattr__(name, value)

    def _unshare(self) -> None:
        """From now on compute on copies; raises PncError if there is nothing right to copy any more."""
        if not self.__dict__.get("_shared"):
            return
        for watch in self._watches:
            watch.verify()
        with torch.inference_mode(False):
            own = copy.deepcopy(self._shared[0])
        self.__dict__["_modules"].update(own._modules)
        self._shared = ()

    def _running(self) -> nn.Module:
        """What holds ``target`` and ``clones``: this model, or the parts that share their weights."""
        if not self._shared:
            return self
        for watch in self._watches:
            watch.look()
        return self._shared[0]

    def _parts(self) -> tuple[BlockNet, list[Candidate]]:
        running = self._running()
        candidates = list(cast(nn.ModuleList, running.clones))
        return cast(BlockNet, cast(Twin, running.target).module), cast(list[Candidate], candidates)

    def train(self, mode: bool = True) -> "ClonedModel":
        """Set the flag. Both networks stay in eval mode: training would overwrite batch statistics."""
        if not self._shared:
            return super().train(mode)
        self.training = mode
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "ClonedModel":
        """A model with weights of its own; it can be detached from the very same target."""
        same = (self._original, self._attached, self._watches)
        memo.update({id(each): each for each in same})
        modules = {**self.__dict__["_modules"], **self._running().__dict__["_modules"]}
        copied = memo[id(self)] = type(self).__new__(type(self))
        with torch.inference_mode(False):
            copied.__dict__.update(copy.deepcopy({**self.__dict__, "_shared": (), "_modules": modules}, memo))
        return copied

    def __getstate__(self) -> dict[str, Any]:
        for watch in self._watches:
            watch.verify()
        return cast(dict[str, Any], super().__getstate__())

    def __repr__(self) -> str:
        clones = [f"{', '.join(package.info.names)} at R = {package.info.position}" for package in self.packages]
        return f"{type(self).__name__}({type(self.original).__name__}; {'; '.join(clones)})"

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), "target", "clones"})

    @property
    def original(self) -> nn.Module:
        """The very target that was given, as ``detach`` hands it back."""
        return self._original[0]

    @property
    def packages(self) -> tuple[AnyPackage, ...]:
        return tuple(item.package for item in self._attached)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of all outputs; the target's are numbers where it does not name them."""
        own = _own_classes(as_blocknet(self.original))
        return own + tuple(name for package in self.packages for name in package.info.names)

    def forward(self, x: Tensor) -> Tensor:
        """Logits. Raises PncError once the owner of either network has changed it, see docs/guarantees.md."""
        network, candidates = self._parts()
        entering, embedding = traverse(network, x, {clone.position for clone in candidates})
        new = [clone(entering[clone.position], embedding) for clone in candidates]
        return torch.cat([network.head(embedding), *new], dim=1)

    def detach(self, package: AnyPackage | str | Path | None = None) -> nn.Module:
        """Take ``package`` out again, or all of them: the rest still attached, or the very target once none is.

        A package may be given as itself or an equal one, by the name of one of its classes, by the SHA-256 of its
        file, or by that file's path. Warns if the target's owner changed it. Raises PncError if the package is not
        attached here, or if others are left and a network or this model's copies of them were changed.
        """
        left: list[_Attached] = [] if package is None else self._without(package)
        if left:
            self._check_unchanged("detach one package from")
            return ClonedModel(self.original, left, self.joint)
        if (change := self._watches[0].change()) is not None:
            notice(str(change))
        return self.original

    def _without(self, package: AnyPackage | str | Path) -> list[_Attached]:
        content = _load(package)._serialise() if isinstance(package, AnyPackage | Path) else b""
        for item in self._attached:
            own = item.package._serialise()
            named = isinstance(package, str) and package in (
                *item.package.info.names,
                hashlib.sha256(own).hexdigest(),
            )
            if item.package is package or named or own == content:
                return [other for other in self._attached if other is not item]
        expected = f"one of {[package.info.names for package in self.packages]}"
        raise bad("package to detach", expected=expected, found=repr(package) if not content else "another")

    def _check_unchanged(self, what: str) -> None:
        """Raise PncError if ``what`` is to be done, from the packages, to a model that differs from them."""
        for watch in self._watches:
            watch.verify()
        if self._shared:
            return
        fresh, own = (
            {name: tensor for name, tensor in module.state_dict().items() if ".tail." not in name}
            for module in (_assemble(self.original, self._attached, self.joint), self)
        )
        changed = [name for name in fresh if name not in own or not _equal(own[name], fresh[name])]
        if changed:
            expected = "its weights as they were attached (detach() gives the target back)"
            raise bad(f"model to {what}", expected=expected, found=f"others, first '{changed[0]}'")

    @torch.inference_mode(False)
    def calibrated(self, joint: bool) -> "ClonedModel":
        """The same clones, each calibrated across all of them (``joint``), or against the target alone.

        Raises PncError if a package carries no quantiles, or if a network or this model's copies were changed.
        """
        self._check_unchanged("calibrate anew")
        return ClonedModel(self.original, self._attached, joint)

    @torch.no_grad()
    def sliced(self, example: Tensor) -> "ClonedModel":
        """The same model with every clone cut down to its kept filters, for pictures of ``example``'s shape.

        It stays sliced when packages are attached to it or taken out.
        """
        for watch in self._watches:
            watch.verify()
        model = ClonedModel(self.original, self._attached, self.joint) if self._shared else copy.deepcopy(self)
        network, clones = model._parts()
        entering, _ = traverse(network, example[:1], {clone.position for clone in clones})
        for clone in clones:
            if isinstance(clone.tail, MaskedTail):
                clone.add_module("tail", slice_tail(clone.tail, clone.adapter(entering[clone.position])))
        pairs = zip(model._attached, clones, strict=True)
        model._attached = tuple(replace(item, tail=Twin(clone.tail).module) for item, clone in pairs)
        return model

    def export(self, path: str | Path, example: Tensor, format: Format | None = None) -> None:
        """Write the whole model, without the source, as one file; see ``pnc.cloned.export.write_export``."""
        write_export(path, self, example, format)

    def export_module(self, path: str | Path, package: AnyPackage | None = None) -> None:
        """Write one clone, for whoever has the target; see ``pnc.cloned.export.write_module``.

        Joint offsets stay here: the file has what they are made of, for the receiver's own set of packages.
        """
        write_module(path, self.calibrated(joint=False) if self.joint else self, package)


@torch.inference_mode(False)
def attach(
    target: nn.Module,
    source: nn.Module,
    package: ClonePackage | str | Path,
    *,
    joint: bool | None = None,
    limit: "Limit | None" = None,
) -> ClonedModel:
    """Plug ``package``, or the one in that file, into ``target``, which may itself be a ClonedModel.

    ``joint``: calibrate all packages across each other (pnc.cloned.joint), not each against the target alone; if
    not said, as the target is. Past the ``limit`` on what packages take from other classes, attaching is refused or
    warned about. Neither network changes. Raises PncError for networks that pnc does not know, a class that is there
    already, or a fingerprint that does not fit (naming both).
    """
    check_kind(source, "source")
    return _plugged(target, _Attached(_load(package), source), joint, limit)


@torch.inference_mode(False)
def attach_module(
    target: nn.Module,
    module: str | Path | ModulePackage,
    *,
    joint: bool | None = None,
    limit: "Limit | None" = None,
) -> ClonedModel:
    """Plug a clone without its source into ``target``: a file that ``export_module`` wrote, or what it holds.

    Otherwise as ``attach``. Raises PncError if the file is damaged or the target's fingerprint does not fit.
    """
    package = module if isinstance(module, ModulePackage) else ModulePackage.load(module)
    return _plugged(target, _Attached(package, None, package.tail), joint, limit)


def _plugged(target: nn.Module, item: _Attached, joint: bool | None, limit: "Limit | None") -> ClonedModel:
    package = item.package
    inner = unwrapped(target) if isinstance(target, nn.Module) else target
    model = inner if isinstance(inner, ClonedModel) else None
    original, held = (target, ()) if model is None else (model.original, model._attached)
    check_kind(original, "target")
    known = {*_own_classes(as_blocknet(original)), *(name for item in held for name in item.package.info.names)}
    if doubled := sorted(known & set(package.info.names)):
        raise bad("classes to attach", expected="names the target does not have", found=doubled)
    if model is not None:
        model._check_unchanged("attach another package to")
    _check_fingerprints(original, item.source, package)
    made = ClonedModel(original, [*held, item], model is not None and model.joint if joint is None else joint)
    if limit is not None:
        limit.check(made)
    return made


def _load(package: AnyPackage | str | Path) -> AnyPackage:
    if isinstance(package, AnyPackage):
        return package
    if not isinstance(package, str | Path):
        raise bad("package", expected="a ClonePackage or the path of one", found=type(package).__name__)
    return ClonePackage.load(package)


def _own_classes(target: BlockNet) -> tuple[str, ...]:
    return target.class_names or tuple(str(index) for index in range(target.classes))


def _check_fingerprints(target: nn.Module, source: nn.Module | None, package: AnyPackage) -> None:
    expected = [package.info.target, package.info.source]
    found = [fingerprint(network) for network in (target, source) if network is not None]
    for role, own, other in zip(("target", "source"), expected, found, strict=False):
        if own != other:
            swapped = " (are target and source swapped?)" if found == expected[::-1] else ""
            raise bad(f"{role} network's SHA-256", expected=f"{own} (the package's)", found=f"{other}{swapped}")


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.device == other.device and one.dtype == other.dtype and torch.equal(one, other)


def _watches(target: nn.Module, attached: Sequence[_Attached]) -> tuple[Watch, ...]:
    """One for each network."""
    found = [Watch("target", unwrapped(target), attached[0].package.info.target)]
    for source, item in {id(item.source): (item.source, item) for item in attached}.values():
        if source is not None:
            found.append(Watch("source", unwrapped(source), item.package.info.source))
    return tuple(found)


def _assemble(target: nn.Module, attached: Sequence[_Attached], joint: bool) -> nn.Module:
    """``target`` and ``clones`` on the originals' weights, or on copies of those that running them might change."""
    parts = nn.Module()
    parts.target = _protected(target)
    network = cast(BlockNet, parts.target.module)
    offsets = joint_offsets([item.package for item in attached]) if joint else [0.0] * len(attached)
    parts.clones = nn.ModuleList(map(_candidate, attached, [network] * len(attached), offsets))
    return parts.eval()


def _protected(network: nn.Module) -> Twin:
    view = as_blocknet(network)
    return Twin(view, own=may_write(view))


def _candidate(item: _Attached, target: BlockNet, offset: float) -> Candidate:
    """The package's module, rebuilt on a read-only twin of its source, or on the kept filters alone."""
    package, info = item.package, item.package.info
    if not 0 <= info.position < len(target):
        raise bad("position R", expected=f"a block of the target, 0…{len(target) - 1}", found=info.position)
    leaving, entering, kernel, _ = package.adapter["weight"].shape
    new, width = package.rows["weight"].shape
    with torch.random.fork_rng(devices=[]):
        adapter, rows = Adapter(entering, leaving, info.size, info.relu, kernel), nn.Linear(width, new)
    adapter.conv.load_state_dict(dict(package.adapter))
    bias = package.rows["bias"] + offset if offset else package.rows["bias"]  # −0.0 + 0.0 has other bits
    rows.load_state_dict({**package.rows, "bias": bias})
    tail = _masked(item) if item.tail is None else Twin(item.tail).module.to(rows.weight.dtype)
    clone = Candidate(info.position, adapter, cast(MaskedTail, tail), rows).requires_grad_(False)
    return clone.to(device_of(target))


def _masked(item: _Attached) -> MaskedTail:
    package, info = item.package, item.package.info
    assert isinstance(package, ClonePackage) and item.source is not None
    source = cast(BlockNet, _protected(item.source).module)
    tail = MaskedTail(source, info.source_position, 1.0, cast(MaskReading, info.reading))
    return tail.harden(package.masks).rescale(package.constants)
