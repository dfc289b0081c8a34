"""Partial Network Cloning: copy functions between trained networks without changing a weight.

The paper's symbols, once: M_s and M_t are the source and the target network, T_s the classes cloned from the source,
T_t the target's own; D_t are samples of T_s, D_o samples of T_t. ``M`` is the set of filter masks (pnc.masks), ``R``
the position where the module plugs in, ``A`` the adapter (pnc.adapter), ``F_c`` the extended classifier, ``M_f`` the
transferable module (pnc.tail), ``M_c`` the target with the clone beside it (pnc.attachment), ``G`` the local models
(pnc.local_models) and ``Π`` their weights (pnc.neighbourhood).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pnc.arch import BlockNet, NetworkSpec, build, fingerprint, load_network, save_network
    from pnc.attachment import ClonedModel, attach
    from pnc.cloning import clone
    from pnc.errors import PncError
    from pnc.package import ClonePackage
    from pnc.settings import CloneSettings

__all__ = [
    "BlockNet",
    "ClonePackage",
    "CloneSettings",
    "ClonedModel",
    "NetworkSpec",
    "PncError",
    "attach",
    "build",
    "clone",
    "fingerprint",
    "load_network",
    "save_network",
]

_HOMES = {
    "pnc.arch": ("BlockNet", "NetworkSpec", "build", "fingerprint", "load_network", "save_network"),
    "pnc.attachment": ("ClonedModel", "attach"),
    "pnc.cloning": ("clone",),
    "pnc.errors": ("PncError",),
    "pnc.package": ("ClonePackage",),
    "pnc.settings": ("CloneSettings",),
}


def __getattr__(name: str) -> Any:
    """Import on first use: torch takes seconds to load, and the tables do without it."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module 'pnc' has no attribute {name!r}")
