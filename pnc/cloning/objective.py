"""The losses: L_loc (Eq. 5), L_ins (Eq. 7) and how both are read. docs/method.md compares the readings."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def source_scores(logits: Tensor, classes: Sequence[int], rest_weight: float) -> Tensor:
    """The source's evidence for each cloned class, [N, |T_s|]: z_c − ρ · logsumexp of its other classes' logits.

    ``rest_weight`` ρ = 0 gives the plain logits. When no class is left over there is nothing to subtract.
    """
    rest = [index for index in range(logits.shape[1]) if index not in set(classes)]
    new = logits[:, list(classes)]
    if rest_weight == 0 or not rest:
        return new
    return new - rest_weight * logits[:, rest].logsumexp(dim=1, keepdim=True)


def source_rows(head: nn.Linear, classes: Sequence[int], rest_weight: float) -> tuple[Tensor, Tensor]:
    """Where F_c's new rows start: the source's rows for T_s less ρ times the mean of its other rows."""
    rest = [index for index in range(head.out_features) if index not in set(classes)]
    weight = head.weight.detach()
    bias = weight.new_zeros(len(weight)) if head.bias is None else head.bias.detach()
    rows, offsets = weight[list(classes)], bias[list(classes)]
    if rest_weight == 0 or not rest:
        return rows, offsets
    return rows - rest_weight * weight[rest].mean(0), offsets - rest_weight * bias[rest].mean()


def localisation_loss(masked: Tensor, local: Tensor) -> Tensor:
    """L_loc: mean squared error between the masked source and g_i(b) on the outputs of T_s (Eq. 5)."""
    return F.mse_loss(masked, local)


def joint_distillation(old: Tensor, new: Tensor, teacher_old: Tensor, teacher_new: Tensor) -> Tensor:
    """KL between one softmax over old and new classes of the teacher and of the clone, plus the new logits' error.

    The softmax sets old against new where they compete; the squared error goes on teaching where it is certain.
    """
    teacher = torch.cat([teacher_old, teacher_new], dim=1).log_softmax(dim=1)
    clone = torch.cat([old, new], dim=1).log_softmax(dim=1)
    kl = F.kl_div(clone, teacher, reduction="batchmean", log_target=True)
    scale = teacher_new.detach().std().clamp_min(1e-6)
    return kl + F.smooth_l1_loss(new / scale, teacher_new / scale)


def two_softmax_distillation(old: Tensor, new: Tensor, teacher_old: Tensor, teacher_new: Tensor) -> Tensor:
    """Eq. 7 to the letter: KL among the new classes plus KL among the old ones, never one against the other."""
    return _kl(new, teacher_new) + _kl(old, teacher_old)


def gated_targets(teacher_old: Tensor, new_share: Tensor, teacher_new: Tensor) -> Tensor:
    """Class probabilities [N, |T_t| + |T_s|]: ``new_share`` [N] for the new classes, split as the source does."""
    share = new_share.unsqueeze(1)
    return torch.cat([(1 - share) * teacher_old.softmax(1), share * teacher_new.softmax(1)], dim=1)


def cross_entropy(old: Tensor, new: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of the clone's joint softmax with labels [N] or probabilities [N, classes]."""
    return F.cross_entropy(torch.cat([old, new], dim=1), targets)


def _kl(clone: Tensor, teacher: Tensor) -> Tensor:
    return F.kl_div(clone.log_softmax(1), teacher.log_softmax(1), reduction="batchmean", log_target=True)
