"""Which networks ``pnc.wrap`` takes, measured: writes the table in docs/networks.md.

    python benchmarks/networks.py [NAME …]

Random weights, 64×64 pictures; with names, it prints the rows of these networks alone. Needs timm and transformers.
"""

import logging
import sys
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from _page import write_between
from torch import nn

import pnc
from pnc.base.errors import PncError
from pnc.cloning.slicing import slice_tail, tail_cost
from pnc.cloning.tail import MaskedTail

PAGE = Path(__file__).parents[1] / "docs" / "networks.md"
MARKS = ("<!-- made by benchmarks/networks.py -->", "<!-- until here -->")
SIZE, KEEP, CLASSES = 64, 0.3, 10
HEADER = (
    "| library | network | wrapped | blocks | parameters | of the last block | of its slice |\n"
    "|---|---|---|---|---|---|---|"
)
TORCHVISION = (
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "googlenet", "mnasnet0_5", "mobilenet_v2",
    "mobilenet_v3_small", "regnet_x_400mf", "regnet_y_400mf", "resnet18", "shufflenet_v2_x0_5", "squeezenet1_1",
    "swin_t", "vgg11_bn",
)  # fmt: skip
TIMM = (
    "convnext_atto", "convnextv2_atto", "ese_vovnet19b_dw", "ghostnet_100", "lcnet_050", "mobilenetv2_100",
    "mobilenetv3_small_100", "regnety_002", "repvgg_a0", "resnet18d", "seresnet18", "tf_efficientnet_b0", "tinynet_e",
    "vit_tiny_patch16_224",
)  # fmt: skip
STAGES = {"hidden_sizes": [24, 48, 96, 192], "depths": [1, 1, 2, 1]}
TRANSFORMERS: dict[str, dict[str, Any]] = {
    "Bit": {**STAGES, "hidden_sizes": [128, 256, 384, 512], "embedding_size": 64},
    "ConvNext": STAGES,
    "ConvNextV2": STAGES,
    "EfficientNet": {"width_coefficient": 0.5, "depth_coefficient": 0.5, "hidden_dim": 640},
    "MobileNetV1": {},
    "MobileNetV2": {},
    "MobileViT": {},
    "RegNet": {**STAGES, "embedding_size": 16, "groups_width": 8},
    "ResNet": {**STAGES, "embedding_size": 16, "layer_type": "basic"},
    "ViT": {"hidden_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64},
}


@dataclass(frozen=True)
class Listed:
    """A network of a library, by the name that it has there."""

    library: str
    name: str
    make: Callable[[], nn.Module]


def listed() -> list[Listed]:
    """Every network of the table, not made yet."""
    return [
        *(Listed("torchvision", name, lambda name=name: _torchvision(name)) for name in TORCHVISION),  # type: ignore
        *(Listed("timm", name, lambda name=name: _timm(name)) for name in TIMM),  # type: ignore[misc]
        *(
            Listed("transformers", f"{name}ForImageClassification", lambda name=name: _transformers(name))  # type: ignore
            for name in TRANSFORMERS
        ),
    ]


def _torchvision(name: str) -> nn.Module:
    from torchvision.models import get_model

    settings = {"init_weights": False} if name == "googlenet" else {}
    return get_model(name, weights=None, num_classes=CLASSES, **settings)


def _timm(name: str) -> nn.Module:
    import timm

    return timm.create_model(name, pretrained=False, num_classes=CLASSES)


def _transformers(name: str) -> nn.Module:
    import transformers

    config = getattr(transformers, f"{name}Config")(num_labels=CLASSES, **TRANSFORMERS[name])
    return getattr(transformers, f"{name}ForImageClassification")(config)


def row(network: Listed) -> str:
    """The network's line in the table. Weights are drawn from one seed, so that its masks are always the same."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what libraries say about their own defaults
        torch.default_generator.manual_seed(0)
        model = network.make()
    try:
        wrapped = pnc.wrap(model, normalise="imagenet", size=SIZE)
    except PncError as error:
        return _line(network.library, f"`{network.name}`", f"refused: {_cell(error)}", "", "", "", "")
    last = len(wrapped) - 1
    with torch.no_grad():
        h = wrapped.run(torch.full((1, 3, SIZE, SIZE), 0.5), 0, last)
        tail = nn.Sequential(wrapped.blocks[last], wrapped.pool)
        whole, part = _parameters(wrapped), tail_cost(tail, h)["parameters"]
        try:
            sliced = f"{tail_cost(slice_tail(MaskedTail(wrapped, last, KEEP).harden(), h), h)['parameters']:,}"
        except PncError as error:
            sliced = f"not sliced: {_cell(error)}"
    return _line(network.library, f"`{network.name}`", "as it is", len(wrapped), f"{whole:,}", f"{part:,}", sliced)


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _cell(error: PncError) -> str:
    return str(error).replace("|", "/")


def _line(*cells: object) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def table(networks: Iterable[Listed]) -> str:
    rows = []
    for network in networks:
        rows.append(row(network))
        print(rows[-1], file=sys.stderr, flush=True)
    return "\n".join([HEADER, *rows])


def main(names: list[str]) -> None:
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    if names:
        print(table(network for network in listed() if network.name in names))
        return
    write_between(PAGE, MARKS, table(listed()))


if __name__ == "__main__":
    main(sys.argv[1:])
