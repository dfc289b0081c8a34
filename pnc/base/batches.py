"""Shuffled batches, as indices: the pictures stay where they are."""

from collections.abc import Iterator

import torch
from torch import Tensor

from pnc.base.errors import bad


def batches(n: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Every index in [0, n) once, shuffled, in int64 tensors of ``size``; the last may be shorter.

    They lie on the generator's device. Raises PncError for a negative n or a size below 1.
    """
    if n < 0 or size < 1:
        raise bad("number of items and batch size", expected="n >= 0 and size >= 1", found=f"{n} and {size}")
    order = torch.randperm(n, generator=generator, device=generator.device)
    return iter(order.split(size) if n else ())
