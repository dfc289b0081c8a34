"""How much time and work a sliced tail saves, against the masked tail and the source's own one.

    python benchmarks/slicing.py

prints a Markdown table. In every round the three run one after another, in an order that rotates; the table has
medians of the rounds' ratios, so that a machine that slows down for a while slows all three.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor, nn

from pnc.arch import BlockNet, NetworkSpec, build
from pnc.bench.provenance import device_name
from pnc.seeds import generator
from pnc.slicing import slice_tail, tail_cost
from pnc.tail import MaskedTail
from pnc.twin import Twin

HEADER = "network | R | MACs | parameters | masked / full | sliced / full | sliced / masked | full, ms | error"
NETWORKS = ("resnet18", "lenet5")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=float, default=0.3, help="kept fraction c/|W|")
    parser.add_argument("--batch", type=int, default=32, help="pictures per run")
    parser.add_argument("--rounds", type=int, default=15, help="n, the runs of each tail")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{device_name()}, torch {torch.__version__}, {options.threads} thread(s), n = {options.rounds} rounds,")
    print(f"{options.batch} pictures of 32×32, width 1, float32, keep = {options.keep}; MACs and parameters are")
    print("those of the sliced tail over the full one's; error is |sliced − masked| over the largest |masked|\n")
    print(f"| {HEADER} |\n|" + "---|" * len(HEADER.split("|")))
    for arch in NETWORKS:
        network = with_statistics(build(NetworkSpec(arch, ("a", "b"), (0.5,) * 3, (0.25,) * 3)))
        for start in range(len(network)):
            print(row(arch, network, start, options), flush=True)


@torch.no_grad()
def row(arch: str, network: BlockNet, start: int, options: argparse.Namespace) -> str:
    """One line of the table: the tails from block ``start`` on."""
    pictures = torch.rand(options.batch, 3, 32, 32, generator=generator(0, "pictures"))
    h = network.run(pictures, 0, start)
    full = Twin(nn.Sequential(*network.blocks[start:], network.pool)).module
    masked = MaskedTail(network, start, options.keep).harden()
    sliced = slice_tail(masked, h[:1])
    error = (sliced(h) - masked(h)).abs().max() / masked(h).abs().max()
    costs = [tail_cost(module, h) for module in (sliced, full)]
    macs, parameters = (costs[0][key] / costs[1][key] for key in ("macs", "parameters"))
    seconds = alternate([full, masked, sliced], h, options.rounds)
    ratios = [median(a / b for a, b in zip(seconds[i], seconds[j], strict=True)) for i, j in ((1, 0), (2, 0), (2, 1))]
    shares = " | ".join(f"{share:.2f}" for share in (macs, parameters, *ratios))
    return f"| {arch} | {start} | {shares} | {1e3 * median(seconds[0]):.1f} | {error:.0e} |"


def alternate(modules: list[nn.Module], h: Tensor, rounds: int) -> list[list[float]]:
    """Seconds of every run, [module][round], after one run of each to warm up."""
    seconds: list[list[float]] = [[] for _ in modules]
    for turn in range(rounds + 1):
        for step in range(len(modules)):
            index = (turn + step) % len(modules)
            seconds[index].append(clock(modules[index], h))
    return [runs[1:] for runs in seconds]


def clock(run: Callable[[Tensor], Tensor], h: Tensor) -> float:
    begin = time.perf_counter()
    run(h)
    return time.perf_counter() - begin


def with_statistics(network: BlockNet) -> BlockNet:
    """Random batch statistics and shifts, so that dropped filters leave constants as those of trained networks do."""
    draw = generator(0, "statistics")
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            state = module.state_dict()
            for name in ("running_mean", "bias"):
                state[name].normal_(0, 0.2, generator=draw)
            state["running_var"].uniform_(0.5, 2, generator=draw)
    return network


if __name__ == "__main__":
    main()
