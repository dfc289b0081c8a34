"""Partial Network Cloning: copy functions between trained networks without changing a weight.

The paper's symbols, once: M_s and M_t are the source and the target network, T_s the classes cloned from the source,
T_t the target's own; D_t are samples of T_s, D_o samples of T_t. In ``pnc.cloning``: ``M`` is the set of filter masks
(masks), ``R`` the position where the module plugs in, ``A`` the adapter (adapter), ``F_c`` the extended classifier,
``M_f`` the transferable module (tail); ``G`` are the local models (local.local_models) and ``Π`` their weights
(local.neighbourhood). ``M_c`` is the target with the clone beside it (pnc.cloned.model).

Rooms, each importing only from those before it: base, arch, incremental, wrapping, data, cloning, cloned, methods,
repairing, zoo, commands.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pnc.arch import BlockNet, NetworkSpec, build, fingerprint, load_network, save_network
    from pnc.base.errors import PncError
    from pnc.cloned.export import ExportedModel, ModulePackage, load_exported
    from pnc.cloned.interference import Interference, Limit, interference
    from pnc.cloned.model import ClonedModel, attach, attach_module
    from pnc.cloning.clone import clone
    from pnc.cloning.notice import PncWarning
    from pnc.cloning.package import ClonePackage
    from pnc.cloning.settings import CloneSettings
    from pnc.presets import QUICK
    from pnc.repairing import Damage, find_damage, repair
    from pnc.wrapping.wrap import wrap
    from pnc.zoo import Zoo, select_source

__all__ = [
    "QUICK",
    "BlockNet",
    "ClonePackage",
    "CloneSettings",
    "ClonedModel",
    "Damage",
    "ExportedModel",
    "Interference",
    "Limit",
    "ModulePackage",
    "NetworkSpec",
    "PncError",
    "PncWarning",
    "Zoo",
    "attach",
    "attach_module",
    "build",
    "clone",
    "find_damage",
    "fingerprint",
    "interference",
    "load_exported",
    "load_network",
    "repair",
    "save_network",
    "select_source",
    "wrap",
]

_HOMES = {
    "pnc.arch": ("BlockNet", "NetworkSpec", "build", "fingerprint", "load_network", "save_network"),
    "pnc.cloned.export": ("ExportedModel", "ModulePackage", "load_exported"),
    "pnc.cloned.interference": ("Interference", "Limit", "interference"),
    "pnc.cloned.model": ("ClonedModel", "attach", "attach_module"),
    "pnc.cloning.clone": ("clone",),
    "pnc.base.errors": ("PncError",),
    "pnc.cloning.notice": ("PncWarning",),
    "pnc.cloning.package": ("ClonePackage",),
    "pnc.cloning.settings": ("CloneSettings",),
    "pnc.presets": ("QUICK",),
    "pnc.repairing": ("Damage", "find_damage", "repair"),
    "pnc.wrapping.wrap": ("wrap",),
    "pnc.zoo": ("Zoo", "select_source"),
}


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def __getattr__(name: str) -> Any:
    """Import on first use: torch takes seconds to load, and the tables do without it."""
    if name == "__version__":
        return version("pnc")
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module 'pnc' has no attribute {name!r}")
