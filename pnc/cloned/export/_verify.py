"""Nothing is written that does not answer as the masked model does."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from pnc.base.errors import bad

TOLERANCE = 1e-5

Function = Callable[[Tensor], Tensor]


@torch.no_grad()
def verify(what: str, written: Function, masked: Function, batches: Iterable[Tensor]) -> None:
    """Raise PncError if ``written`` and ``masked`` differ by more than 1e-5 on one of ``batches``.

    That is of the largest |logit| where that is above 1, since float32 has seven digits.
    """
    for batch in batches:
        expected, found = masked(batch), written(batch)
        same = expected.shape == found.shape
        error = (found - expected).abs().max() / expected.abs().max().clamp_min(1) if same else torch.inf
        if not error <= TOLERANCE:
            difference = f"a difference of {float(error):.1e}"
            raise bad(what, expected=f"the masked model's answers to {TOLERANCE:.0e}", found=difference)
