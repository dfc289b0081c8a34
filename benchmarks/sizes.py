"""How many bytes each receiver gets: the package, the clone alone, the exports, beside the two networks.

    python benchmarks/sizes.py

prints a Markdown table. Weights are random: bytes depend on shapes alone, and the masks keep the same share of every
layer's filters.
"""

import argparse
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from _clock import machine, table
from torch import nn

from pnc.arch import BlockNet, NetworkSpec, build, fingerprint, save_network
from pnc.base.seeds import generator
from pnc.cloned.model import ClonedModel, attach
from pnc.cloning.package import ClonePackage, PackageInfo
from pnc.cloning.tail import MaskedTail

HEADER = "network | R | package | clone alone | safetensors | pt2 | onnx | target | source"
FORMATS = ("safetensors", "pt2", "onnx")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=["resnet18", "resnet50"])
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--keep", type=float, default=0.3, help="kept fraction c/|W|")
    options = parser.parse_args()
    libraries = ", ".join(f"{name} {version(name)}" for name in ("safetensors", "onnx", "onnxscript"))
    print(f"{machine(1, 1)}, {libraries},")
    print(f"width {options.width}, 32×32, two heads of 5 classes, 2 of them cloned, keep = {options.keep};")
    print("kilobytes\n")
    rows = []
    for arch in options.networks:
        for position in (2, 4):
            rows.append(row(arch, position, options))
            print("|", " | ".join(map(str, rows[-1])), "|", flush=True)
    print(f"\n{table(HEADER, rows)}")


def row(arch: str, position: int, options: argparse.Namespace) -> list[object]:
    """One line of the table: kilobytes (1000 bytes) of every file."""
    with TemporaryDirectory() as folder:
        files = {name: Path(folder) / name for name in ("package", "clone", *FORMATS, "target", "source")}
        networks = []
        for seed, role in enumerate(("source", "target")):
            spec = NetworkSpec(arch, tuple("abcde"), (0.5,) * 3, (0.25,) * 3, width=options.width)
            networks.append(build(spec, seed))
            save_network(files[role], networks[-1], spec)
        cloned = cloned_at(*networks, position, options.keep)
        cloned.packages[0].save(files["package"])
        cloned.export_module(files["clone"])
        for name in FORMATS:
            cloned.export(files[name], torch.rand(2, 3, 32, 32, generator=generator(0, "pictures")), format=name)
        return [arch, position, *(f"{path.stat().st_size / 1000:,.0f}" for path in files.values())]


@torch.no_grad()
def cloned_at(source: BlockNet, target: BlockNet, position: int, keep: float) -> ClonedModel:
    """The usual size of clone, with random weights in A and F_c."""
    h = source.run(torch.rand(1, 3, 32, 32, generator=generator(0, "pictures")), 0, position)
    masks = MaskedTail(source, position, keep).harden().bits()
    adapter = nn.Conv2d(h.shape[1], h.shape[1], 1)
    rows = nn.Linear(source.head.in_features + target.head.in_features, 2)
    hashes, size = (fingerprint(source), fingerprint(target)), (h.shape[2], h.shape[3])
    info = PackageInfo(*hashes, (0, 1), ("f", "g"), position, position, size, True, "zero")
    return attach(target, source, ClonePackage(info, masks, adapter.state_dict(), rows.state_dict()))


if __name__ == "__main__":
    main()
