"""Settings under a name, to be given as ``pnc.clone(…, settings=pnc.QUICK)``."""

from collections.abc import Mapping
from typing import Any

QUICK: Mapping[str, Any] = {
    "inputs_per_epoch": 2000,
    "start_inputs": 512,
    "held_out_inputs": 512,
    "neighbourhood": {"masks": 20},
    "precision": "auto",
}
"""A quarter of the inputs and half of the masks, in bfloat16 where the processor computes in it.

For networks of ResNet-18's size without a graphics card.

There nearly all of a clone's time is passes through the two frozen networks: |D_t| · |B| for the local models G, and
some for each input. A local model has grid² + 1 = 17 unknowns. docs/howto.md says what it saves and what it costs.
"""
