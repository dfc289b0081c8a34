"""Which arithmetic a network is trained in: bfloat16 where the processor computes in it, float32 elsewhere.

On a CPU with AVX512-BF16 or AMX, or on a GPU, bfloat16 about halves the time; on a CPU without, it takes many times
as long. Weights, and all that is measured with them, stay in float32.
"""

from typing import Literal, get_args

import torch

from pnc.base.errors import bad

Precision = Literal["auto", "fp32", "bf16"]


def resolved(precision: Precision, device: torch.device | str) -> Precision:
    """``precision``, with "auto" decided for ``device``. Raises PncError for one that is not known."""
    if precision not in get_args(Precision):
        raise bad("precision", expected=f"one of {', '.join(get_args(Precision))}", found=repr(precision))
    if precision != "auto":
        return precision
    return "bf16" if _has_bf16(torch.device(device)) else "fp32"


def arithmetic(precision: Precision, device: torch.device | str) -> torch.autocast:
    """A context in which forward passes on ``device`` compute in ``precision``."""
    chosen = resolved(precision, device)
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=chosen == "bf16")


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # PyTorch has no public name for what it asks its own CPU kernels.
    asked = (getattr(torch.cpu, name, bool) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return device.type == "cpu" and any(ask() for ask in asked)
