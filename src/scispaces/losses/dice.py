"""Overlap as a loss: Dice of a row, and the self-adjusting Dice of each class."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from scispaces.losses._blocks import Pieces, as_numbers, flat_rows, loss_of_rows
from scispaces.losses._common import Reduction, check_logits, check_targets, require
from scispaces.losses._elements import ElementLoss


def dice_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    smoothing: float = 1.0,
    squared: bool = False,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""One minus the overlap of a row's probabilities with its labels.

    .. math:: \mathcal L = 1 - \frac{2 \sum_i p_i t_i + \gamma}{\sum_i p_i + \sum_i t_i + \gamma},
        \qquad p_i = \sigma(s_i)

    (book: `imbalance-revisited-dice`). It is computed as a sum of errors over the same
    denominator, so that an overlap near 1 keeps its digits.

    Args:
        logits: Scores s, shape (..., classes). For segmentation flatten the pixels of an image
            into the last axis.
        targets: Hard labels 0 or 1 of the same shape, bool, integer or float.
        smoothing: The constant :math:`\gamma > 0`. A row without positives has a gradient only
            through it, of the order of smoothing over the square of the sum of p.
        squared: Whether to square p and t in the denominator.
        reduction: "mean", "sum" or "none" over the rows.

    Returns:
        A scalar, or shape (...) for reduction "none"; float32 or wider, so that no sum overflows
        in half precision.

    Raises:
        TypeError: if the logits are not floating-point.
        ValueError: for other targets or smoothing, or no row to average.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[2.0, -1.0], [0.5, 3.0]])
        >>> targets = torch.tensor([[1, 0], [0, 1]])
        >>> dice_loss(logits, targets, reduction="none")
        tensor([0.1232, 0.1874])

    References:
        [1] F. Milletari, N. Navab, S.-A. Ahmadi. V-Net. 3DV 2016, the squared form.
    """
    _check(logits, targets, smoothing, reduction)
    return loss_of_rows(_Dice(smoothing, 1 + squared), logits, flat_rows(targets), reduction)


def self_adjusting_dice_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    alpha: float = 1.0,
    smoothing: float = 1.0,
    squared: bool = False,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Dice of every class by itself, with probabilities that shrink where they near 1.

    .. math:: \mathcal L = \sum_i \Big[ 1 - \frac{2 u_i t_i + \gamma}{u_i + t_i + \gamma} \Big],
        \qquad u_i = (1 - p_i)^\alpha p_i, \quad p_i = \sigma(s_i)

    (book: `imbalance-revisited-self-adjusting-dice`). Know what it asks for: u is largest at
    p = 1 / (1 + alpha) and falls to 0 on both sides. A positive costs least there, and at p = 1
    it costs 1 / (1 + smoothing), as much as at p = 0. A negative costs most there, and nothing at
    p = 1. The slope in p is infinite at p = 1 for alpha < 1, the one in the score is finite.

    Args:
        logits: Scores s, shape (..., classes).
        targets: Hard labels 0 or 1 of the same shape, bool, integer or float.
        alpha: Exponent >= 0 of the shrinking; 0 gives the Dice loss of every class.
        smoothing: The constant :math:`\gamma > 0`, without which every negative would cost 1.
        squared: Whether to square u and t in the denominator.
        reduction: "mean", "sum" or "none" over the rows.

    Returns:
        A scalar, or shape (...) for reduction "none"; float32 or wider. Value and gradient are
        finite at every finite logit.

    Raises:
        TypeError: if the logits are not floating-point.
        ValueError: for other targets or settings, or no row to average.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[0.0, 8.0, 40.0]])
        >>> self_adjusting_dice_loss(logits, torch.ones(1, 3))
        tensor(1.3331)
        >>> self_adjusting_dice_loss(logits, torch.zeros(1, 3))
        tensor(0.2003)

    References:
        [1] X. Li et al. Dice Loss for Data-imbalanced NLP Tasks. ACL 2020.
    """
    _check(logits, targets, smoothing, reduction)
    require(0 <= alpha < math.inf, "alpha", alpha, "be finite and at least 0")
    loss = _SelfAdjustingDice(alpha, smoothing, 1 + squared)
    return loss_of_rows(loss, logits, flat_rows(targets), reduction)


def _check(logits: Tensor, targets: Tensor, smoothing: float, reduction: str) -> None:
    check_logits(logits, reduction)
    check_targets(targets, logits, hard=True)
    require(0 < smoothing < math.inf, "smoothing", smoothing, "be positive and finite")


@dataclass(frozen=True)
class _Dice:
    """With p^k + t - 2 p t = |t - p|^k for hard t, the loss is sum |t - p|^k over a sum."""

    smoothing: float
    power: int

    def rows(self, scores: Tensor, targets: Tensor) -> Tensor:
        positive = as_numbers(targets, scores.dtype)
        errors = torch.sigmoid(scores * (1 - 2 * positive)) ** self.power
        total = (torch.sigmoid(scores) ** self.power + positive).sum(-1) + self.smoothing
        return errors.sum(-1) / total

    def rows_and_slopes(self, pieces: Pieces, share: float, targets: Tensor) -> Tensor:
        rows = pieces.logits.new_empty(len(targets), dtype=pieces.dtype)
        for block, scores in pieces:
            positive = as_numbers(targets[block], scores.dtype)
            p, miss = scores.sigmoid(), torch.sigmoid(scores * (1 - 2 * positive))
            total = (p**self.power).add_(positive).sum(-1, keepdim=True) + self.smoothing
            value = (miss**self.power).sum(-1, keepdim=True) / total
            rows[block] = value.squeeze(-1)
            if pieces.gradient is not None:
                # One less the value, which would lose the digits of a row without positives.
                overlap = ((p * positive).sum(-1, keepdim=True) * 2 + self.smoothing) / total
                bend = p * scores.neg_().sigmoid_()
                if self.power == 1:
                    slopes = torch.sub(overlap, positive, alpha=2)
                else:  # 2 (overlap p - t), for a positive without the difference of what is near 1
                    slopes = torch.where(positive > 0, -2 * (miss + value * p), 2 * overlap * p)
                torch.mul(slopes, bend, out=scores).mul_(share / total)
        return rows


@dataclass(frozen=True)
class _SelfAdjustingDice(ElementLoss):
    """A positive costs (1 - u)^k / (u^k + 1 + c), a negative u^k / (u^k + c)."""

    alpha: float
    smoothing: float
    power: int

    def terms(self, scores: Tensor, targets: Tensor) -> Tensor:
        log_u = self._log_u(scores)
        total = torch.exp(self.power * log_u) + 1 + self.smoothing
        positive = (-torch.expm1(log_u)) ** self.power / total
        return torch.where(targets > 0, positive, torch.sigmoid(self._log_odds(log_u)))

    def terms_and_slopes(self, scores: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        log_u = self._log_u(scores)
        u, rest = log_u.exp(), log_u.expm1().neg_()
        total = u**self.power + 1 + self.smoothing
        positive = rest**self.power / total
        fall = -(2 + self.smoothing) * u if self.power == 1 else -2 * rest * u * (total + u * rest)
        log_odds = self._log_odds(log_u)
        negative = log_odds.sigmoid()
        rise = self.power * negative * log_odds.neg_().sigmoid_()
        yes = targets > 0
        # The derivative of log u is 1 - p - alpha p.
        slopes = torch.where(yes, fall / total**2, rise)
        slopes *= scores.neg().sigmoid_().sub_(scores.sigmoid(), alpha=self.alpha)
        return torch.where(yes, positive, negative), slopes

    def _log_u(self, scores: Tensor) -> Tensor:
        if self.alpha == 0:
            return F.logsigmoid(scores)
        return F.logsigmoid(scores) + self.alpha * F.logsigmoid(-scores)

    def _log_odds(self, log_u: Tensor) -> Tensor:
        """Of u^k against the smoothing."""
        return self.power * log_u - math.log(self.smoothing)
