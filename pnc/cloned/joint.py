"""Packages on one scale: an offset for each new classifier, from the set of packages alone, with no pictures.

Each package was calibrated against the target, and of another package's logits on its pictures nobody knows anything.
What all of them share is the target's best logit, so a package's scale is its gap: best new logit less best old one,
on the held-out part of its own D_t. The offset o_p moves the gap that a share ``SHARE`` of package p's own pictures
stays above to the level that the packages have in common, the mean of theirs:

    o_p = mean_k(level_k) − level_p,    level_p = quantile(gap_p, 1 − SHARE)
"""

import math
from collections.abc import Sequence

from pnc.base.errors import bad
from pnc.cloned.export import AnyPackage
from pnc.cloning.calibration import GAPS

SHARE = 0.5


def joint_offsets(packages: Sequence[AnyPackage]) -> list[float]:
    """o_p for each of ``packages``, added to all of its new logits. They sum to 0, and a single one is 0.

    The order of the packages changes no bit of them. Raises PncError for a package that carries no quantiles.
    """
    levels = [_level(package) for package in packages]
    common = math.fsum(levels) / len(levels)  # rounded once, whatever the order
    return [common - level for level in levels]


def _level(package: AnyPackage) -> float:
    gaps = package.quantiles.get("gap")
    if gaps is None or gaps.shape != (GAPS,) or not gaps.isfinite().all():
        what = f"package {', '.join(package.info.names)}: quantiles for a calibration across packages"
        raise bad(what, expected=f"{GAPS} numbers", found="none (clone it again)" if gaps is None else "others")
    return float(gaps.double().quantile(1 - SHARE))
