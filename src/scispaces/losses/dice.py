"""Overlap as a loss: Dice of a row, and the self-adjusting Dice of each class."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from scispaces.losses._blocks import as_numbers
from scispaces.losses._common import Reduction, check_logits, check_targets, reduce_rows, wide


def dice_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    smoothing: float = 1.0,
    squared: bool = False,
    reduction: Reduction = "mean",
) -> Tensor:
    """One minus (2 sum p t + smoothing) / (sum p + sum t + smoothing), row by row."""
    _check(logits, targets, smoothing, reduction)
    scores = logits.to(wide(logits.dtype))
    positive = as_numbers(targets.detach(), scores.dtype)
    power = 2 if squared else 1
    wrong = torch.sigmoid(scores * (1 - 2 * positive)) ** power
    total = (torch.sigmoid(scores) ** power + positive).sum(-1) + smoothing
    return reduce_rows(wrong.sum(-1) / total, reduction)


def self_adjusting_dice_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    alpha: float = 1.0,
    smoothing: float = 1.0,
    squared: bool = False,
    reduction: Reduction = "mean",
) -> Tensor:
    """One minus (2 u t + smoothing) / (u + t + smoothing), u = (1 - p)^alpha p, per class."""
    _check(logits, targets, smoothing, reduction)
    if not 0 <= alpha < math.inf:
        raise ValueError(f"`alpha` must be finite and at least 0. Got {alpha!r}.")
    scores = logits.to(wide(logits.dtype))
    log_u = F.logsigmoid(scores)
    if alpha:
        log_u = log_u + alpha * F.logsigmoid(-scores)
    power = 2 if squared else 1
    short = -torch.expm1(log_u)
    positive = short**power / (torch.exp(power * log_u) + 1 + smoothing)
    negative = torch.sigmoid(power * log_u - math.log(smoothing))
    return reduce_rows(torch.where(targets != 0, positive, negative).sum(-1), reduction)


def _check(logits: Tensor, targets: Tensor, smoothing: float, reduction: str) -> None:
    check_logits(logits, reduction)
    check_targets(targets, logits, hard=True)
    if not 0 < smoothing < math.inf:
        raise ValueError(f"`smoothing` must be positive and finite. Got {smoothing!r}.")
