"""Models with clones for the export tests: two packages from two sources, one of which has other feature maps."""

from pathlib import Path

import torch
from _tiny import package_for, tiny_network
from torch import Tensor, nn

from pnc.arch import BlockNet, fingerprint
from pnc.cloned.model import ClonedModel, attach
from pnc.cloning.candidate import source_position
from pnc.cloning.masks import MaskReading
from pnc.cloning.package import ClonePackage, PackageInfo
from pnc.cloning.tail import MaskedTail

BATCHES = (1, 2, 5)


def cloned_twice() -> ClonedModel:
    """Three-block birds and five-block beasts, both at R = 1, where the beasts need smaller features."""
    target, birds = tiny_network("animal", 4), tiny_network("bird", 5, (5, 9, 12))
    beasts = tiny_network("beast", 3, (4, 6, 6, 7, 5), seed=1)
    once = attach(target, birds, package_for(birds, target, 1))
    lynx = package_for(beasts, target, 1, (0,), ("lynx",), seed=1, reading="zero_after_bn")
    return attach(once, beasts, lynx)


def cloned_of(source: BlockNet, target: BlockNet, position: int, x: Tensor, reading: MaskReading) -> ClonedModel:
    """A clone by random A and F_c and half of the source's filters, for pictures of the size of ``x``."""
    start = source_position(position, len(target), len(source))
    with torch.no_grad():
        h_t, h_s = target.run(x, 0, position), source.run(x, 0, start)
    torch.manual_seed(0)
    adapter = nn.Conv2d(h_t.shape[1], h_s.shape[1], 1)
    rows = nn.Linear(target.head.in_features + source.head.in_features, 2)
    masks = MaskedTail(source, start, 0.5).harden().bits()
    size = (h_s.shape[2], h_s.shape[3])
    hashes = fingerprint(source), fingerprint(target)
    info = PackageInfo(*hashes, (3, 1), ("owl", "kiwi"), position, start, size, True, reading)
    return attach(target, source, ClonePackage(info, masks, adapter.state_dict(), rows.state_dict()))


@torch.no_grad()
def difference(found: Tensor, expected: Tensor) -> float:
    """Of the largest |logit|, where that is above 1."""
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max().clamp_min(1))


def flip_a_bit(path: Path, place: float = 0.9) -> None:
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1
    path.write_bytes(content)
