"""``pnc detach``."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from pnc.commands._main import Run, command


@command("detach")
def detach(parser: ArgumentParser) -> Run:
    """Take packages out of what attach wrote; the others stay, and the target is what it was.

    Without a WHICH all of them are taken out.
    """
    parser.add_argument("model", type=Path, metavar="MODEL", help="a file that pnc attach wrote")
    parser.add_argument(
        "which", nargs="*", metavar="WHICH", help="one of its classes, the SHA-256 of a package's file, or its path"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="the file to write (default: MODEL itself)")
    return _run


def _run(arguments: Namespace) -> None:
    from pnc.cloned.model import ClonedModel
    from pnc.commands._model import read_model, with_clones, write_model

    model = read_model(arguments.model)
    left = model.running
    for which in arguments.which or [None]:
        known = Path(which) if which is not None and Path(which).is_file() else which
        left = with_clones(left, f"{arguments.model}, to detach from").detach(known)
    packages = left.packages if isinstance(left, ClonedModel) else ()
    clones = [clone for clone in model.clones if any(clone.package is package for package in packages)]
    out = arguments.out or arguments.model
    write_model(out, model.target, clones)
    names = [", ".join(clone.package.info.names) for clone in clones]
    print(f"{out}: {len(model.target.names)} classes of the target, then {'; '.join(names) or 'nothing'}")
