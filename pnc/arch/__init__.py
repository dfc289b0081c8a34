"""Networks as a list of blocks and a head."""

from pnc.arch._blocknet import BlockNet, Normalise
from pnc.arch._convert import as_blocknet, unwrapped
from pnc.arch._fingerprint import fingerprint
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
    "as_blocknet",
    "build",
    "fingerprint",
    "load_network",
    "save_network",
    "scaled",
    "unwrapped",
]
