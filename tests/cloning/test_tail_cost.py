"""What a module costs, counted without a trace left on it."""

import copy

import pytest
import torch
from torch import nn

from pnc.cloning.slicing import tail_cost


def test_cost_counts_weights_constants_and_work_per_picture() -> None:
    module = nn.Sequential(
        nn.Conv2d(4, 6, 3, stride=2, groups=2), nn.BatchNorm2d(6), nn.Flatten(), nn.Linear(6 * 9, 5, bias=False)
    )
    cost = tail_cost(module, torch.rand(3, 4, 7, 7))
    assert cost == {
        "parameters": 6 * 2 * 9 + 6 + 12 + 54 * 5,
        "constants": 12,
        "macs": 9 * 6 * 2 * 9 + 54 * 5,
    }


def test_counting_costs_leaves_no_hook_and_no_new_statistics_even_after_a_failure() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(5, 4, 3)).train()
    before = copy.deepcopy(module.state_dict())
    with pytest.raises(RuntimeError, match="channels"):
        tail_cost(module, torch.rand(1, 3, 9, 9))
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in module.modules())
    torch.testing.assert_close(module.state_dict(), before, rtol=0, atol=0)
    assert module.training and module[1].training
