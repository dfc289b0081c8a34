"""MNIST, CIFAR-10 and CIFAR-100 through torchvision, which downloads them to the root and checks them."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pnc.base.errors import bad
from pnc.base.images import Images
from pnc.data._extra import extra
from pnc.data._registry import DataSpec, Split, data_source, root_folder

SETS = {"cifar10": "CIFAR10", "cifar100": "CIFAR100", "mnist": "MNIST"}


@data_source("torchvision")
def torchvision_sets(spec: DataSpec, split: Split, root: Path | None) -> Images:
    """Read one split, after a download the first time.

    Raises PncError for a data set not listed here, or if it cannot be downloaded, or fails its checksum.
    """
    if spec.dataset not in SETS:
        raise bad("data set of torchvision", expected=f"one of {', '.join(SETS)}", found=repr(spec.dataset))
    with extra("torchvision"):
        from torchvision import datasets  # takes seconds to import

    place = root_folder(root)
    try:
        opened = getattr(datasets, SETS[spec.dataset])(str(place), train=split == "train", download=True)
    except (OSError, RuntimeError) as error:
        raise bad(f"{spec.dataset} in {place}", expected="a download that is whole", found=str(error)) from None
    names = tuple(name.split(" - ")[0] for name in opened.classes)  # MNIST's are "0 - zero", ...
    return Images(_channels_first(opened.data), torch.as_tensor(opened.targets), names)


def _channels_first(data: Tensor | np.ndarray) -> Tensor:
    """[N, H, W] or [N, H, W, 3] as [N, C, H, W]."""
    pixels = torch.as_tensor(data)
    return pixels.unsqueeze(1) if pixels.dim() == 3 else pixels.permute(0, 3, 1, 2).contiguous()
