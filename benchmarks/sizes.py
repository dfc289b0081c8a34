"""How many bytes each receiver gets: the package, the clone alone, the whole model, beside the two networks.

    python benchmarks/sizes.py [--table]

measures, writes benchmarks/sizes.json and from it the table in docs/shipping.md (with --table the table alone).
Weights are random and nothing is trained: bytes depend on shapes alone, and every layer keeps the same share of its
filters whatever they are.
"""

import argparse
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from _page import write_between
from slicing import with_statistics
from torch import nn

from bench.work.provenance import made
from pnc.arch import BlockNet, NetworkSpec, build, fingerprint, save_network
from pnc.base.files import write_text
from pnc.base.seeds import generator
from pnc.cloned.model import ClonedModel, attach
from pnc.cloning.package import ClonePackage, PackageInfo
from pnc.cloning.tail import MaskedTail

ROOT = Path(__file__).parents[1]
PAGE, NUMBERS = ROOT / "docs" / "shipping.md", Path(__file__).with_suffix(".json")
MARKS = ("<!-- made by benchmarks/sizes.py -->", "<!-- until here -->")
FILES = ("package", "clone", "whole", "target", "source")
NETWORKS, WIDTH, PIXELS, CLASSES, KEEP = ("resnet18", "resnet50"), 1.0, 32, 5, 0.3
HEADER = (
    "| network | R | package | A's share of it | clone alone | A's share of it "
    "| whole model | target | source |\n|---|---|---|---|---|---|---|---|---|"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", action="store_true", help="write the table of the numbers that are there")
    if not parser.parse_args().table:
        write_text(NUMBERS, json.dumps(measure(), indent=1) + "\n")
    write_between(PAGE, MARKS, table(numbers()))


def numbers() -> dict[str, Any]:
    return json.loads(NUMBERS.read_text())


def measure() -> dict[str, Any]:
    torch.set_num_threads(1)
    settings = {"width": WIDTH, "pixels": PIXELS, "classes": CLASSES, "cloned": 1, "keep": KEEP}
    found = {"made": {**made(ROOT), "safetensors": version("safetensors")}, "settings": settings, "bytes": []}
    for arch in NETWORKS:
        networks = source_and_target(arch)
        for position in (len(networks[0]) - 1, 1):
            found["bytes"].append({"network": arch, "R": position, **sizes(*networks, arch, position)})
            print(found["bytes"][-1], flush=True)
    return found


def table(found: Mapping[str, Any]) -> str:
    """Markdown: megabytes of 10⁶ bytes."""
    rows = [HEADER]
    for row in found["bytes"]:
        cells = [row["network"], row["R"]]
        for name in ("package", "clone"):
            cells += [_megabytes(row[name]), f"{100 * row['adapter'] / row[name]:.1f} %"]
        cells += [_megabytes(row[name]) for name in FILES[2:]]
        rows.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(rows)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.3f}" if count < 1e6 else f"{count / 1e6:.1f}"


def source_and_target(arch: str) -> tuple[BlockNet, BlockNet]:
    specs = spec(arch)
    source, target = (with_statistics(build(specs, seed)) for seed in (0, 1))
    return source, target


def spec(arch: str) -> NetworkSpec:
    return NetworkSpec(arch, tuple("abcdefghij"[:CLASSES]), (0.5,) * 3, (0.25,) * 3, PIXELS, WIDTH)


def sizes(source: BlockNet, target: BlockNet, arch: str, position: int) -> dict[str, int]:
    """Bytes of every file, and of A's tensors."""
    cloned = cloned_at(source, target, position)
    (package,) = cloned.packages
    with TemporaryDirectory() as folder:
        files = {name: Path(folder) / name for name in FILES}
        for role, network in (("source", source), ("target", target)):
            save_network(files[role], network, spec(arch))
        package.save(files["package"])
        cloned.export_module(files["clone"])
        cloned.export(files["whole"], pictures(2), format="safetensors")
        adapter = sum(tensor.nbytes for tensor in package.adapter.values())
        return {"adapter": adapter, **{name: path.stat().st_size for name, path in files.items()}}


def pictures(count: int) -> torch.Tensor:
    return torch.rand(count, 3, PIXELS, PIXELS, generator=generator(0, "pictures"))


@torch.no_grad()
def cloned_at(source: BlockNet, target: BlockNet, position: int) -> ClonedModel:
    """The usual clone of one class, with random weights in A and F_c."""
    h = source.run(pictures(1), 0, position)
    tail = MaskedTail(source, position, KEEP, "rescaled").harden()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        adapter = nn.Conv2d(h.shape[1], h.shape[1], 1)
        rows = nn.Linear(source.head.in_features + target.head.in_features, 1)
    hashes, size = (fingerprint(source), fingerprint(target)), (h.shape[2], h.shape[3])
    info = PackageInfo(*hashes, (0,), ("new",), position, position, size, True, "rescaled")
    package = ClonePackage(info, tail.bits(), adapter.state_dict(), rows.state_dict(), tail.constants())
    return attach(target, source, package)


if __name__ == "__main__":
    main()
