"""Networks that are cut as their authors group them, as data: which modules' results end a block.

The last block ends where pooling begins, so its end is not listed. Any other network is cut where it halves the
picture.
"""

import re
from dataclasses import dataclass
from itertools import chain

from torch import nn


@dataclass(frozen=True)
class Family:
    """Networks whose class is called ``kind``; ``ends`` are patterns of module names, each with a match in them."""

    kind: str
    ends: tuple[str, ...]

    def blocks(self, model: nn.Module) -> list[str] | None:
        """Names of the modules that end blocks; None for a network of another kind."""
        if not re.fullmatch(self.kind, type(model).__name__):
            return None
        names = [name for name, _ in model.named_modules()]
        found = [[name for name in names if re.fullmatch(end, name)] for end in self.ends]
        return list(chain.from_iterable(found)) if all(found) else None


HF = "ForImageClassification"
FAMILIES = (
    Family("BlockNet|WrappedNet", (r"blocks\.\d+",)),
    Family("ResNet", ("maxpool", r"layer[1-3]")),  # torchvision, timm
    Family(f"ResNet{HF}", (r"resnet\.embedder", r"resnet\.encoder\.stages\.[0-2]")),
    Family("MobileNetV2", (r"features\.(0|1|3|6|10|13|16)",)),  # the paper's eight groups
    Family(f"MobileNetV2{HF}", (r"mobilenet_v2\.conv_stem(\.first_conv)?", r"mobilenet_v2\.layer\.(1|4|8|11|14)")),
    Family("EfficientNet", (r"features\.[0-6]",)),  # torchvision
    Family("EfficientNet|MobileNetV3", ("bn1", r"blocks\.[0-5]")),  # timm; its MobileNetV2 is of this class
    Family("ShuffleNetV2", ("maxpool", r"stage[2-4]")),
    Family("ConvNeXt", (r"features\.(0|1|3|5)",)),  # torchvision
    Family("ConvNeXt", ("stem", r"stages\.[0-2]")),  # timm
    Family(f"ConvNext(V2)?{HF}", (r"convnext(v2)?\.embeddings", r"convnext(v2)?\.encoder\.stages\.[0-2]")),
    Family("RegNet", ("stem", r"trunk_output\.block[1-3]")),  # torchvision
    Family("RegNet", ("stem", r"s[1-3]")),  # timm
    Family(f"RegNet{HF}", (r"regnet\.embedder", r"regnet\.encoder\.stages\.[0-2]")),
)

ATTENTION = (("qkv",), ("query",), ("q_proj",), ("to_q",), ("to_qkv",), ("in_proj_weight",), ("q", "kv"))


def family_blocks(model: nn.Module) -> list[str] | None:
    """Where a network of a known family is cut."""
    return next((names for family in FAMILIES if (names := family.blocks(model)) is not None), None)


def attention_layer(model: nn.Module) -> str | None:
    """The name of a self-attention layer: one that projects queries. Squeeze-and-excitation has none."""
    for name, module in model.named_modules():
        held = {*module._modules, *module._parameters}
        if any(held.issuperset(marks) for marks in ATTENTION):
            return f"{name} ({type(module).__name__})"
    return None
