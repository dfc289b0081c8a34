"""How much time and work a sliced tail saves, against the masked tail and the source's own one.

    python benchmarks/slicing.py

prints a Markdown table. In every round the three run one after another, in an order that rotates; the table has
medians of the rounds' ratios, so that a machine that slows down for a while slows all three.
"""

import argparse
from statistics import median

import torch
from _clock import alternate, machine, ratio, table
from torch import nn

from pnc.arch import BlockNet, NetworkSpec, build
from pnc.arch.twin import Twin
from pnc.base.seeds import generator
from pnc.cloning.slicing import slice_tail, tail_cost
from pnc.cloning.tail import MaskedTail

HEADER = "network | R | MACs | parameters | masked / full | sliced / full | sliced / masked | full, ms | error"
NETWORKS = ("resnet18", "lenet5")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=float, default=0.3, help="kept fraction c/|W|")
    parser.add_argument("--batch", type=int, default=32, help="pictures per run")
    parser.add_argument("--rounds", type=int, default=15, help="n, the runs of each tail")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    print(f"{machine(options.threads, options.rounds)},")
    print(f"{options.batch} pictures of 32×32, width 1, float32, keep = {options.keep}; MACs and parameters are")
    print("those of the sliced tail over the full one's; error is |sliced − masked| over the largest |masked|\n")
    networks = {
        arch: with_statistics(build(NetworkSpec(arch, ("a", "b"), (0.5,) * 3, (0.25,) * 3))) for arch in NETWORKS
    }
    print(table(HEADER, [row(*item, start, options) for item in networks.items() for start in range(len(item[1]))]))


@torch.no_grad()
def row(arch: str, network: BlockNet, start: int, options: argparse.Namespace) -> list[object]:
    """One line of the table: the tails from block ``start`` on."""
    pictures = torch.rand(options.batch, 3, 32, 32, generator=generator(0, "pictures"))
    h = network.run(pictures, 0, start)
    full = Twin(nn.Sequential(*network.blocks[start:], network.pool)).module
    masked = MaskedTail(network, start, options.keep).harden()
    sliced = slice_tail(masked, h[:1])
    error = (sliced(h) - masked(h)).abs().max() / masked(h).abs().max()
    costs = [tail_cost(module, h) for module in (sliced, full)]
    macs, parameters = (costs[0][key] / costs[1][key] for key in ("macs", "parameters"))
    seconds = alternate([lambda: full(h), lambda: masked(h), lambda: sliced(h)], options.rounds)
    ratios = [ratio(seconds[i], seconds[j]) for i, j in ((1, 0), (2, 0), (2, 1))]
    shares = [f"{share:.2f}" for share in (macs, parameters, *ratios)]
    return [arch, start, *shares, f"{1e3 * median(seconds[0]):.1f}", f"{error:.0e}"]


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
