"""Put clones beside a target, take them out again (Eqs. 2 and 5; the paper's 'sustainability')."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from pnc.arch import BlockNet, as_blocknet, fingerprint
from pnc.arch.twin import Twin
from pnc.base.errors import bad
from pnc.cloning.adapter import Adapter
from pnc.cloning.candidate import Candidate, traverse
from pnc.cloning.masks import MaskReading
from pnc.cloning.package import ClonePackage
from pnc.cloning.slicing import slice_tail
from pnc.cloning.tail import MaskedTail


@dataclass(frozen=True, eq=False)
class _Attached:
    """A package with the network it was attached from."""

    package: ClonePackage
    source: nn.Module


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

    @property
    def packages(self) -> tuple[ClonePackage, ...]:
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

    def detach(self, package: ClonePackage | None = None) -> nn.Module:
        """Take ``package`` out again, or all of them: the rest still attached, or the very target once none is.

        Raises PncError if the package is not attached here.
        """
        left = [item for item in self._attached if package is not None and item.package is not package]
        if package is not None and len(left) == len(self._attached):
            raise bad(
                "package to detach", expected=f"one of {[p.info.names for p in self.packages]}", found="another"
            )
        return ClonedModel(self._original[0], left) if left else self._original[0]

    @torch.no_grad()
    def sliced(self, example: Tensor) -> "ClonedModel":
        """The same model with every clone cut down to its kept filters, for pictures of ``example``'s shape."""
        model = ClonedModel(self._original[0], self._attached)
        entering, _ = traverse(self._network, example[:1], {clone.position for clone in self._candidates})
        for clone in model._candidates:
            clone.add_module("tail", slice_tail(clone.tail, clone.adapter(entering[clone.position])))
        return model


def attach(target: nn.Module, source: nn.Module, package: ClonePackage) -> ClonedModel:
    """Plug ``package`` into ``target``, which may itself be a ClonedModel; neither network changes.

    Raises PncError if a fingerprint does not fit (naming both), or a class is there already.
    """
    held = list(target._attached) if isinstance(target, ClonedModel) else []
    original = target._original[0] if isinstance(target, ClonedModel) else target
    _check_fingerprint("target", original, package.info.target)
    _check_fingerprint("source", source, package.info.source)
    known = {*_own_classes(as_blocknet(original)), *(name for item in held for name in item.package.info.names)}
    if doubled := sorted(known & set(package.info.names)):
        raise bad("classes to attach", expected="names the target does not have", found=doubled)
    return ClonedModel(original, [*held, _Attached(package, source)])


def _own_classes(target: BlockNet) -> tuple[str, ...]:
    return target.class_names or tuple(str(index) for index in range(target.classes))


def _check_fingerprint(role: str, network: nn.Module, expected: str) -> None:
    found = fingerprint(network)
    if found != expected:
        raise bad(f"{role} network's SHA-256", expected=f"{expected} (the package's)", found=found)


def _candidate(item: _Attached, target: BlockNet) -> Candidate:
    """The package's module, rebuilt on a read-only twin of its source."""
    package, source = item.package, as_blocknet(item.source)
    info = package.info
    if not 0 <= info.position < len(target):
        raise bad("position R", expected=f"a block of the target, 0…{len(target) - 1}", found=info.position)
    tail = MaskedTail(source, info.source_position, 1.0, cast(MaskReading, info.reading)).harden(package.masks)
    tail.rescale(package.constants)
    leaving, entering, kernel, _ = package.adapter["weight"].shape
    new, width = package.rows["weight"].shape
    with torch.random.fork_rng(devices=[]):
        adapter, rows = Adapter(entering, leaving, info.size, info.relu, kernel), nn.Linear(width, new)
    adapter.conv.load_state_dict(dict(package.adapter))
    rows.load_state_dict(dict(package.rows))
    device = next(target.parameters()).device
    return Candidate(info.position, adapter, tail, rows).requires_grad_(False).to(device)
