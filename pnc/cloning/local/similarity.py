"""Sim: how alike two networks are around given pictures, by the cosine of their local models (Eq. 9).

Networks with different heads are compared after their output columns have been paired, as ZEST does
(supplement 1.2.2): greedily by distance, or by the optimal assignment.
"""

from typing import Literal, get_args

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from pnc.base.errors import bad
from pnc.cloning.local.local_models import LocalModels

Alignment = Literal["none", "greedy", "optimal"]


def similarity(a: LocalModels, b: LocalModels, alignment: Alignment = "none") -> float:
    """cos(Θ_a, Θ_b) in [−1, 1], over the same N pictures and the same B.

    With ``alignment`` "none" both must have the same classes. Raises PncError for shapes that do not match.
    """
    if alignment not in get_args(Alignment):
        raise bad("alignment", expected=f"one of {', '.join(get_args(Alignment))}", found=repr(alignment))
    if a.theta.shape[:2] != b.theta.shape[:2]:
        raise bad("local models to compare", expected=tuple(a.theta.shape[:2]), found=tuple(b.theta.shape[:2]))
    left, right = _columns(a), _columns(b)
    if alignment != "none":
        rows, columns = align(left, right, alignment)
        left, right = left[rows], right[columns]
    elif left.shape != right.shape:
        raise bad("outputs to compare without alignment", expected=len(left), found=len(right))
    return float(torch.cosine_similarity(left.flatten(), right.flatten(), dim=0))


def align(left: Tensor, right: Tensor, alignment: Alignment) -> tuple[list[int], list[int]]:
    """Pair rows of ``left`` [C_a, d] with rows of ``right`` [C_b, d]: min(C_a, C_b) pairs by Euclidean distance."""
    distance = torch.cdist(left.double(), right.double())
    if alignment == "optimal":
        rows, columns = linear_sum_assignment(distance.cpu().numpy())
        return rows.tolist(), columns.tolist()
    pairs: dict[int, int] = {}
    for flat in torch.argsort(distance.flatten(), stable=True).tolist():
        row, column = divmod(flat, len(right))
        if row not in pairs and column not in pairs.values():
            pairs[row] = column
    return list(pairs), list(pairs.values())


def _columns(models: LocalModels) -> Tensor:
    """Θ by output: [C, N · (grid² + 1)]."""
    return models.theta.permute(2, 0, 1).flatten(1)
