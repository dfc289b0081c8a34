"""``pnc clone``."""

import json
import shutil
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pnc.base.errors import bad
from pnc.commands._main import Run, command


@command("clone")
def clone(parser: ArgumentParser) -> Run:
    """Learn a package that adds classes of one network to another.

    Neither network changes. A run that was interrupted goes on from OUT.unfinished when the same command is given
    again, and ends with the same bits.
    """
    parser.add_argument("--source", required=True, metavar="NETWORK", help="the network that knows the classes")
    parser.add_argument("--target", required=True, metavar="NETWORK", help="the network that is to know them")
    parser.add_argument(
        "--samples", required=True, nargs="+", type=Path, metavar="PLACE",
        help="the source's pictures of the classes: folders with a folder for each class, or Parquet files",
    )  # fmt: skip
    parser.add_argument(
        "--classes", required=True, nargs="+", metavar="CLASS",
        help="names or outputs of the source, each perhaps with a new name: 3=owl",
    )  # fmt: skip
    parser.add_argument(
        "--rehearsal", nargs="+", type=Path, metavar="PLACE", help="pictures of all of the target's classes"
    )
    parser.add_argument("--regime", choices=("strict", "rehearsal"), help="by default what --rehearsal implies")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="where the package goes")
    parser.add_argument("--positions", nargs="+", type=int, metavar="R", help="search these alone (default: all)")
    parser.add_argument(
        "--set", nargs="+", default=[], dest="changes", metavar="KEY=VALUE",
        help="settings of pnc.CloneSettings, by dotted names: keep=0.5 insert.epochs=20",
    )  # fmt: skip
    parser.add_argument("--size", type=int, metavar="PIXELS", help="side of the pictures (default: the networks')")
    parser.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quiet", action="store_true", help="say nothing of how far it is")
    return _run


def _run(arguments: Namespace) -> None:
    import pnc
    from pnc.commands._networks import picture_channels, picture_size, read_network
    from pnc.commands._package import describe
    from pnc.commands._pictures import folder_names, read_classes, read_pictures

    out: Path = arguments.out
    if not out.parent.is_dir():
        raise bad("--out", expected="a file in a folder that is there", found=f"'{out}'")
    changes = parse_settings(arguments.changes)
    if arguments.regime is not None:
        changes["regime"] = arguments.regime
    source = read_network(arguments.source, arguments.device)
    target = read_network(arguments.target, arguments.device)
    kind = picture_size([source, target], arguments.size), picture_channels([source, target])
    known = source.network.class_names
    classes = read_classes(arguments.classes, known, source.network.classes)
    samples = read_pictures(arguments.samples, folder_names(classes, known), source.names, *kind)
    rehearsal = None
    if arguments.rehearsal is not None:
        outputs = {name: output for output, name in enumerate(target.names)}
        rehearsal = read_pictures(arguments.rehearsal, outputs, target.names, *kind)
    unfinished = out.with_name(f"{out.name}.unfinished")
    if unfinished.is_dir() and not arguments.quiet:
        print(f"pnc: going on from {unfinished}", file=sys.stderr)
    try:
        package = pnc.clone(
            source.network, target.network, samples, classes, rehearsal=rehearsal, settings=changes,
            positions=arguments.positions, seed=arguments.seed, progress=not arguments.quiet, checkpoints=unfinished,
        )  # fmt: skip
    except KeyboardInterrupt as stop:
        if unfinished.is_dir():
            stop.add_note(f"the same command goes on from {unfinished}")
        raise
    package.save(out)
    shutil.rmtree(unfinished, ignore_errors=True)
    print(describe(out, package))


def parse_settings(pairs: Sequence[str]) -> dict[str, Any]:
    """``a.b=1`` as {"a": {"b": 1}}; values are JSON, and text where they are none. Raises PncError for no pair."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise bad("--set", expected="KEY=VALUE", found=f"'{pair}'")
        *path, last = key.split(".")
        inner = found
        for name in path:
            inner = inner.setdefault(name, {})
            if not isinstance(inner, dict):
                raise bad("--set", expected=f"'{name}' whole or in parts", found="both")
        inner[last] = _value(text)
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
