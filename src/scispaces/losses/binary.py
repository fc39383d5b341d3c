"""One yes-or-no question a class: focal, asymmetric and soft F1 losses."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from scispaces.losses._common import Reduction, check_logits, check_targets, reduce_rows, wide


def focal_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    alpha: float | None = None,
    gamma: float = 2.0,
    reduction: Reduction = "mean",
) -> Tensor:
    check_logits(logits, reduction)
    check_targets(targets, logits, hard=True)
    scores = logits.to(wide(logits.dtype))
    positive = targets.detach() != 0
    right = torch.where(positive, scores, -scores)
    values = F.softplus(-right) * torch.exp(-gamma * F.softplus(right))
    if alpha is not None:
        values = values * torch.where(positive, alpha, 1 - alpha)
    return reduce_rows(values.sum(-1), reduction)


def asymmetric_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    gamma_positive: float = 1.0,
    gamma_negative: float = 4.0,
    clip: float = 0.05,
    reduction: Reduction = "mean",
) -> Tensor:
    check_logits(logits, reduction)
    check_targets(targets, logits, hard=True)
    scores = logits.to(wide(logits.dtype))
    positive = targets.detach() != 0
    focus_positive = torch.exp(-gamma_positive * F.softplus(scores))
    p = (scores.sigmoid() - clip).clamp(min=0)
    neg = p**gamma_negative * -torch.log1p(-p)
    values = torch.where(positive, F.softplus(-scores) * focus_positive, neg)
    return reduce_rows(values.sum(-1), reduction)


def soft_f1_loss(
    logits: Tensor, targets: Tensor, *, average: Literal["micro", "macro"] = "micro"
) -> Tensor:
    check_logits(logits, "none")
    check_targets(targets, logits)
    p = logits.to(wide(logits.dtype)).sigmoid().flatten(0, -2)
    t = targets.detach().to(p.dtype).flatten(0, -2)
    if average == "micro":
        p, t = p.flatten()[:, None], t.flatten()[:, None]
    return 1 - (2 * (p * t).sum(0) / (p + t).sum(0)).mean()
