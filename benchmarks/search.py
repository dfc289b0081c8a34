"""What the search over R costs when all positions share their inputs.

    python benchmarks/search.py

Both networks answer the inputs once, for every R. Beside it: R = 0 alone, and every R by itself, in turn.
"""

import argparse
from collections.abc import Mapping
from statistics import median

import torch
from _clock import alternate, machine, ratio, table

from pnc.arch import NetworkSpec, build
from pnc.base.images import Images
from pnc.base.seeds import generator
from pnc.base.train import Schedule
from pnc.cloning.candidate import Candidate
from pnc.cloning.local.local_models import fit_local_models
from pnc.cloning.local.neighbourhood import Neighbourhood
from pnc.cloning.localize_insert import localize_insert
from pnc.cloning.settings import CloneSettings
from pnc.cloning.task import CloneTask

NETWORKS = {"lenet5": 1.0, "resnet18": 0.5}  # architecture → width
SETTINGS = CloneSettings(
    neighbourhood=Neighbourhood(masks=20), inputs_per_epoch=512, schedule=Schedule(epochs=1, batch=128)
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    print(f"{machine(options.threads, options.rounds)}, {SETTINGS.inputs_per_epoch} inputs, strict, keep = 0.3\n")
    header = "network | width | positions | all R, s | / R = 0 alone | / one after another | difference"
    print(table(header, [row(arch, width, options.rounds) for arch, width in NETWORKS.items()]))


def row(arch: str, width: float, rounds: int) -> list[object]:
    task = subject(arch, width)
    local_models = fit_local_models(task.source, task.pixels, SETTINGS.neighbourhood, seed=0)
    every = range(len(task.target))

    def train(*positions: int) -> dict[int, Candidate]:
        found = localize_insert(task, local_models, SETTINGS, positions, seed=0)
        return {position: candidate for position, (candidate, _) in found.items()}

    def one_by_one() -> dict[int, Candidate]:
        return {position: train(position)[position] for position in every}

    error = difference(train(*every), one_by_one())
    together, first, apart = alternate([lambda: train(*every), lambda: train(0), one_by_one], rounds)
    ratios = [f"{ratio(together, first):.2f}", f"{ratio(together, apart):.2f}"]
    return [arch, width, len(every), f"{median(together):.1f}", *ratios, f"{error:.0e}"]


def subject(arch: str, width: float) -> CloneTask:
    """Untrained networks of five classes, and random pictures: neither changes the time."""
    draw = generator(0, arch)
    spec = NetworkSpec(arch, tuple("abcde"), (0.5,) * 3, (0.25,) * 3, width=width)
    samples, held_out = (
        Images(
            torch.randint(0, 256, (count, 3, 32, 32), generator=draw).to(torch.uint8),
            torch.zeros(count, dtype=torch.int64),
            ("new",),
        )
        for count in (40, 10)
    )
    return CloneTask(build(spec, 0), build(spec, 1), (0,), samples, held_out)


def difference(one: Mapping[int, Candidate], other: Mapping[int, Candidate]) -> float:
    """The largest difference in anything learned."""
    pairs = zip(one.values(), other.values(), strict=True)
    learned = ((a.learned().state_dict(), b.learned().state_dict()) for a, b in pairs)
    return max(float((a[name] - b[name]).abs().max()) for a, b in learned for name in a)


if __name__ == "__main__":
    main()
