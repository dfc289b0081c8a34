"""``pnc repair``."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from pnc.base.errors import bad
from pnc.commands._learning import add_samples, add_settings, parse_settings
from pnc.commands._main import Run, command

if TYPE_CHECKING:
    from pnc.repairing import Damage


@command("repair")
def repair(parser: ArgumentParser) -> Run:
    """Learn the damaged tensors of a package's A and F_c again, from samples and the source's answers.

    M, R and every tensor whose checksum fits stay as they are, and neither network changes.
    """
    parser.add_argument("package", metavar="PACKAGE", help="a file, or zoo:NAME@ZOO")
    parser.add_argument("--source", required=True, metavar="NETWORK")
    parser.add_argument("--target", required=True, metavar="NETWORK")
    add_samples(parser)
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="where the repaired package goes")
    parser.add_argument(
        "--checksums", metavar="zoo:NAME@ZOO", help="a package of a zoo, whose checksums the file's should be"
    )
    add_settings(parser, "insert.epochs=20")
    return _run


def _run(arguments: Namespace) -> None:
    from pnc.cloning._request import read_settings
    from pnc.commands._networks import picture_kind, read_network
    from pnc.commands._pictures import folder_names, read_pictures
    from pnc.repairing import repair

    damage = _damage(arguments.package, arguments.checksums)
    if not damage.tensors:
        print(f"{arguments.package}: whole; nothing to repair")
        return
    settings, info = read_settings(parse_settings(arguments.changes), False), damage.package.info
    source, target = (read_network(text, arguments.device) for text in (arguments.source, arguments.target))
    classes = dict(zip(info.classes, info.names, strict=True))
    kind = picture_kind([source, target], arguments.size)
    samples = read_pictures(arguments.samples, folder_names(classes, source.network.class_names), source.names, *kind)
    repaired = repair(
        damage.package, source.network, target.network, samples,
        damaged=damage.tensors, settings=settings, seed=arguments.seed,
    )  # fmt: skip
    repaired.save(arguments.out)
    loss = repaired.info.provenance["repair_loss"]
    print(f"damaged: {', '.join(damage.tensors)}")
    print(f"{arguments.out}: {repaired.nbytes:,} bytes, learned again (loss {loss:.4f})")


def _damage(package: str, checksums: str | None) -> "Damage":
    from pnc.repairing import find_damage
    from pnc.zoo.reference import in_zoo

    if (place := in_zoo(package)) is not None:
        return place[0].damage(place[1])
    known = None
    if checksums is not None:
        if (place := in_zoo(checksums)) is None:
            raise bad("--checksums", expected="zoo:NAME@ZOO", found=f"'{checksums}'")
        known = place[0].entry(place[1]).digests
    try:
        return find_damage(Path(package).read_bytes(), known)
    except OSError as error:
        raise bad(package, expected="a clone package", found=error.strerror or "no file") from None
