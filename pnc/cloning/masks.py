"""M: which filters of the source the transferable module keeps (Eqs. 3 and 5).

Every convolution (or fully connected layer) l of the cloned tail gets learnable scores m^l, one per filter.
In the forward pass exactly the c^l filters with the highest scores are on; gradients reach the scores through
a straight-through estimator. What a filter that is off leaves behind is its *reading*:

- ``zero``            its weights are zero (the paper's m · w); a following BN leaves the constant β − γμ/σ;
- ``zero_after_bn``   its channel is zero after the following BN;
- ``bn_mean``         the following BN sees its running mean, so that its channel is the constant β;
- ``rescaled``        as ``zero_after_bn``, and each filter that stays on gets a gain and a shift of its own, learned
                      with A and F_c: what a BN re-estimated for the thinned-out network would give it.
"""

from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from pnc.base.errors import bad

MaskReading = Literal["zero", "zero_after_bn", "bn_mean", "rescaled"]
Maskable = nn.Conv2d | nn.Linear


def kept_filters(filters: int, keep: float) -> int:
    """c^l: how many of ``filters`` a kept fraction of ``keep`` leaves on, at least one."""
    if not 0 < keep <= 1:
        raise bad("keep", expected="a fraction in (0, 1]", found=keep)
    return max(1, round(filters * keep))


def top_c(scores: Tensor, c: int) -> Tensor:
    """Boolean mask [filters] of the ``c`` highest scores; of equal scores the earlier filter wins."""
    order = torch.sort(scores, descending=True, stable=True).indices
    mask = torch.zeros_like(scores, dtype=torch.bool)
    mask[order[:c]] = True
    return mask


def filter_norms(layer: Maskable) -> Tensor:
    """L2 norm of each filter's weights, scaled to mean one: where the scores start."""
    norms = layer.weight.detach().flatten(1).norm(dim=1)
    return norms / norms.mean().clamp_min(1e-12)


class MaskedLayer(nn.Module):
    """A frozen layer whose filters can be switched off: y = m · (gain · (W x + b) + shift) + (1 − m) · fill.

    ``fill`` [filters] is what an off filter yields before the following BN, by the chosen reading; ``gain`` and
    ``shift`` [filters] are 1 and 0 unless that is "rescaled" (``rescales``).
    Until ``harden`` the mask follows ``scores``; afterwards it is the fixed ``on``.
    For blocks that read their layers' attributes it looks like the layer: ``weight`` and ``bias`` are the masked
    ones, the rest is the layer's.
    """

    on: Tensor
    fill: Tensor
    gain: Tensor
    shift: Tensor

    def __init__(self, layer: Maskable, keep: float, fill: Tensor | None = None, *, rescales: bool = False) -> None:
        super().__init__()
        self.layer = layer
        self.rescales = rescales
        start = filter_norms(layer)
        self.c = kept_filters(len(start), keep)
        self.scores: nn.Parameter | None = nn.Parameter(start)
        self.register_buffer("on", top_c(start, self.c))
        self.register_buffer("fill", torch.zeros_like(start) if fill is None else fill)
        self.register_buffer("gain", torch.ones_like(start))
        self.register_buffer("shift", torch.zeros_like(start))
        self.is_filled, self.is_rescaled = bool(self.fill.any()), False  # what is not there costs no pass over maps

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "layer":  # not there yet, while being unpickled
                raise
        return getattr(self.layer, name)

    @property
    def weight(self) -> Tensor:
        """m · gain · W, of the layer's shape."""
        weight = self.layer.weight
        return (self.mask * self.gain).view(-1, *[1] * (weight.dim() - 1)) * weight

    @property
    def bias(self) -> Tensor | None:
        """m · (gain · b + shift) + (1 − m) · fill [filters]; None where neither the layer nor M adds anything."""
        mask, kept = self.mask, self.shift
        if self.layer.bias is not None:
            kept = kept + self.gain * self.layer.bias
        elif not (self.fill.any() or self.shift.any()):
            return None
        return mask * kept + (1 - mask) * self.fill

    @property
    def mask(self) -> Tensor:
        """m [filters]: 0/1 going forward, the scores' identity going backward."""
        if self.scores is None:
            return self.on.to(self.layer.weight.dtype)
        hard = top_c(self.scores.detach(), self.c).to(self.scores.dtype)
        return hard + (self.scores - self.scores.detach())

    def rescale(self, filters: Tensor, gain: Tensor, shift: Tensor) -> None:
        """Give ``filters`` (indices, or boolean) their constants."""
        self.gain[filters], self.shift[filters] = gain, shift
        self.is_rescaled = True

    def harden(self, on: Tensor | None = None) -> None:
        """Binarise for good: the top-c filters, or ``on`` [filters] if given."""
        if on is None:
            on = self.on if self.scores is None else top_c(self.scores.detach(), self.c)
        if on.shape != self.on.shape:
            raise bad("a layer's mask", expected=f"{len(self.on)} filters", found=len(on))
        self.scores = None
        self.on.copy_(on)
        self.c = int(on.sum())

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer(x)
        shape = (-1, 1, 1) if isinstance(self.layer, nn.Conv2d) else (-1,)
        mask = self.mask.view(shape)
        if self.is_rescaled:
            y = torch.addcmul(self.shift.view(shape), self.gain.view(shape), y)
        return mask * y + (1 - mask) * self.fill.view(shape) if self.is_filled else mask * y


def fill_value(layer: Maskable, norm: nn.Module | None, reading: MaskReading) -> Tensor:
    """What an off filter yields, [filters], for a ``layer`` followed by ``norm`` (None: no BN follows)."""
    if reading not in get_args(MaskReading):
        raise bad("mask reading", expected=f"one of {', '.join(get_args(MaskReading))}", found=repr(reading))
    zeros = torch.zeros(layer.weight.shape[0], dtype=layer.weight.dtype, device=layer.weight.device)
    if reading == "zero" or not isinstance(norm, nn.BatchNorm2d):
        return zeros
    mean, variance = norm.running_mean, norm.running_var
    if not isinstance(mean, Tensor) or not isinstance(variance, Tensor):
        return zeros
    if reading == "bn_mean" or not norm.affine:
        return mean.detach().clone()
    sigma = (variance + norm.eps).sqrt()
    gamma = torch.where(norm.weight.abs() < 1e-12, torch.ones_like(norm.weight), norm.weight)
    return (mean - norm.bias * sigma / gamma).detach()
