"""One yes-or-no question for each class: focal, asymmetric and soft F1 losses."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from scispaces.losses._blocks import Pieces, as_numbers, loss_of_rows
from scispaces.losses._common import Reduction, check_logits, check_targets, wide


def focal_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    alpha: float | None = None,
    gamma: float = 2.0,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Binary focal loss: cross-entropy that turns away from what is already right.

    .. math:: \mathcal L = -\sum_i a_i (1 - p_i)^\gamma \log p_i, \qquad
        p_i = \sigma(s_i) \text{ if } t_i = 1 \text{ else } \sigma(-s_i)

    (book: `zlpr-focal`), with :math:`a_i = \alpha` for positives and :math:`1 - \alpha` for
    negatives, or 1 throughout without `alpha`. The sum runs over the classes of a row.

    Args:
        logits: Scores s, shape (..., classes).
        targets: Hard labels 0 or 1 of the same shape, bool, integer or float.
        alpha: Weight of the positives in [0, 1]. Any value but 1/2 moves the decision threshold.
        gamma: Focusing exponent >= 0; 0 gives binary cross-entropy.
        reduction: "mean", "sum" or "none" over the rows.

    Returns:
        A scalar, or shape (...) for reduction "none"; float32 or wider. Value and gradient are
        finite at every finite logit for every gamma, since all powers are taken of logarithms.

    Raises:
        TypeError: if the logits are not floating-point.
        ValueError: for other targets, alpha or gamma, or no row to average.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[2.0, -1.0], [0.5, 3.0]])
        >>> targets = torch.tensor([[1, 0], [0, 1]])
        >>> focal_loss(logits, targets)
        tensor(0.2010)

    References:
        [1] T.-Y. Lin et al. Focal Loss for Dense Object Detection. ICCV 2017.
    """
    check_logits(logits, reduction)
    check_targets(targets, logits, hard=True)
    _check_interval("gamma", gamma, math.inf)
    if alpha is not None:
        _check_interval("alpha", alpha, 1)
    return loss_of_rows(_Focal(gamma, alpha), logits, _flat(targets), reduction)


def asymmetric_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    gamma_positive: float = 1.0,
    gamma_negative: float = 4.0,
    clip: float = 0.05,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Asymmetric loss: two focusing exponents, and easy negatives dropped altogether.

    .. math:: \mathcal L = -\sum_{i \in pos} (1 - p_i)^{\gamma_+} \log p_i
        - \sum_{i \in neg} q_i^{\gamma_-} \log(1 - q_i), \qquad q_i = \max(p_i - c, 0)

    (book: `zlpr-asymmetric`) with :math:`p_i = \sigma(s_i)` and the margin c = `clip`. The sum
    runs over the classes of a row. Gradients flow through the focusing factors too; the authors'
    code can hold those constant instead.

    Args:
        logits: Scores s, shape (..., classes).
        targets: Hard labels 0 or 1 of the same shape, bool, integer or float.
        gamma_positive: Focusing exponent of the positives, >= 0.
        gamma_negative: Focusing exponent of the negatives, >= 0.
        clip: Probability below which a negative is dropped, in [0, 1].
        reduction: "mean", "sum" or "none" over the rows.

    Returns:
        A scalar, or shape (...) for reduction "none"; float32 or wider.

    Raises:
        TypeError: if the logits are not floating-point.
        ValueError: for other targets or settings, or no row to average.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[2.0, -1.0], [0.5, 3.0]])
        >>> targets = torch.tensor([[1, 0], [0, 1]])
        >>> asymmetric_loss(logits, targets)
        tensor(0.0546)

    References:
        [1] T. Ridnik et al. Asymmetric Loss For Multi-Label Classification. ICCV 2021.
    """
    check_logits(logits, reduction)
    check_targets(targets, logits, hard=True)
    _check_interval("gamma_positive", gamma_positive, math.inf)
    _check_interval("gamma_negative", gamma_negative, math.inf)
    _check_interval("clip", clip, 1)
    loss = _Asymmetric(gamma_positive, gamma_negative, clip)
    return loss_of_rows(loss, logits, _flat(targets), reduction)


def soft_f1_loss(
    logits: Tensor, targets: Tensor, *, average: Literal["micro", "macro"] = "micro"
) -> Tensor:
    r"""One minus F1 with probabilities in place of decisions, over the whole batch.

    .. math:: \mathcal L = 1 - \frac{2 \sum p t}{\sum p + \sum t}, \qquad p = \sigma(s)

    (book: `zlpr-soft-f-one`). "micro" sums over rows and classes, "macro" over the rows of each
    class and averages the classes. It is no sum over rows, hence no `reduction`; and a class
    without positives in the batch costs 1 whatever its scores, with gradient 0.

    Args:
        logits: Scores s, shape (..., classes), at least one row and one class.
        targets: Labels in [0, 1] of the same shape, bool, integer or float.
        average: "micro" or "macro".

    Returns:
        A scalar, float32 or wider.

    Raises:
        TypeError: if the logits are not floating-point.
        ValueError: for other targets or averages, or nothing to average.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[2.0, -1.0], [0.5, 3.0]])
        >>> targets = torch.tensor([[1, 0], [0, 1]])
        >>> soft_f1_loss(logits, targets)
        tensor(0.2239)

    References:
        [1] F. Milletari, N. Navab, S.-A. Ahmadi. V-Net. 3DV 2016, for the Dice form of the same.
    """
    check_logits(logits, "none")
    check_targets(targets, logits)
    if average not in ("micro", "macro"):
        raise ValueError(f"`average` must be 'micro' or 'macro'. Got {average!r}.")
    if logits.numel() == 0:
        raise ValueError(
            "`logits` must hold at least one row and one class: F1 of nothing is undefined. "
            f"Got shape {tuple(logits.shape)}."
        )
    probabilities = logits.to(wide(logits.dtype)).sigmoid().reshape(-1, logits.shape[-1])
    weights = as_numbers(targets.detach(), probabilities.dtype).reshape(probabilities.shape)
    axes = (0, 1) if average == "micro" else (0,)
    both = (probabilities * weights).sum(axes)
    # Where both sums vanish F1 is 0, its limit for scores that go to minus infinity.
    least = torch.finfo(probabilities.dtype).tiny
    return (1 - 2 * both / (probabilities + weights).sum(axes).clamp(min=least)).mean()


def _check_interval(name: str, value: float, highest: float) -> None:
    if not 0 <= value <= highest or math.isinf(value):
        bound = "finite and at least 0" if math.isinf(highest) else f"in [0, {highest:g}]"
        raise ValueError(f"`{name}` must be {bound}. Got {value!r}.")


def _flat(targets: Tensor) -> tuple[Tensor]:
    return (targets.detach().reshape(-1, targets.shape[-1]) if targets.numel() else targets,)


@dataclass(frozen=True)
class _Focal:
    gamma: float
    alpha: float | None

    def rows(self, scores: Tensor, targets: Tensor) -> Tensor:
        sign, weight = self._sign_and_weight(as_numbers(targets, scores.dtype))
        right = scores * sign
        values = -F.logsigmoid(right) * _power_of_sigmoid(-right, self.gamma)
        return (values * weight).sum(-1)

    def rows_and_slopes(self, pieces: Pieces, share: float, targets: Tensor) -> Tensor:
        rows = pieces.logits.new_empty(len(targets), dtype=pieces.dtype)
        for block, scores in pieces:
            sign, weight = self._sign_and_weight(as_numbers(targets[block], scores.dtype))
            values, slopes = _focal_terms(scores * sign, self.gamma)
            rows[block] = values.mul_(weight).sum(-1)
            torch.mul(slopes, sign.mul_(weight).mul_(share), out=scores)
        return rows

    def _sign_and_weight(self, targets: Tensor) -> tuple[Tensor, Tensor | float]:
        """1 for positives and -1 for negatives; alpha and 1 - alpha."""
        sign = 2 * targets - 1
        return sign, 1.0 if self.alpha is None else 0.5 + (self.alpha - 0.5) * sign


@dataclass(frozen=True)
class _Asymmetric:
    gamma_positive: float
    gamma_negative: float
    clip: float

    def rows(self, scores: Tensor, targets: Tensor) -> Tensor:
        positive = -F.logsigmoid(scores) * _power_of_sigmoid(-scores, self.gamma_positive)
        if self.clip == 0:
            negative = -F.logsigmoid(-scores) * _power_of_sigmoid(scores, self.gamma_negative)
        else:
            kept, q, log_rest = self._shifted(scores)
            negative = torch.where(kept, -log_rest * torch.pow(q, self.gamma_negative), 0)
        return torch.where(targets > 0, positive, negative).sum(-1)

    def rows_and_slopes(self, pieces: Pieces, share: float, targets: Tensor) -> Tensor:
        rows = pieces.logits.new_empty(len(targets), dtype=pieces.dtype)
        for block, scores in pieces:
            positive = targets[block] > 0
            values, slopes = _focal_terms(scores, self.gamma_positive)
            others, rises = self._negative_terms(scores)
            rows[block] = torch.where(positive, values, others).sum(-1)
            torch.where(positive, slopes, rises, out=scores).mul_(share)
        return rows

    def _negative_terms(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and slope of every class as if it were a negative."""
        if self.clip == 0:
            values, slopes = _focal_terms(-scores, self.gamma_negative)
            return values, slopes.neg_()
        kept, q, log_rest = self._shifted(scores)
        power = torch.pow(q, self.gamma_negative)
        slopes = power * (torch.exp(-log_rest) - self.gamma_negative * log_rest / q)
        slopes = slopes * scores.sigmoid() * scores.neg().sigmoid()
        return torch.where(kept, -log_rest * power, 0), torch.where(kept, slopes, 0)

    def _shifted(self, scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Where sigmoid(s) is above the clip; q = sigmoid(s) - clip; log(1 - q)."""
        kept = ~(scores.sigmoid() <= self.clip)  # so that NaN is kept, and shows
        # Dropped scores get a q without consequences: their gradient is 0, not 0 * inf.
        q = torch.where(kept, scores.sigmoid() - self.clip, 0.5)
        # 1 - q as sigmoid(-s) + clip keeps its digits also where sigmoid(s) rounds to 1.
        return kept, q, torch.log(scores.neg().sigmoid() + self.clip)


def _focal_terms(right: Tensor, gamma: float) -> tuple[Tensor, Tensor]:
    """-(1 - p)^gamma log p of p = sigmoid(right), and its derivative in `right`."""
    log_p, power = F.logsigmoid(right), _power_of_sigmoid(-right, gamma)
    # The derivative is -(1 - p)^gamma (1 - p - gamma p log p).
    slopes = (log_p * right.sigmoid()).mul_(gamma).sub_(right.neg().sigmoid_()).mul_(power)
    return log_p.neg_().mul_(power), slopes


def _power_of_sigmoid(scores: Tensor, exponent: float) -> Tensor:
    """sigmoid(s)^exponent by way of its logarithm: 0^-0.5 never appears in a gradient."""
    if exponent == 0:
        return torch.ones_like(scores)
    # Held above the floor of the normal numbers, below which exp() is many times slower.
    floor = math.log(torch.finfo(scores.dtype).tiny)
    return (exponent * F.logsigmoid(scores)).clamp(min=floor).exp()
