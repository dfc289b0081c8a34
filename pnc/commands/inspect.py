"""``pnc inspect``."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from pnc.base.errors import bad
from pnc.base.files import write_text
from pnc.commands._main import Run, command


@command("inspect")
def inspect(parser: ArgumentParser) -> Run:
    """Say what packages hold, and how every position R did."""
    parser.add_argument("package", nargs="+", metavar="PACKAGE", help="a file, or zoo:NAME@ZOO")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="also draw it (a single package)")
    return _run


def _run(arguments: Namespace) -> None:
    from pnc.cloning.package import ClonePackage
    from pnc.commands._drawing import draw
    from pnc.commands._package import describe
    from pnc.zoo.reference import package_file

    if arguments.svg is not None and len(arguments.package) > 1:
        raise bad("--svg", expected="a single package", found=len(arguments.package))
    files = [Path(package_file(text)) for text in arguments.package]
    packages = [(path, ClonePackage.load(path)) for path in files]
    print("\n\n".join(describe(path, package) for path, package in packages))
    if arguments.svg is not None:
        write_text(arguments.svg, draw(packages[0][1]))
        print(f"\ndrawn in {arguments.svg}")
