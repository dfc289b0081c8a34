"""Architectures by name: one file, one registered builder each."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pnc.arch._blocknet import BlockNet, Normalise
from pnc.base.errors import PncError, bad
from pnc.base.registry import Registry
from pnc.base.seeds import derive
from pnc.base.tensors import read_tensors, write_tensors

Builder = Callable[[int, int, float], BlockNet]
ARCHITECTURES: Registry[Builder] = Registry("architecture", "pnc.arch")
architecture = ARCHITECTURES.register


@dataclass(frozen=True)
class NetworkSpec:
    """All that is needed to build a network again, weights aside.

    ``mean`` and ``std`` (per channel, of pixels in [0, 1]) become part of block 0; ``width`` scales every
    layer's channels; ``size`` is the picture's height and width.
    """

    arch: str
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: int = 32
    width: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.width < math.inf:
            raise bad("width", expected="a positive factor", found=self.width)
        if not self.class_names:
            raise bad("class names of a network", expected="at least one", found="none")
        if len(self.std) != len(self.mean) or not all(value > 0 for value in self.std):
            raise bad("std", expected=f"{len(self.mean)} positive numbers, one per channel", found=self.std)

    @property
    def channels(self) -> int:
        return len(self.mean)


def build(spec: NetworkSpec, seed: int = 0) -> BlockNet:
    """A freshly initialised network, in eval mode.

    The same ``seed`` gives the same weights, and the global generator is as before. Raises PncError for an
    unknown architecture, listing the known ones.
    """
    builder = ARCHITECTURES.get(spec.arch)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive(seed, "init", spec.arch))
        network = builder(len(spec.class_names), spec.channels, spec.width)
    for module in network.modules():
        if isinstance(module, (nn.ReLU, nn.ReLU6)):
            module.inplace = False  # features at block borders are used more than once
    network.class_names = tuple(spec.class_names)
    network.blocks[0] = nn.Sequential(Normalise(spec.mean, spec.std), network.blocks[0])
    return network.eval()


def scaled(channels: int, width: float, divisor: int = 1) -> int:
    """``channels`` times ``width``, rounded to a multiple of ``divisor``, at least one multiple."""
    return max(divisor, int(channels * width / divisor + 0.5) * divisor)


def save_network(path: str | Path, network: BlockNet, spec: NetworkSpec) -> None:
    """Write weights, buffers and spec as one safetensors file."""
    write_tensors(path, network.state_dict(), asdict(spec))


def load_network(path: str | Path) -> tuple[BlockNet, NetworkSpec]:
    """Read a network back, in eval mode. Raises PncError for a damaged file or one that is not a network."""
    tensors, notes = read_tensors(path)
    try:
        spec = NetworkSpec(**_fields(notes))
        network = build(spec)
    except (PncError, TypeError, AttributeError) as error:
        raise bad(str(path), expected="a network saved by pnc", found=f"another file ({error})") from None
    own = network.state_dict()
    if other := sorted(name for name in own.keys() | tensors.keys() if _shape(own, name) != _shape(tensors, name)):
        raise bad(str(path), expected=f"the weights of {spec.arch}", found=f"{len(other)} others, first {other[0]}")
    network.load_state_dict(tensors)
    return network, spec


def _fields(notes: dict[str, Any]) -> dict[str, Any]:
    """JSON knows no tuples: lists back to them."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in notes.items()}


def _shape(tensors: Mapping[str, Tensor], name: str) -> torch.Size | None:
    return tensors[name].shape if name in tensors else None
