"""What a clone costs, stage by stage: seconds on the clock, CPU seconds and peak memory.

    python benchmarks/clone.py lenet5-32 [--threads 2] [--beside-other-work]

measures the subjects that are named, each in a process of its own, keeps what they took in benchmarks/clone.json and
writes the table in benchmarks/README.md, where a subject that was not measured is shown as missing. Without a name it
only writes the table. The networks are untrained and the pictures random: neither changes what is computed.
"""

import argparse
import json
import multiprocessing
import resource
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
import torchvision
from _page import write_between

import pnc
import pnc.cloning.clone as cloning
import pnc.cloning.localize_insert as learning
from bench.work.provenance import made
from pnc.base.files import write_text
from pnc.base.images import Images
from pnc.base.seeds import generator

ROOT = Path(__file__).parents[1]
PAGE, NUMBERS = Path(__file__).with_name("README.md"), Path(__file__).with_suffix(".json")
MARKS = ("<!-- made by benchmarks/clone.py -->", "<!-- until here -->")
HEADER = "| subject | stage | R | seconds | CPU seconds | share of CPU |\n|---|---|---|---|---|---|"


@dataclass(frozen=True)
class Subject:
    """Source and target of one kind, five classes each, one of them cloned."""

    arch: str
    channels: int
    pixels: int
    pictures: int = 500  # |D_t|: a tenth of a class of MNIST or CIFAR-10
    settings: Mapping[str, Any] | None = None
    positions: tuple[int, ...] | None = None  # the search's own if not given


# A ResNet-18's search is stopped where it seldom goes on: how long one is depends on what its networks have learned.
# At 224 pixels it is torchvision's, whose stem has strides, as people have it.
SUBJECTS = {
    "lenet5-32": Subject("lenet5", 1, 32),
    "resnet18-32, quick": Subject("resnet18", 3, 32, settings=pnc.QUICK, positions=(4, 3)),
    "resnet18-224, quick": Subject("resnet18", 3, 224, pictures=50, settings=pnc.QUICK, positions=(4,)),
}


@dataclass
class Stopwatch:
    """Seconds and CPU seconds of the parts of ``pnc.clone``, by stage and position R."""

    position: int | None = None
    spent: dict[tuple[str, int | None], list[float]] = field(default_factory=lambda: defaultdict(lambda: [0.0, 0.0]))

    @contextmanager
    def running(self, stage: str) -> Iterator[None]:
        before = time.perf_counter(), time.process_time()
        yield
        spent = self.spent[stage, self.position]
        spent[0] += time.perf_counter() - before[0]
        spent[1] += time.process_time() - before[1]

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if stage == "start of A":
                self.position = arguments[2]
            with self.running(named["label"] if stage == "fit" else stage):
                return function(*arguments, **named)

        return call


PARTS = (
    (cloning, "make_task", "checks"),
    (cloning, "fit_local_models", "local models G"),
    (learning, "near", "inputs"),
    (learning, "taught", "inputs"),
    (learning, "start", "start of A"),
    (learning, "features", "features at R"),
    (learning, "fit", "fit"),  # its label says which
    (learning, "calibrate", "calibration"),
)


def measure(name: str, threads: int) -> dict[str, Any]:
    """One clone: what each stage took, and the process's peak memory in MB (10⁶ bytes)."""
    torch.set_num_threads(threads)
    warnings.simplefilter("ignore")  # untrained networks know no class
    subject, watch = SUBJECTS[name], Stopwatch()
    names = tuple("abcde")
    source, target = (network(subject, names, seed) for seed in (0, 1))
    size = (subject.pictures, subject.channels, subject.pixels, subject.pixels)
    pixels = torch.randint(0, 256, size, generator=generator(0, name), dtype=torch.uint8)
    samples, before = Images(pixels, torch.zeros(subject.pictures, dtype=torch.int64), names), _peak()
    began = time.perf_counter(), time.process_time()
    with ExitStack() as patched:
        for module, function, stage in PARTS:
            patched.enter_context(patch.object(module, function, watch.timed(stage, getattr(module, function))))
        pnc.clone(source, target, samples, {0: "new"}, settings=subject.settings, positions=subject.positions)
    total = time.perf_counter() - began[0], time.process_time() - began[1]
    rest = [whole - sum(spent[i] for spent in watch.spent.values()) for i, whole in enumerate(total)]
    stages = [[stage, position, *spent] for (stage, position), spent in watch.spent.items()]
    return {
        "made": made(ROOT),
        "stages": [*stages, ["all else", None, *rest], ["total", None, *total]],
        "megabytes": {"before": before, "peak": _peak()},
    }


def network(subject: Subject, names: tuple[str, ...], seed: int) -> pnc.BlockNet:
    if subject.pixels < 224:
        statistics = ((0.5,) * subject.channels, (0.25,) * subject.channels)
        return pnc.build(pnc.NetworkSpec(subject.arch, names, *statistics, size=subject.pixels), seed)
    example = torch.rand(2, subject.channels, subject.pixels, subject.pixels, generator=generator(seed, "example"))
    torch.manual_seed(seed)
    model = getattr(torchvision.models, subject.arch)(num_classes=len(names)).eval()
    return pnc.wrap(model, normalise="imagenet", size=subject.pixels, example=example, names=names)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def table(found: Mapping[str, Any]) -> str:
    rows = [HEADER]
    for name in SUBJECTS:
        if name not in found:
            rows.append(f"| {name} | not measured yet | | | | |")
            continue
        total = found[name]["stages"][-1][3]
        for stage, position, wall, cpu in found[name]["stages"]:
            at = "" if position is None else position
            rows.append(f"| {name} | {stage} | {at} | {wall:.1f} | {cpu:.1f} | {100 * cpu / total:.0f} % |")
    return "\n".join([*rows, "", *(remark(name, found[name]) for name in SUBJECTS if name in found)])


def remark(name: str, found: Mapping[str, Any]) -> str:
    before, peak = (f"{found['megabytes'][key]:.0f}" for key in ("before", "peak"))
    beside = "; other work ran on the machine at the same time" if found["beside_other_work"] else ""
    where = f"{found['made']['device']}, torch {found['made']['torch']}{beside}"
    return f"{name}: {where}. Peak memory {peak} MB; before the clone, with the samples in memory, {before} MB."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("subjects", nargs="*", help=f"what to measure, of {', '.join(SUBJECTS)}")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--beside-other-work", action="store_true", help="say so with the numbers")
    options = parser.parse_args()
    if unknown := set(options.subjects) - set(SUBJECTS):
        parser.error(f"expected some of {', '.join(SUBJECTS)}, found {', '.join(sorted(unknown))}")
    found = numbers()
    for name in options.subjects:
        with multiprocessing.get_context("spawn").Pool(1) as alone:  # so that the peak is this clone's own
            found[name] = alone.apply(measure, (name, options.threads))
        found[name]["beside_other_work"] = options.beside_other_work
        write_text(NUMBERS, json.dumps(found, indent=1) + "\n")
    write_between(PAGE, MARKS, table(found))


def numbers() -> dict[str, Any]:
    return json.loads(NUMBERS.read_text()) if NUMBERS.is_file() else {}


if __name__ == "__main__":
    main()
