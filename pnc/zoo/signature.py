"""A model's signature: its local models G (supplement, Eq. 4) around a few pictures, and these pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn

from pnc.arch import NetworkSpec, as_blocknet
from pnc.base.errors import PncError, bad
from pnc.base.images import Images
from pnc.base.mapping import from_mapping
from pnc.base.seeds import generator
from pnc.base.tensors import read_tensors, write_tensors
from pnc.cloning.local.local_models import LocalModels, fit_local_models
from pnc.cloning.local.neighbourhood import Neighbourhood

EACH = 8  # pictures of each class


@dataclass(frozen=True, eq=False)
class Signature:
    """``models`` G of a network of ``spec`` around ``images``, whose labels are its outputs.

    ``neighbourhood`` and ``seed`` are what B was drawn by, so that G of another network can be fitted beside it.
    """

    models: LocalModels
    images: Images
    spec: NetworkSpec
    neighbourhood: Neighbourhood
    seed: int

    def of_classes(self, names: Sequence[str]) -> "Signature":
        """The part around pictures of the classes ``names``. Raises PncError for one without pictures."""
        labels = [self.images.class_names.index(name) for name in names if name in self.images.class_names]
        images = self.images.of_classes(labels)
        there = torch.isin(self.images.labels, torch.tensor(labels)).nonzero().flatten()
        return Signature(
            LocalModels(self.models.theta[there], self.models.masks), images, self.spec, self.neighbourhood, self.seed
        )

    def around(self, network: nn.Module) -> LocalModels:
        """G of another network around the same pictures, by the same B."""
        return fit_local_models(as_blocknet(network), self.images.pixels, self.neighbourhood, seed=self.seed)

    def content(self) -> bytes:
        """As a safetensors file."""
        tensors: Mapping[str, Tensor] = {
            "theta": self.models.theta,
            "masks": self.models.masks.to(torch.uint8),
            "pixels": self.images.pixels,
            "labels": self.images.labels,
        }
        notes = {"spec": asdict(self.spec), "neighbourhood": asdict(self.neighbourhood), "seed": self.seed}
        with TemporaryDirectory() as folder:
            write_tensors(Path(folder, "signature"), tensors, notes)
            return Path(folder, "signature").read_bytes()

    @staticmethod
    def load(path: str | Path) -> "Signature":
        """Read a signature. Raises PncError if the file is damaged or another."""
        tensors, notes = read_tensors(path)
        try:
            spec = from_mapping(NetworkSpec, notes["spec"], "spec")
            near = from_mapping(Neighbourhood, notes["neighbourhood"], "neighbourhood")
            images = Images(tensors["pixels"], tensors["labels"], spec.class_names)
            models = LocalModels(tensors["theta"], tensors["masks"].float())
            if len(models) != len(images):
                raise bad("local models", expected=len(images), found=len(models))
            return Signature(models, images, spec, near, int(notes["seed"]))
        except (PncError, KeyError, TypeError) as error:
            raise bad(str(path), expected="a signature", found=f"another file ({error})") from None


def sign(
    network: nn.Module,
    spec: NetworkSpec,
    images: Images,
    *,
    each: int | None = EACH,
    neighbourhood: Neighbourhood | None = None,
    seed: int = 0,
) -> Signature:
    """The signature of ``network`` around at most ``each`` pictures of every class, or all of them for None.

    The labels of ``images`` are outputs of the network. Raises PncError for others, and for a grid that does not
    divide the pictures.
    """
    view = as_blocknet(network)
    if (last := int(images.labels.max()) if len(images) else 0) >= view.classes:
        raise bad("labels of the signature's pictures", expected=f"outputs 0…{view.classes - 1}", found=last)
    chosen = images if each is None else images.take(_few(images, each, seed))
    chosen = Images(chosen.pixels.cpu(), chosen.labels.cpu(), spec.class_names)
    near = neighbourhood or Neighbourhood()
    models = fit_local_models(view, chosen.pixels, near, seed=seed)
    return Signature(models, chosen, spec, near, seed)


def _few(images: Images, each: int, seed: int) -> Tensor:
    """Rows of ``each`` pictures of every class, drawn for the pictures alone: the same for every network."""
    labels, parts = images.labels.cpu(), []
    for label in labels.unique().tolist():
        rows = (labels == label).nonzero().flatten()
        draws = generator(seed, "signature", images.class_names[label])
        parts.append(rows[torch.randperm(len(rows), generator=draws)[:each]])
    return torch.cat(parts).sort().values
