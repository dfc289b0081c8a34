"""Layers of other libraries as the plain ones of torch.nn that they are made of, on the same weights.

Masks and slices know convolutions, linear layers and batch normalisation. A layer that fuses one of them with an
activation or a padding is put apart here; any other stays as it is. ``pnc.wrap`` compares the results.
"""

import torch.nn.functional as F
from torch import Tensor, fx, nn

Pair = tuple[int, int]


class SamePad(nn.Module):
    """TensorFlow's "same" padding before a convolution: as much as makes ⌈size / stride⌉ positions."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.reach = tuple((k - 1) * d + 1 for k, d in zip(conv.kernel_size, conv.dilation, strict=True))
        self.stride = conv.stride

    def forward(self, x: Tensor) -> Tensor:
        return pad_same(x, self.reach, self.stride)


@fx.wrap
def pad_same(x: Tensor, reach: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    """``x`` [N, C, H, W] with zeros around; for torch.fx one operation, as it depends on the size."""
    rows, columns = (
        max((-(-size // step) - 1) * step + span - size, 0)
        for size, span, step in zip(x.shape[-2:], reach, stride, strict=True)
    )
    return F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))


def make_plain(model: nn.Module) -> None:
    """Replace the layers inside ``model`` that ``_plain`` knows."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if (plain := _plain(child)) is not None:
                setattr(module, name, plain.eval())


def _plain(layer: nn.Module) -> nn.Module | None:
    kind = type(layer)
    if isinstance(layer, nn.BatchNorm2d) and isinstance(act := getattr(layer, "act", None), nn.Module):
        return nn.Sequential(_norm(layer), act)  # timm's BatchNormAct2d
    if isinstance(layer, nn.Conv2d) and kind.__name__ == "Conv2dSame":
        return nn.Sequential(SamePad(layer), _conv(layer))
    if isinstance(layer, nn.Linear) and kind is not nn.Linear and kind.__module__.startswith("timm."):
        return _with_tensors(nn.Linear(layer.in_features, layer.out_features, device="meta"), layer)
    if kind.__name__ in ("MobileNetV1ConvLayer", "MobileNetV2ConvLayer") and layer.config.tf_padding:  # type: ignore
        parts = [getattr(layer, name) for name in ("convolution", "normalization", "activation")]
        return nn.Sequential(SamePad(parts[0]), *(part for part in parts if part is not None))
    return None


def _norm(layer: nn.BatchNorm2d) -> nn.Module:
    settings = (layer.eps, layer.momentum, layer.affine, layer.track_running_stats)
    return _with_tensors(nn.BatchNorm2d(layer.num_features, *settings, device="meta"), layer)


def _conv(layer: nn.Conv2d) -> nn.Module:
    conv = nn.Conv2d(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,  # type: ignore[arg-type]
        layer.stride,  # type: ignore[arg-type]
        0,
        layer.dilation,  # type: ignore[arg-type]
        layer.groups,
        device="meta",
    )
    return _with_tensors(conv, layer)


def _with_tensors(plain: nn.Module, layer: nn.Module) -> nn.Module:
    """``plain`` with the very parameters and buffers of ``layer``."""
    for name in plain._parameters:
        setattr(plain, name, layer._parameters[name])
    for name in plain._buffers:
        setattr(plain, name, layer._buffers[name])
    return plain
