"""A: the adapter in front of the transferable module, a 1×1 convolution and ReLU (main paper 3.3), or a 3×3 one."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Adapter(nn.Module):
    """Target features at R_t [N, C_t, H_t, W_t] → what the source expects at R_s [N, C_s, *size].

    ``relu`` is off where the source's own features at R_s take negative values (a linear bottleneck, say), since
    ReLU would cut them away. Heterogeneous pairs: maps are resized to ``size`` first. ``kernel`` is odd; 1 is the
    paper's.
    """

    def __init__(
        self, channels_in: int, channels_out: int, size: tuple[int, int], relu: bool = True, kernel: int = 1
    ) -> None:
        super().__init__()
        self.size = size
        self.relu = relu
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2)

    def resize(self, h: Tensor) -> Tensor:
        if h.shape[-2:] == self.size:
            return h
        return F.interpolate(h, size=self.size, mode="bilinear", antialias=True, align_corners=False)

    def forward(self, h: Tensor) -> Tensor:
        y = self._convolved(self.resize(h))
        return y.relu() if self.relu else y

    def _convolved(self, h: Tensor) -> Tensor:
        """``conv(h)``. A 1×1 convolution is learned as a product of matrices: between few channels, as in front of
        block 0, the gradients of a convolution's weights take a CPU ten times as long. A trace is of what is shipped.
        """
        learns = torch.is_grad_enabled() and not torch.jit.is_tracing()
        if self.conv.kernel_size != (1, 1) or not learns:
            return self.conv(h)
        weight, bias = self.conv.parameters()
        return torch.einsum("oc,nchw->nohw", weight.flatten(1), h) + bias.view(-1, 1, 1)

    @torch.no_grad()
    def start_from(self, pairs: Iterable[tuple[Tensor, Tensor]], ridge: float = 1e-3) -> float:
        """Set A in closed form: the affine map that best takes what it sees of the target to the source's pixels.

        ``pairs`` yields (target features, source features) of the same pictures; ``ridge`` is relative to the
        features' mean square. Returns R², the share of the source features' variance that the map explains.
        """
        moments = _Moments()
        for h_t, h_s in pairs:
            moments.add(_pixels(self._surroundings(self.resize(h_t))), _pixels(h_s))
        weight, bias, explained = moments.solve(ridge)
        self.conv.load_state_dict({"weight": weight.T.reshape(self.conv.weight.shape), "bias": bias})
        return explained

    def _surroundings(self, h: Tensor) -> Tensor:
        """[N, C, H, W] → [N, C·kernel², H, W]: what the convolution sees of each pixel."""
        kernel = self.conv.kernel_size[0]
        return h if kernel == 1 else F.unfold(h, kernel, padding=kernel // 2).unflatten(2, h.shape[-2:])


class _Moments:
    """First and second moments of (x, y) rows, summed in double precision."""

    def __init__(self) -> None:
        self.count = 0
        self.x = self.y = self.xx = self.xy = self.yy = torch.zeros((), dtype=torch.float64)

    def add(self, x: Tensor, y: Tensor) -> None:
        self.count += len(x)
        self.x, self.y = self.x + x.sum(0), self.y + y.sum(0)
        self.xx, self.xy, self.yy = self.xx + x.T @ x, self.xy + x.T @ y, self.yy + (y * y).sum(0)

    def solve(self, ridge: float) -> tuple[Tensor, Tensor, float]:
        """(weight [C_x, C_y], bias [C_y], R²)."""
        mean_x, mean_y = self.x / self.count, self.y / self.count
        covariance = self.xx / self.count - torch.outer(mean_x, mean_x)
        cross = self.xy / self.count - torch.outer(mean_x, mean_y)
        strength = ridge * covariance.diagonal().mean().clamp_min(1e-12)
        weight = torch.linalg.solve(covariance + strength * torch.eye(len(mean_x)).to(covariance), cross)
        variance = (self.yy / self.count - mean_y**2).sum()
        left = variance - 2 * (weight * cross).sum() + (weight * (covariance @ weight)).sum()
        return weight, mean_y - mean_x @ weight, float(1 - left / variance.clamp_min(1e-12))


def _pixels(h: Tensor) -> Tensor:
    """[N, C, H, W] → [N·H·W, C] in double precision."""
    return h.permute(0, 2, 3, 1).flatten(0, 2).double()
