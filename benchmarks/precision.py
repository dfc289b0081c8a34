"""Which arithmetic is fastest here: memory format, bf16 autocast and torch.compile, on ResNet-18.

    python benchmarks/precision.py

Pictures per second in training and inference; ratios are to float32 with contiguous memory. Then a whole clone at R =
4, local models and all, with ``precision`` fp32 and bf16.
"""

import argparse
import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from statistics import median

import torch
import torch.nn.functional as F
from _clock import alternate, machine, ratio, table
from search import SETTINGS, subject
from torch import Tensor, nn

from pnc.arch import NetworkSpec, build
from pnc.base.precision import Precision
from pnc.base.seeds import generator
from pnc.cloning.local.local_models import fit_local_models
from pnc.cloning.localize_insert import localize_insert
from pnc.cloning.task import CloneTask

PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
VARIANTS = {  # name → (memory format, bf16, compile)
    "contiguous": (torch.contiguous_format, False, False),
    "bf16": (torch.contiguous_format, True, False),
    "channels last": (torch.channels_last, False, False),
    "channels last, compiled": (torch.channels_last, False, True),
    "channels last, bf16": (torch.channels_last, True, False),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    print(f"{machine(options.threads, options.rounds)}, ResNet-18 of width {options.width}, batch {options.batch}\n")
    network = build(NetworkSpec("resnet18", tuple("abcde"), (0.5,) * 3, (0.25,) * 3, width=options.width)).to(DEVICE)
    pictures = torch.rand(options.batch, 3, 32, 32, generator=generator(0, "pictures")).to(DEVICE)
    rows = []
    for purpose in (training, inference):
        seconds = alternate([purpose(network, pictures, *variant) for variant in VARIANTS.values()], options.rounds)
        for name, each in zip(VARIANTS, seconds, strict=True):
            speed = f"{options.batch / median(each):.0f}"
            rows.append([purpose.__name__, name, speed, f"{ratio(seconds[0], each):.2f}"])
    print(table("purpose | arithmetic | pictures per second | speed-up", rows), "\n")
    print(table("a clone at R = 4 | seconds | speed-up", cloning(options.width, options.rounds)))


def cloning(width: float, rounds: int) -> list[list[object]]:
    task = subject("resnet18", width)
    seconds = alternate([partial(clone, task, precision) for precision in PRECISIONS], rounds)
    return [
        [precision, f"{median(each):.1f}", f"{ratio(seconds[0], each):.2f}"]
        for precision, each in zip(PRECISIONS, seconds, strict=True)
    ]


def clone(task: CloneTask, precision: Precision) -> None:
    settings = replace(SETTINGS, precision=precision)
    local_models = fit_local_models(
        task.source, task.pixels, settings.neighbourhood, seed=0, precision=settings.precision
    )
    localize_insert(task, local_models, settings, [4], seed=0)


def training(
    network: nn.Module, pictures: Tensor, memory: torch.memory_format, bf16: bool, compiled: bool
) -> Callable[[], None]:
    own = copy.deepcopy(network).train().to(memory_format=memory)
    run = torch.compile(own) if compiled else own
    optimiser = torch.optim.SGD(own.parameters(), lr=0.01, momentum=0.9)
    labels = torch.arange(len(pictures), device=pictures.device) % 5

    def step() -> None:
        with torch.autocast(DEVICE, torch.bfloat16, enabled=bf16):
            loss = F.cross_entropy(run(pictures), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        synchronise()

    return step


def inference(
    network: nn.Module, pictures: Tensor, memory: torch.memory_format, bf16: bool, compiled: bool
) -> Callable[[], None]:
    own = copy.deepcopy(network).eval().to(memory_format=memory)
    run = torch.compile(own) if compiled else own

    @torch.no_grad()
    def step() -> None:
        with torch.autocast(DEVICE, torch.bfloat16, enabled=bf16):
            run(pictures)
        synchronise()

    return step


def synchronise() -> None:
    if DEVICE == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
