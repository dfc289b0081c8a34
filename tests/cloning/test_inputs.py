"""Features that are computed once and kept."""

import pytest
import torch
from torch import nn

from pnc.arch import BlockNet
from pnc.base.images import as_float
from pnc.cloning.inputs import features


@pytest.mark.parametrize("scale", [1.0, 1e6], ids=["in the range of half precision", "beyond it"])
def test_kept_features_are_those_of_the_network(scale: float) -> None:
    torch.manual_seed(0)
    first = nn.Conv2d(1, 4, 3)
    with torch.no_grad():
        first.weight.mul_(scale)
    network = BlockNet([first, nn.Conv2d(4, 2, 3)], nn.Linear(2, 3))
    pixels = torch.randint(0, 256, (6, 1, 8, 8), dtype=torch.uint8)
    found = features(network, pixels, 1)(torch.tensor([4, 1]))
    expected = network.run(as_float(pixels[[4, 1]]), 0, 1)
    assert found.isfinite().all()
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
