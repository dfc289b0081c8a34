"""A clone alone, for whoever has the target and not the source: kept filters, A and F_c in one safetensors file."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from pnc.arch import fingerprint
from pnc.base.errors import bad
from pnc.base.files import replacing
from pnc.base.mapping import from_mapping
from pnc.base.seeds import generator
from pnc.base.tensors import read_tensors
from pnc.cloned.export._graph import exported_program, gathering
from pnc.cloned.export._program import Listing, Program, list_program
from pnc.cloned.export._verify import verify
from pnc.cloned.export.exported import UNREADABLE, check_kind
from pnc.cloning.package import ClonePackage, Package, PackageInfo, check_format, group
from pnc.cloning.slicing import slice_tail
from pnc.cloning.tail import MaskedTail

if TYPE_CHECKING:
    from pnc.cloned.model import ClonedModel

KIND = "clone alone"


@dataclass(frozen=True, eq=False)
class ModulePackage(Package):
    """{M_f, R, A, F_c}: a package with the filters that M keeps in the source's place.

    ``kept`` are M_f's tensors and ``listing`` what is done with them; all else is as in ``ClonePackage``.
    """

    adapter: Mapping[str, Tensor]
    rows: Mapping[str, Tensor]
    kept: Mapping[str, Tensor]
    listing: Listing
    quantiles: Mapping[str, Tensor] = field(default_factory=dict)

    @cached_property
    def tail(self) -> Program:
        """M_f: features [N, C_s, H, W] → embedding [N, d_s]."""
        return Program(self.listing, self.kept, "features of a clone alone")

    @staticmethod
    def load(path: str | Path) -> "ModulePackage":
        """Read what ``save`` wrote. Raises PncError, one line, if it is missing, damaged or another file."""
        tensors, notes = read_tensors(path)
        check_kind(path, notes, KIND)
        adapter, rows, kept, quantiles = (group(tensors, name) for name in ("A", "F_c", "M_f", "q"))
        try:
            info = from_mapping(PackageInfo, notes["info"], "info")
            check_format(info)
            package = ModulePackage(info, adapter, rows, kept, notes["program"], quantiles)
            _ = package.tail
        except UNREADABLE as error:
            raise bad(str(path), expected="a clone that this version of pnc can run", found=error) from None
        return package

    def _groups(self) -> dict[str, Mapping[str, Tensor]]:
        return {"A": self.adapter, "F_c": self.rows, "M_f": self.kept, "q": self.quantiles}

    def _notes(self) -> dict[str, Any]:
        return {"kind": KIND, "program": self.listing}


AnyPackage = ClonePackage | ModulePackage


def write_module(path: str | Path, cloned: "ClonedModel", package: AnyPackage | None = None) -> None:
    """Write the kept filters, A and F_c of one ``package`` of ``cloned``, by default of the only one.

    Before the file takes its place it is read back, and its filters are asked about random features at the place
    where the source's own enter. Raises PncError, and leaves ``path`` as it was, if an answer differs from the masked
    source's by more than 1e-5 (of the largest value, if that is above 1), if ``package`` is not attached or not named
    where there are several, or if the target's weights are no longer those that it was made for.
    """
    index = _index(cloned.packages, package)
    network, candidates = cloned._parts()
    info, clone = cloned.packages[index].info, copy.deepcopy(candidates[index]).cpu()
    if (found := fingerprint(network)) != info.target:
        raise bad("target network's SHA-256", expected=f"{info.target} (the package's)", found=found)
    shape = (clone.adapter.conv.out_channels, *info.size)
    noise = torch.rand(3, *shape, generator=generator(0, "export"), dtype=clone.rows.weight.dtype)
    tail = slice_tail(clone.tail, noise[:1]) if isinstance(clone.tail, MaskedTail) else copy.deepcopy(clone.tail)
    listing, kept = list_program(exported_program("the clone to export", gathering(tail), noise))
    adapter, rows = clone.adapter.conv.state_dict(), clone.rows.state_dict()
    made = ModulePackage(info, adapter, rows, kept, listing, cloned.packages[index].quantiles)
    with replacing(path) as scratch:
        made.save(scratch)
        verify("the clone's file", ModulePackage.load(scratch).tail, clone.tail, [noise, noise[:1]])


def _index(packages: Sequence[AnyPackage], package: AnyPackage | None) -> int:
    names = [each.info.names for each in packages]
    if package is None:
        if len(packages) > 1:
            raise bad("package to export", expected=f"one of {names}", found="none named")
        return 0
    for index, each in enumerate(packages):
        if each is package:
            return index
    raise bad("package to export", expected=f"one of {names}", found="another")
