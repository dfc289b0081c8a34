"""Settings under a name, to be given as ``pnc.clone(…, settings=pnc.QUICK)``."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

QUICK: Mapping[str, Any] = MappingProxyType({
    "inputs_per_epoch": 2000,
    "start_inputs": 512,
    "held_out_inputs": 512,
    "neighbourhood": MappingProxyType({"masks": 20}),
})  # fmt: skip
"""Minutes in place of a quarter of an hour for a network of ResNet-18's size on two CPU cores (docs/howto.md).

Nearly all of a clone's time is passes through the two frozen networks: |D_t| · |B| for the local models G, and some
for each input. A quarter of the inputs, and 20 masks for the 17 unknowns of a local model, are a third of the passes.
"""
