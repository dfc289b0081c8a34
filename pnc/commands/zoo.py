"""``pnc zoo``."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pnc.base.errors import PncError, bad
from pnc.commands._main import Run, command

if TYPE_CHECKING:
    from pnc.arch import NetworkSpec
    from pnc.base.images import Images


@command("zoo")
def zoo(parser: ArgumentParser) -> Run:
    """Keep networks and packages by name: add, list, show, verify.

    A ZOO is a folder, or any address that fsspec knows; over http:// it is read-only. Commands that take a network or
    a package take zoo:NAME@ZOO as well. A clone is revoked by deleting its file, ZOO/packages/NAME.pnc.
    """
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, (add, summary) in _ACTIONS.items():
        own = actions.add_parser(name, help=summary, description=summary)
        own.add_argument("zoo", metavar="ZOO")
        own.set_defaults(action=add(own))
    return lambda arguments: arguments.action(arguments)


def _adding(parser: ArgumentParser) -> Run:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("file", type=Path, metavar="FILE", help="a network of pnc.save_network, or a package (.pnc)")
    parser.add_argument(
        "--samples", nargs="+", type=Path, metavar="PLACE",
        help="pictures of its classes, a few of which go into the zoo: pnc select then needs no weights",
    )  # fmt: skip
    parser.add_argument("--each", type=int, default=8, help="how many of every class (default: 8)")
    parser.add_argument("--test", nargs="+", type=Path, metavar="PLACE", help="pictures to measure its accuracy on")
    parser.add_argument("--dataset", metavar="TEXT", help="what the card calls these pictures")
    return _add


def _showing(parser: ArgumentParser) -> Run:
    parser.add_argument("name", metavar="NAME")
    return _show


_ACTIONS: dict[str, Any] = {
    "add": (_adding, "Add a network or a package; what is there never changes."),
    "list": (lambda _: _list, "Networks and packages, with their sizes."),
    "show": (_showing, "The card of a network."),
    "verify": (lambda _: _verify, "Name every file that is missing, damaged, or not what its name says."),
}


def _add(arguments: Namespace) -> None:
    from pnc.arch import load_network
    from pnc.base.evaluate import accuracy, predict
    from pnc.cloning.package import ClonePackage
    from pnc.zoo import Zoo

    place = Zoo(arguments.zoo)
    if arguments.file.suffix == ".pnc":
        if arguments.samples or arguments.test or arguments.dataset:
            raise bad("--samples, --test and --dataset", expected="them with a network", found="a package")
        entry = place.add_package(arguments.name, ClonePackage.load(arguments.file))
        print(f"{place.location}/packages/{arguments.name}.pnc: {entry.bytes:,} bytes, {', '.join(entry.names)}")
        return
    network, spec = load_network(arguments.file)
    right = None
    if arguments.test is not None:
        test = _pictures(arguments.test, spec)
        right = accuracy(predict(network, test.pixels), test.labels)
    samples = None if arguments.samples is None else _pictures(arguments.samples, spec)
    card = place.add(
        arguments.name, network, spec, accuracy=right, dataset=arguments.dataset, samples=samples, each=arguments.each
    )
    print("\n".join(f"{what:<18} {value}" for what, value in card.rows()))


def _pictures(places: list[Path], spec: "NetworkSpec") -> "Images":
    from pnc.commands._pictures import numbered, read_pictures

    return read_pictures(places, numbered(spec.class_names), spec.class_names, spec.size, spec.channels)


def _list(arguments: Namespace) -> None:
    from pnc.commands._package import table
    from pnc.zoo import Zoo

    place = Zoo(arguments.zoo)
    models, packages = place.models(), place.packages()
    known = {card.fingerprint: name for name, card in models.items()}
    rows = [["network", "bytes", "accuracy %", "signature", "classes"]]
    for name, card in models.items():
        measured = "–" if card.accuracy is None else f"{card.accuracy:.1f}"
        signed = "–" if card.signature is None else f"{card.signature.bytes:,}"
        rows.append([name, f"{card.weights.bytes:,}", measured, signed, ", ".join(card.spec.class_names)])
    print(table(rows))
    if packages:
        rows = [["package", "bytes", "source", "target", "classes"]]
        for name, entry in packages.items():
            ends = [known.get(each, each[:12]) for each in (entry.source, entry.target)]
            rows.append([name, f"{entry.bytes:,}", *ends, ", ".join(entry.names)])
        print(f"\n{table(rows)}")


def _show(arguments: Namespace) -> None:
    from pnc.zoo import Zoo

    print("\n".join(f"{what:<18} {value}" for what, value in Zoo(arguments.zoo).show(arguments.name).rows()))


def _verify(arguments: Namespace) -> None:
    from pnc.zoo import Zoo

    faults = Zoo(arguments.zoo).verify()
    if faults:
        print("\n".join(faults))
        raise PncError(f"zoo {arguments.zoo}: {len(faults)} file{'s' * (len(faults) > 1)} at fault")
    print(f"{arguments.zoo}: every file is what its name says")
