"""The small modules that a sliced tail is built from, beside plain convolutions and fully connected layers."""

import torch
from torch import Tensor, nn

from pnc.cloning.masks import Maskable


class Offset(nn.Module):
    """A layer plus a constant map [C, H, W]: the bias of a layer whose dead inputs tell borders from the middle."""

    offset: Tensor

    def __init__(self, layer: nn.Module, offset: Tensor) -> None:
        super().__init__()
        self.layer = layer
        self.register_buffer("offset", offset)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x).add_(self.offset)


class Affine(nn.Module):
    """scale · x + shift per channel: batch normalisation with fixed statistics."""

    def __init__(self, scale: Tensor, shift: Tensor) -> None:
        super().__init__()
        self.scale = nn.Parameter(scale.view(-1, 1, 1))
        self.shift = nn.Parameter(shift.view(-1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.addcmul(self.shift, self.scale, x)


class Rescaled(nn.Module):
    """A layer of kept filters, its BN folded in, whose ``gain`` and ``shift`` are being learned, one per filter.

    ``constants`` are the masked layer's gain and shift, ``norm`` the BN's γ/σ and β − γμ/σ, of the ``filters`` of the
    layer ``name`` that are left. Here ``shift`` counts behind the BN; a filter whose γ is 0 has none.
    """

    offset: Tensor
    scale: Tensor
    filters: Tensor

    def __init__(
        self,
        name: str,
        layer: nn.Module,
        constants: tuple[Tensor, Tensor],
        norm: tuple[Tensor, Tensor],
        filters: Tensor,
    ) -> None:
        super().__init__()
        (gain, shift), (scale, offset) = constants, norm
        self.name = name
        self.kept = layer  # not "layer": fx may call a layer that is used twice by its name inside the masked one
        self.gain = nn.Parameter(gain.clone())
        self.shift = nn.Parameter(shift * scale)
        self.register_buffer("offset", offset)
        self.register_buffer("scale", scale)
        self.register_buffer("filters", filters)

    def forward(self, x: Tensor) -> Tensor:
        y = self.kept(x)
        shape = (-1, *[1] * (y.dim() - 2))
        shift = self.offset + torch.where(self.scale == 0, 0, self.shift)
        return torch.addcmul(shift.view(shape), self.gain.view(shape), y)

    def in_front_of_norm(self) -> tuple[Tensor, Tensor]:
        """(gain, shift) as the masked layer has them."""
        shift = torch.where(self.scale == 0, 0, self.shift / self.scale)
        return self.gain.detach(), shift.detach()


class Take(nn.Module):
    """Channels ``positions`` of x."""

    positions: Tensor

    def __init__(self, positions: Tensor) -> None:
        super().__init__()
        self.register_buffer("positions", positions)

    def forward(self, x: Tensor) -> Tensor:
        return x.index_select(1, self.positions)


class Sum(nn.Module):
    """Adds operands that hold different channels: operand i belongs to channels ``positions[i]`` of the sum.

    ``base`` [1, C, …] holds the constants of those that an operand lacks.
    """

    base: Tensor

    def __init__(self, base: Tensor, positions: list[Tensor]) -> None:
        super().__init__()
        self.register_buffer("base", base)
        for index, channels in enumerate(positions):
            self.register_buffer(f"positions_{index}", channels)

    def forward(self, *operands: Tensor) -> Tensor:
        total = self.base.repeat(operands[0].shape[0], *[1] * (self.base.dim() - 1))
        for index, operand in enumerate(operands):
            total.index_add_(1, getattr(self, f"positions_{index}"), operand.to(total.dtype))
        return total


class Constant(nn.Module):
    """``base`` [1, C, …] for every sample of a batch, whatever the batch holds."""

    base: Tensor

    def __init__(self, base: Tensor) -> None:
        super().__init__()
        self.register_buffer("base", base)

    def forward(self, like: Tensor) -> Tensor:
        return self.base.repeat(like.shape[0], *[1] * (self.base.dim() - 1))


class Fill(Constant):
    """Full width again: ``base`` [1, C, …] with x in its channels ``positions``."""

    positions: Tensor

    def __init__(self, base: Tensor, positions: Tensor) -> None:
        super().__init__(base)
        self.register_buffer("positions", positions)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).index_copy_(1, self.positions, x.to(self.base.dtype))


def resized(layer: Maskable, weight: Tensor, offset: Tensor) -> nn.Module:
    """``layer`` with other weights, plus ``offset`` [filters, …], which is the bias unless it varies in space.

    A depthwise ``layer`` stays depthwise.
    """
    filters, inputs = weight.shape[:2]
    flat = offset.flatten(1) if offset.dim() > 1 else offset.unsqueeze(1)
    # the offset comes from float64 sums: what differs by less than this differs only by their order
    uniform = bool((flat.amax(1) - flat.amin(1)).max() <= 1e-9 * flat.abs().max())
    copy: Maskable
    if isinstance(layer, nn.Linear):
        copy = nn.Linear(inputs, filters, device="meta")
    else:
        groups = 1 if layer.groups == 1 else filters
        copy = nn.Conv2d(
            inputs * groups,
            filters,
            layer.kernel_size,  # type: ignore[arg-type]
            layer.stride,  # type: ignore[arg-type]
            layer.padding,  # type: ignore[arg-type]
            layer.dilation,  # type: ignore[arg-type]
            groups,
            bias=uniform,
            padding_mode=layer.padding_mode,
            device="meta",
        )
    copy.weight = nn.Parameter(weight)
    copy.bias = nn.Parameter(flat[:, 0].clone()) if uniform else None
    return copy if uniform else Offset(copy, offset)
