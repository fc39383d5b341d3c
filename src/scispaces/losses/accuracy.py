"""From accuracy to cross-entropy: smooth accuracy, and cross-entropy cut off or faded out."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from scispaces.losses._blocks import as_numbers
from scispaces.losses._common import Reduction, check_logits, check_targets, reduce_rows, wide


def smooth_accuracy_loss(
    logits: Tensor, targets: Tensor, *, reduction: Reduction = "mean"
) -> Tensor:
    """The expected number of wrong answers, the sum of 1 - p_t over the classes of a row."""
    x = _signed(logits, targets, reduction)
    return reduce_rows(torch.sigmoid(-x).sum(-1), reduction)


def truncated_cross_entropy(
    logits: Tensor, targets: Tensor, *, threshold: float = 0.5, reduction: Reduction = "mean"
) -> Tensor:
    """Cross-entropy of the classes with p_t < threshold; the others cost nothing."""
    x = _signed(logits, targets, reduction)
    if not 0 < threshold <= 1:
        raise ValueError(f"`threshold` must be in (0, 1]. Got {threshold!r}.")
    cut = math.log(threshold / (1 - threshold)) if threshold < 1 else math.inf
    return reduce_rows(torch.where(x >= cut, 0, -F.logsigmoid(x)).sum(-1), reduction)


def softened_cross_entropy(
    logits: Tensor, targets: Tensor, *, sharpness: float = 1.0, reduction: Reduction = "mean"
) -> Tensor:
    """Cross-entropy faded out: -sigmoid(-K x) log sigmoid(x), x the signed score."""
    x = _signed(logits, targets, reduction)
    if not 0 <= sharpness < math.inf:
        raise ValueError(f"`sharpness` must be finite and at least 0. Got {sharpness!r}.")
    return reduce_rows((-torch.sigmoid(-sharpness * x) * F.logsigmoid(x)).sum(-1), reduction)


def _signed(logits: Tensor, targets: Tensor, reduction: str) -> Tensor:
    check_logits(logits, reduction)
    check_targets(targets, logits, hard=True)
    scores = logits.to(wide(logits.dtype))
    return scores * (2 * as_numbers(targets.detach(), scores.dtype) - 1)
