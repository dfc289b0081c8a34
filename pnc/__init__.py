"""Partial Network Cloning: copy functions between trained networks without changing a weight.

The paper's symbols, once: M_s and M_t are the source and the target network, T_s the classes cloned from the source,
T_t the target's own; D_t are samples of T_s, D_o samples of T_t. ``M`` is the set of filter masks (pnc.masks), ``R``
the position where the module plugs in, ``A`` the adapter (pnc.adapter), ``F_c`` the extended classifier, ``M_f`` the
transferable module (pnc.tail), ``M_c`` the target with the clone beside it (pnc.attach), ``G`` the local models
(pnc.local_models) and ``Π`` their weights (pnc.neighbourhood).
"""

from pnc.arch import BlockNet, NetworkSpec, build, fingerprint, load_network, save_network
from pnc.attach import ClonedModel, attach
from pnc.clone import clone
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
