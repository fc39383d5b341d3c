"""One yes-or-no question for each class: asymmetric and soft F1 losses."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from scispaces.losses._blocks import as_numbers, flat_rows, loss_of_rows
from scispaces.losses._common import Reduction, check_logits, check_targets, require, wide
from scispaces.losses._elements import ElementLoss
from scispaces.losses._logistic import focal, focal_and_slopes_


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
    for name, gamma in (("gamma_positive", gamma_positive), ("gamma_negative", gamma_negative)):
        require(0 <= gamma < math.inf, name, gamma, "be finite and at least 0")
    require(0 <= clip <= 1, "clip", clip, "be in [0, 1]")
    loss = _Asymmetric(gamma_positive, gamma_negative, clip)
    return loss_of_rows(loss, logits, flat_rows(targets), reduction)


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


@dataclass(frozen=True)
class _Asymmetric(ElementLoss):
    gamma_positive: float
    gamma_negative: float
    clip: float

    def terms(self, scores: Tensor, targets: Tensor) -> Tensor:
        positive = focal(-scores, self.gamma_positive)
        if self.clip == 0:
            negative = focal(scores, self.gamma_negative)
        else:
            kept, q, log_rest = self._shifted(scores)
            negative = torch.where(kept, -log_rest * torch.pow(q, self.gamma_negative), 0)
        return torch.where(targets > 0, positive, negative)

    def terms_and_slopes(self, scores: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        positive = targets > 0
        values, slopes = focal_and_slopes_(-scores, self.gamma_positive)
        others, rises = self._negative_terms(scores)
        return torch.where(positive, values, others), torch.where(positive, slopes.neg_(), rises)

    def _negative_terms(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and slope of every class as if it were a negative."""
        if self.clip == 0:
            return focal_and_slopes_(scores, self.gamma_negative)
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
