"""Architectures by name: one file, one registered builder each."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pnc.arch._blocknet import BlockNet, Normalise
from pnc.errors import bad
from pnc.files import read_tensors, write_tensors
from pnc.registry import Registry
from pnc.seeds import derive

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

    @property
    def channels(self) -> int:
        return len(self.mean)


def build(spec: NetworkSpec, seed: int = 0) -> BlockNet:
    """A freshly initialised network; the same ``seed`` gives the same weights, the global generator is untouched."""
    if spec.width <= 0:
        raise bad("width", expected="a positive factor", found=spec.width)
    builder = ARCHITECTURES.get(spec.arch)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "init", spec.arch))
        network = builder(len(spec.class_names), spec.channels, spec.width)
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
    spec = _spec_from(notes, path)
    network = build(spec)
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise bad(str(path), expected=f"the weights of {spec.arch}", found=f"others ({error})") from None
    return network, spec


def _spec_from(notes: dict[str, Any], path: str | Path) -> NetworkSpec:
    listed: Sequence[str] = ("class_names", "mean", "std")
    try:
        return NetworkSpec(**{key: tuple(value) if key in listed else value for key, value in notes.items()})
    except TypeError:
        raise bad(str(path), expected="a network saved by pnc", found=f"metadata {sorted(notes)}") from None
