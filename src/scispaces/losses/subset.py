"""Softmax over subsets: the road that the article tries first, and leaves."""

import torch
from torch import Tensor

from scispaces.losses._common import Reduction, check_logits, reduce_rows, wide


def log_elementary_symmetric(logits: Tensor, k: int) -> Tensor:
    check_logits(logits, "none")
    if not 0 <= k <= logits.shape[-1]: raise ValueError("k")
    scores = logits.to(wide(logits.dtype))
    sums = torch.zeros_like(scores[..., :0].sum(-1, keepdim=True))
    for score in scores.split(1, dim=-1):
        grown = sums + score
        stay = torch.logaddexp(sums[..., 1:], grown[..., :-1])
        sums = torch.cat([sums[..., :1], stay, grown[..., -1:]], -1)[..., : k + 1]
    return sums[..., k]


def newton_elementary_symmetric(logits: Tensor, k: int) -> Tensor:
    check_logits(logits, "none")
    scores = logits.to(wide(logits.dtype))
    power_sums = [torch.exp(j * scores).sum(-1) for j in range(1, k + 1)]
    values = [torch.ones_like(scores[..., :0].sum(-1))]
    for m in range(1, k + 1):
        terms = [(-1) ** (j - 1) * values[m - j] * power_sums[j - 1] for j in range(1, m + 1)]
        values.append(sum(terms) / m)
    return values[k]


def k_subset_cross_entropy(
    logits: Tensor, positives: Tensor, *, reduction: Reduction = "mean"
) -> Tensor:
    check_logits(logits, reduction)
    scores = logits.to(wide(logits.dtype))
    chosen = scores.gather(-1, positives.long()).sum(-1)
    return reduce_rows(log_elementary_symmetric(logits, positives.shape[-1]) - chosen, reduction)
