"""Focal loss: cross-entropy that turns away from what is already right."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from scispaces.losses._blocks import flat_rows, loss_of_rows
from scispaces.losses._common import (
    Reduction,
    check_class_indices,
    check_class_numbers,
    check_logits,
    check_targets,
    require,
)
from scispaces.losses._elements import WrongnessLoss
from scispaces.losses._logistic import focal, focal_and_slopes_
from scispaces.losses._one_against_others import OneAgainstOthers


def focal_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    alpha: float | None = None,
    gamma: float = 2.0,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Focal loss of one yes-or-no question for each class.

    .. math:: \mathcal L = -\sum_i a_i (1 - p_i)^\gamma \log p_i, \qquad
        p_i = \sigma(s_i) \text{ if } t_i = 1 \text{ else } \sigma(-s_i)

    (book: `zlpr-focal`, `imbalance-revisited-focal`), with :math:`a_i = \alpha` for positives and
    :math:`1 - \alpha` for negatives, or 1 throughout without `alpha`. The sum runs over the
    classes of a row.

    Args:
        logits: Scores s, shape (..., classes).
        targets: Hard labels 0 or 1 of the same shape, bool, integer or float.
        alpha: Weight of the positives in [0, 1]. Any value but 1/2 moves the decision threshold,
            to the probability 1 - alpha, for every gamma.
        gamma: Focusing exponent >= 0; 0 gives binary cross-entropy.
        reduction: "mean", "sum" or "none" over the rows.

    Returns:
        A scalar, or shape (...) for reduction "none"; float32 or wider. Value and gradient are
        finite for every gamma at every finite logit, since 1 - p is never formed by subtraction
        and no power of it is differentiated.

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
    require(0 <= gamma < math.inf, "gamma", gamma, "be finite and at least 0")
    require(alpha is None or 0 <= alpha <= 1, "alpha", alpha, "be in [0, 1]")
    return loss_of_rows(_Focal(gamma, alpha), logits, flat_rows(targets), reduction)


def softmax_focal_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    gamma: float = 2.0,
    class_weights: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Focal loss of a softmax, where every row has one class.

    .. math:: \mathcal L = -w_y (1 - p_y)^\gamma \log p_y, \qquad
        p_y = \frac{e^{f_y}}{\sum_j e^{f_j}}

    (book: `imbalance-revisited-softmax-focal`). The factor 1 - p is the share of the other
    classes in the softmax, and is computed as that.

    Args:
        logits: Scores f, shape (..., classes).
        targets: Index y of the class of every row, integer, shape (...).
        gamma: Focusing exponent >= 0; 0 gives softmax cross-entropy.
        class_weights: Weight w of every class, at least 0, shape (classes,); 1 if not given.
        reduction: "mean", "sum" or "none" over the rows. The mean divides by the number of rows,
            not by the sum of their weights as `torch.nn.functional.cross_entropy` does.

    Returns:
        A scalar, or shape (...) for reduction "none"; float32 or wider. Value and gradient are
        finite for every gamma at every finite logit.

    Raises:
        TypeError: if the logits are not floating-point or the targets not integer.
        ValueError: for a target out of range (not looked at under `torch.compile` and
            `torch.func`), another gamma, other weights or shapes, or no row to average.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[2.0, -1.0, 0.5], [0.0, 1.0, -3.0]])
        >>> softmax_focal_loss(logits, torch.tensor([0, 2]))
        tensor(2.1120)

    References:
        [1] T.-Y. Lin et al. Focal Loss for Dense Object Detection. ICCV 2017.
        [2] Y. Cui et al. Class-Balanced Loss Based on Effective Number of Samples. CVPR 2019,
            for class weights on it.
    """
    check_logits(logits, reduction)
    check_class_indices(targets, logits)
    require(0 <= gamma < math.inf, "gamma", gamma, "be finite and at least 0")
    if class_weights is not None:
        check_class_numbers("class_weights", class_weights, logits=logits)
    loss = OneAgainstOthers(gamma)
    return loss_of_rows(loss, logits, loss.labels(logits, targets, class_weights), reduction)


@dataclass(frozen=True)
class _Focal(WrongnessLoss):
    gamma: float
    alpha: float | None

    def of_wrong(self, wrong: Tensor) -> Tensor:
        return focal(wrong, self.gamma)

    def of_wrong_and_slopes(self, wrong: Tensor) -> tuple[Tensor, Tensor]:
        return focal_and_slopes_(wrong, self.gamma)

    def terms(self, scores: Tensor, targets: Tensor) -> Tensor:
        terms = super().terms(scores, targets)
        return terms if self.alpha is None else terms * _weights(self.alpha, targets)

    def terms_and_slopes(self, scores: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        terms, slopes = super().terms_and_slopes(scores, targets)
        if self.alpha is None:
            return terms, slopes
        weights = _weights(self.alpha, targets)
        return terms.mul_(weights), slopes.mul_(weights)


def _weights(alpha: float, targets: Tensor) -> Tensor:
    """Alpha for positives and 1 - alpha for negatives."""
    return torch.mul(targets, 2 * alpha - 1).add_(1 - alpha)
