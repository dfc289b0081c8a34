"""A suite with its artefacts at hand: pictures, networks, and samples of their classes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from bench.work.suite import Suite, load_suite
from pnc.arch import BlockNet, NetworkSpec, load_network
from pnc.base.errors import PncError
from pnc.base.files import read_json
from pnc.base.images import Images
from pnc.base.splits import fraction_rows, holdout_rows
from pnc.base.tensors import read_tensors

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SETTINGS = "settings.json"  # beside an artefact: all that it was made with


@dataclass(frozen=True)
class Samples:
    """D_t or D_o: a part to learn from and a held-out one, with their rows among the data set's training pictures."""

    seen: Images
    held_out: Images
    rows: Tensor


@dataclass(frozen=True)
class Store:
    """What the stages of one suite read and write."""

    suite: Suite

    @staticmethod
    def open(name: str) -> "Store":
        return Store(load_suite(name))

    @cached_property
    def train(self) -> Images:
        return self._images("train")

    @cached_property
    def test(self) -> Images:
        return self._images("test")

    def network(self, name: str, seeds: str, seed: int) -> tuple[BlockNet, NetworkSpec]:
        with self.suite.rebuilt_by("pretrain", name, seeds):
            network, spec = load_network(self.suite.network(name, seeds) / f"seed{seed}.safetensors")
        return network.to(DEVICE), spec

    def samples(self, network: BlockNet, outputs: Iterable[int], share: float, seed: int, name: str) -> Samples:
        """``share`` of the pictures of some of a network's classes, labelled by their place among ``outputs``."""
        names = class_names(network)
        images, rows = of_names(self.train, [names[output] for output in outputs])
        chosen = fraction_rows(images, share, seed, name)
        part = images.take(chosen)
        seen, held_out = holdout_rows(part, float(self.suite.read("samples.held_out")), seed, name)
        return Samples(part.take(seen), part.take(held_out), rows[chosen][torch.cat([seen, held_out])])

    def made_with(self, networks: Mapping[str, str], seeds: str) -> dict[str, Any]:
        """The settings behind the pictures and behind ``networks``, names by role."""
        with self.suite.rebuilt_by("prepare"):
            pictures = read_json(self.suite.data(SETTINGS))
        own = {}
        for role, name in networks.items():
            with self.suite.rebuilt_by("pretrain", name, seeds):
                own[role] = read_json(self.suite.network(name, seeds) / SETTINGS)
        return {"data": pictures["data"], "networks": own}

    def _images(self, split: str) -> Images:
        with self.suite.rebuilt_by("prepare"):
            tensors, notes = read_tensors(self.suite.data(f"{split}.safetensors"))
        return Images(tensors["pixels"], tensors["labels"], tuple(notes["class_names"])).to(DEVICE)


def class_names(network: BlockNet) -> tuple[str, ...]:
    """A network's classes as the data set calls them: each has them in its file."""
    if network.class_names is None:
        raise PncError("network of the benchmark: expected class names, found none")
    return network.class_names


def of_names(images: Images, names: Iterable[str]) -> tuple[Images, Tensor]:
    """The pictures of some classes, labelled by their place among ``names``, and their rows in ``images``."""
    labels = [images.class_names.index(name) for name in names]
    rows = torch.isin(images.labels.cpu(), torch.tensor(labels)).nonzero().flatten()
    return images.relabelled(labels), rows
