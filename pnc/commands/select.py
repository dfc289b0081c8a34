"""``pnc select``."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from pnc.commands._main import Run, command


@command("select")
def select(parser: ArgumentParser) -> Run:
    """Rank the networks of a zoo as sources for a target, before cloning and without their weights.

    The number is Sim, the cosine of both networks' local models around pictures of the classes (supplement, Eq. 7),
    beside what it is where the pictures are exchanged, and for an untrained network.
    """
    parser.add_argument("zoo", metavar="ZOO")
    parser.add_argument("--target", required=True, metavar="NETWORK", help="the network that is to know the classes")
    parser.add_argument(
        "--classes", required=True, nargs="+", metavar="CLASS", help="names that sources have for them"
    )
    parser.add_argument(
        "--samples", nargs="+", type=Path, metavar="PLACE",
        help="your own pictures of the classes; every source's weights are then read",
    )  # fmt: skip
    parser.add_argument("--by", choices=("greedy", "optimal"), default="optimal", help="how outputs are paired")
    parser.add_argument("--seed", type=int, default=0)
    return _run


def _run(arguments: Namespace) -> None:
    from pnc.cloning.local.similarity import Alignment
    from pnc.commands._networks import picture_kind, read_network
    from pnc.commands._package import table
    from pnc.data.by_class import by_class
    from pnc.zoo import Zoo, select_source

    target = read_network(arguments.target)
    samples = None
    if arguments.samples is not None:
        size, channels = picture_kind([target], None)
        samples = by_class(arguments.samples, set(arguments.classes), size).with_channels(channels)
    by: Alignment = arguments.by
    other: Alignment = "greedy" if by == "optimal" else "optimal"
    wanted, seed = arguments.classes, arguments.seed
    ranked = select_source(Zoo(arguments.zoo), target.network, wanted, samples=samples, by=by, seed=seed)
    rows = [["source", f"Sim ({by})", "pictures exchanged", "untrained", f"Sim ({other})", "pictures"]]
    for each in ranked:
        null = each.null[by]
        rows.append([
            each.name, f"{each.similarity[by]:.3f}", f"{null.mean:.3f} ± {null.std:.3f}",
            f"{each.untrained[by]:.3f}", f"{each.similarity[other]:.3f}", str(each.pictures),
        ])  # fmt: skip
    print(table(rows))
