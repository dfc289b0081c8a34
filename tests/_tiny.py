"""Small things for the tests: networks of three blocks with BN, pictures, tasks, packages made by hand."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from pnc.arch import BlockNet, NetworkSpec, Normalise, build, fingerprint
from pnc.base.images import Images
from pnc.base.seeds import generator
from pnc.base.train import Schedule
from pnc.cloning.calibration import GAPS
from pnc.cloning.candidate import source_position
from pnc.cloning.local.neighbourhood import Neighbourhood
from pnc.cloning.package import ClonePackage, PackageInfo
from pnc.cloning.settings import CloneSettings
from pnc.cloning.tail import MaskedTail
from pnc.cloning.task import CloneTask

SIZE = 8
CHANNELS = 3
OWLS = {3: "owl", 1: "kiwi"}
HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_state_dict_hooks",
    "_load_state_dict_pre_hooks",
)


def randomise_norms(network: BlockNet, seed: int = 0) -> BlockNet:
    """Give every BN statistics, signs and shifts that matter; returns ``network`` in eval mode."""
    draw = generator(seed, "norms")
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            state = module.state_dict()
            for name in ("running_mean", "weight", "bias"):
                state[name].normal_(generator=draw)
            state["running_var"].uniform_(0.5, 2, generator=draw)
    return network.eval()


def tiny_network(role: str, classes: int = 4, widths: Sequence[int] = (6, 8, 10), seed: int = 0) -> BlockNet:
    """A network for 8×8 RGB pictures, 4×4 features from block 1 on; its classes are called ``role`` 0, 1, …"""
    draw = generator(seed, "tiny", role, *widths)
    entering, blocks = CHANNELS, []
    for index, leaving in enumerate(widths):
        stride = 2 if index == 1 else 1
        conv = nn.Conv2d(entering, leaving, 3, stride, padding=1, bias=False)
        blocks.append(nn.Sequential(conv, nn.BatchNorm2d(leaving), nn.ReLU()))
        entering = leaving
    blocks[0].insert(0, Normalise((0.5, 0.4, 0.6), (0.3, 0.2, 0.25)))
    network = BlockNet(blocks, nn.Linear(entering, classes))
    network.class_names = tuple(f"{role} {index}" for index in range(classes))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, 0.3, generator=draw)
    return randomise_norms(network, seed)


def built(arch: str, role: str, classes: int, seed: int, width: float = 0.25) -> BlockNet:
    """A registered architecture for 32×32 RGB pictures, with BN whose every constant matters."""
    names = tuple(f"{role} {index}" for index in range(classes))
    spec = NetworkSpec(arch, names, mean=(0.5, 0.4, 0.6), std=(0.25, 0.3, 0.2), width=width)
    return randomise_norms(build(spec, seed), seed)


def source_and_target() -> tuple[BlockNet, BlockNet]:
    return tiny_network("source", 5, (5, 9, 12)), tiny_network("target", 4)


def pictures(count: int, size: int = SIZE, channels: int = CHANNELS, seed: int = 0) -> Tensor:
    """Floats [count, channels, size, size] in [0, 1]."""
    return torch.rand(count, channels, size, size, generator=generator(seed, "pictures"))


def images(classes: int, each: int, names: str = "class", size: int = SIZE, seed: int = 0) -> Images:
    """Random pictures, ``each`` of every class, sorted by class, whose colour says a little about it."""
    labels = torch.arange(classes).repeat_interleave(each)
    shade = (labels + 1).view(-1, 1, 1, 1) / (classes + 1)
    pixels = (0.7 * pictures(len(labels), size, seed=seed) + 0.3 * shade) * 255
    return Images(pixels.to(torch.uint8), labels, tuple(f"{names} {index}" for index in range(classes)))


def samples(classes: Mapping[int, str] = OWLS, each: int = 6, size: int = SIZE) -> Images:
    """Pictures of ``classes`` out of five, labelled as the source does."""
    return images(5, each, size=size).of_classes(list(classes))


def quick(**changes: Any) -> CloneSettings:
    """Settings for runs that need not learn much: they start, choose and calibrate on a few inputs, too."""
    settings = CloneSettings(
        neighbourhood=Neighbourhood(grid=2, masks=8),
        keep=0.5,
        inputs_per_epoch=64,
        start_inputs=16,
        held_out_inputs=16,
        schedule=Schedule(epochs=2, batch=32, lr=1e-2),
        insert=Schedule(epochs=2, batch=32, lr=1e-2),
    )
    return replace(settings, **changes)


def clone_task(classes: tuple[int, ...] = (3, 1), rehearsal: bool = True) -> CloneTask:
    """``classes`` of the tiny source for the tiny target."""
    source, target = source_and_target()
    count = len(classes)
    old = (images(4, 6, "target", seed=3), images(4, 2, "target", seed=4)) if rehearsal else (None, None)
    return CloneTask(source, target, classes, images(count, 10, seed=1), images(count, 4, seed=2), *old)


@torch.no_grad()
def features(network: BlockNet, position: int) -> Tensor:
    """One picture's features that enter a block, without a trace in ``network``."""
    return copy.deepcopy(network).eval().run(pictures(1), 0, position)


def package_for(
    source: BlockNet,
    target: BlockNet,
    position: int,
    classes: Sequence[int] = (3, 1),
    names: Sequence[str] = ("owl", "kiwi"),
    seed: int = 0,
    reading: str = "zero",
) -> ClonePackage:
    """A package with random M, A and F_c, as good as a trained one wherever accuracy does not matter."""
    draw = generator(seed, "package", *names)
    start = source_position(position, len(target), len(source))
    h_t, h_s = (features(net, at) for net, at in ((target, position), (source, start)))
    bits = MaskedTail(source, start, 1.0).bits()
    masks = {name: torch.rand(len(mask), generator=draw) < 0.6 for name, mask in bits.items()}
    width = target.head.in_features + source.head.in_features
    adapter, rows = (
        {"weight": torch.randn(shape, generator=draw) / 3, "bias": torch.randn(shape[0], generator=draw)}
        for shape in ((h_s.shape[1], h_t.shape[1], 1, 1), (len(classes), width))
    )
    info = PackageInfo(
        source=fingerprint(source),
        target=fingerprint(target),
        classes=tuple(classes),
        names=tuple(names),
        position=position,
        source_position=start,
        size=(h_s.shape[2], h_s.shape[3]),
        relu=True,
        reading=reading,
        provenance={"seed": seed},
    )
    gaps = torch.randn(GAPS, generator=generator(seed, "gaps", *names)).sort().values
    return ClonePackage(info, masks, adapter, rows, quantiles={"gap": gaps})


def state(network: nn.Module) -> dict[str, object]:
    """All that must not change: bytes, places and flags of every tensor, mode and hooks of every module."""
    found: dict[str, object] = {}
    for name, parameter in network.named_parameters():
        found[name] = (content(parameter), parameter.data_ptr(), parameter.requires_grad, parameter.grad is None)
    for name, buffer in network.named_buffers():
        found[name] = (content(buffer), buffer.data_ptr())
    for name, module in network.named_modules():
        found[f"module {name}"] = (module.training, [len(getattr(module, hooks) or ()) for hooks in HOOKS])
    return found


def content(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().numpy().tobytes()


def same_bits(one: nn.Module, other: nn.Module) -> bool:
    """Whether two modules hold the same tensors, bit for bit."""
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(content(first[key]) == content(second[key]) for key in first)
