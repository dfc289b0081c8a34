"""Networks as a list of blocks and a head."""

from pnc.arch._blocknet import BlockNet, Normalise, fingerprint
from pnc.arch._registry import (
    ARCHITECTURES,
    NetworkSpec,
    architecture,
    build,
    load_network,
    save_network,
    scaled,
)

__all__ = [
    "ARCHITECTURES",
    "BlockNet",
    "NetworkSpec",
    "Normalise",
    "architecture",
    "build",
    "fingerprint",
    "load_network",
    "save_network",
    "scaled",
]
