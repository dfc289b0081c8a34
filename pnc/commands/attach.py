"""``pnc attach``."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from pnc.commands._main import Run, command


@command("attach")
def attach(parser: ArgumentParser) -> Run:
    """Put packages beside a target: a small file that evaluate, export and detach take.

    It names the networks and packages with their SHA-256, which are checked whenever it is read, and holds none of
    them. Paths in it are relative to it.
    """
    parser.add_argument("--target", required=True, metavar="NETWORK")
    parser.add_argument(
        "--source", required=True, nargs="+", metavar="NETWORK", help="in any order: a package knows its own"
    )
    parser.add_argument("--package", required=True, nargs="+", metavar="FILE", help="in this order; or zoo:NAME@ZOO")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="the file to write, NAME.json")
    return _run


def _run(arguments: Namespace) -> None:
    from pnc.commands._model import attach_all, write_model
    from pnc.commands._networks import read_network
    from pnc.zoo.reference import package_file

    target = read_network(arguments.target)
    packages = [Path(package_file(text)) for text in arguments.package]
    model = attach_all(target, [read_network(text) for text in arguments.source], packages)
    write_model(arguments.out, target, model.clones)
    print(f"{arguments.out}: {len(target.names)} classes of the target, then")
    for clone in model.clones:
        print(f"  {', '.join(clone.package.info.names)} ({clone.path}, R = {clone.package.info.position})")
