"""The unified form behind softmax cross-entropy, Circle Loss and ZLPR."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from scispaces.losses._common import Reduction, check_logits, check_targets, reduce_rows, wide


def pairwise_ranking_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    threshold_class: bool = False,
    scale: float = 1.0,
    margin: float = 0.0,
    reduction: Reduction = "mean",
) -> Tensor:
    check_logits(logits, reduction)
    check_targets(targets, logits, hard=True)
    growth = scale * margin
    dtype = wide(logits.dtype)
    limit = torch.finfo(dtype).max / 2
    scores = (scale * logits.to(dtype)).clamp(-limit, limit)
    positive = targets.detach() != 0
    negatives = _log_sum(scores, ~positive)
    positives = _log_sum(-scores, positive)
    if not threshold_class:
        return reduce_rows(_softplus(negatives + positives + growth), reduction)
    separate = _softplus(negatives) + _softplus(positives)
    rows = separate + torch.log1p(-math.expm1(growth) * torch.expm1(-separate))
    return reduce_rows(rows, reduction)


def _log_sum(exponents, chosen):
    if exponents.shape[-1] == 0:
        return exponents.sum(-1) - torch.inf
    return exponents.masked_fill(~chosen, -torch.finfo(exponents.dtype).max).logsumexp(-1)


def _softplus(x):
    return torch.logaddexp(x, torch.zeros_like(x))
