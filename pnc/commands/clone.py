"""``pnc clone``."""

import shutil
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Literal

from pnc.base.errors import bad
from pnc.commands._learning import add_samples, add_settings, parse_settings
from pnc.commands._main import Run, command


@command("clone")
def clone(parser: ArgumentParser) -> Run:
    """Learn a package that adds classes of one network to another.

    Neither network changes. A run that was interrupted goes on from OUT.unfinished when the same command is given
    again, and ends with the same bits.
    """
    parser.add_argument("--source", required=True, metavar="NETWORK", help="the network that knows the classes")
    parser.add_argument("--target", required=True, metavar="NETWORK", help="the network that is to know them")
    add_samples(parser)
    parser.add_argument(
        "--classes", required=True, nargs="+", metavar="CLASS",
        help="names or outputs of the source, each perhaps with a new name: 3=owl",
    )  # fmt: skip
    parser.add_argument(
        "--rehearsal", nargs="+", type=Path, metavar="PLACE", help="pictures of all of the target's classes"
    )
    parser.add_argument("--regime", choices=("strict", "rehearsal"), help="by default what --rehearsal implies")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="where the package goes")
    parser.add_argument(
        "--positions", nargs="+", metavar="R",
        help="search these alone, or all (default: from the last on, until one is worse)",
    )  # fmt: skip
    parser.add_argument(
        "--quick", action="store_true", help="pnc.QUICK: fewer passes through large networks (--set overrides it)"
    )
    add_settings(parser, "keep=0.5 insert.epochs=20")
    parser.add_argument("--quiet", action="store_true", help="say nothing of how far it is")
    return _run


def _run(arguments: Namespace) -> None:
    import pnc
    from pnc.commands._networks import picture_kind, read_network
    from pnc.commands._package import describe
    from pnc.commands._pictures import folder_names, numbered, read_classes, read_pictures

    out: Path = arguments.out
    if not out.parent.is_dir():
        raise bad("--out", expected="a file in a folder that is there", found=f"'{out}'")
    changes = parse_settings(arguments.changes, pnc.QUICK if arguments.quick else None)
    if arguments.regime is not None:
        changes["regime"] = arguments.regime
    source = read_network(arguments.source, arguments.device)
    target = read_network(arguments.target, arguments.device)
    kind = picture_kind([source, target], arguments.size)
    known = source.network.class_names
    classes = read_classes(arguments.classes, known, source.network.classes)
    samples = read_pictures(arguments.samples, folder_names(classes, known), source.names, *kind)
    rehearsal = None
    if arguments.rehearsal is not None:
        rehearsal = read_pictures(arguments.rehearsal, numbered(target.names), target.names, *kind)
    unfinished = out.with_name(f"{out.name}.unfinished")
    if unfinished.is_dir() and not arguments.quiet:
        print(f"pnc: going on from {unfinished}", file=sys.stderr)
    try:
        package = pnc.clone(
            source.network, target.network, samples, classes, rehearsal=rehearsal, settings=changes,
            positions=_positions(arguments.positions), seed=arguments.seed,
            progress=not arguments.quiet, checkpoints=unfinished,
        )  # fmt: skip
    except KeyboardInterrupt as stop:
        if unfinished.is_dir():
            stop.add_note(f"the same command goes on from {unfinished}")
        raise
    package.save(out)
    shutil.rmtree(unfinished, ignore_errors=True)
    print(describe(out, package))


def _positions(words: list[str] | None) -> list[int] | Literal["all"] | None:
    if words is None:
        return None
    if words == ["all"]:
        return "all"
    if not all(word.isdecimal() for word in words):
        raise bad("--positions", expected="whole numbers, or all", found=" ".join(words))
    return list(map(int, words))
