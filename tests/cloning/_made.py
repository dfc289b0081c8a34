"""Tiny clones by ``pnc.clone``."""

from functools import cache
from typing import Any

from _tiny import OWLS, quick, samples, source_and_target

import pnc


def make(**changes: Any) -> pnc.ClonePackage:
    source, target = source_and_target()
    given = {"source": source, "target": target, "samples": samples(), "classes": OWLS, "settings": quick()}
    return pnc.clone(**{**given, "positions": [2], **changes})


@cache
def usual() -> pnc.ClonePackage:
    """What ``make`` makes; not to be changed."""
    return make()
