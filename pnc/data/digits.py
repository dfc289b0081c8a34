"""The 1797 handwritten digits (8×8, grey) that come with scikit-learn: no download, made for quick runs."""

from pathlib import Path

import torch

from pnc.base.errors import bad
from pnc.base.images import Images
from pnc.base.splits import holdout
from pnc.data._extra import extra
from pnc.data._registry import DataSpec, Split, data_source

TEST_SHARE = 1 / 3
LEVELS = 16  # the brightest grey of the originals


@data_source("digits")
def digits(spec: DataSpec, split: Split, root: Path | None) -> Images:
    """Two thirds of every digit to train on, one third to test on, always the same. ``root`` is not used.

    Raises PncError if ``dataset`` is given.
    """
    if spec.dataset is not None:
        raise bad("dataset of the source 'digits'", expected="None, there is only one", found=repr(spec.dataset))
    with extra("digits"):
        from sklearn.datasets import load_digits  # takes seconds to import

    originals = load_digits()
    pixels = torch.from_numpy(originals.images * (255 / LEVELS)).round().to(torch.uint8).unsqueeze(1)
    labels = torch.from_numpy(originals.target).to(torch.int64)
    images = Images(pixels, labels, tuple(str(name) for name in originals.target_names))
    train, test = holdout(images, TEST_SHARE, 0, "digits")
    return train if split == "train" else test
