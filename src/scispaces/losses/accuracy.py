"""From accuracy to cross-entropy: smooth accuracy, and cross-entropy cut off or faded out."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from scispaces.losses._blocks import flat_rows, loss_of_rows
from scispaces.losses._common import Reduction, check_logits, check_targets, require
from scispaces.losses._elements import WrongnessLoss
from scispaces.losses._logistic import entropy, focal_and_slopes_


def smooth_accuracy_loss(
    logits: Tensor, targets: Tensor, *, reduction: Reduction = "mean"
) -> Tensor:
    r"""Number of wrong answers with probabilities in place of decisions.

    .. math:: \mathcal L = \sum_i (1 - p_i), \qquad
        p_i = \sigma(s_i) \text{ if } t_i = 1 \text{ else } \sigma(-s_i)

    (book: `imbalance-revisited-smooth-accuracy`). Its slope p (1 - p) vanishes where an answer
    is badly wrong; cross-entropy is what remains without the factor p.

    Args:
        logits: Scores s, shape (..., classes).
        targets: Hard labels 0 or 1 of the same shape, bool, integer or float.
        reduction: "mean", "sum" or "none" over the rows.

    Returns:
        A scalar, or shape (...) for reduction "none"; float32 or wider.

    Raises:
        TypeError: if the logits are not floating-point.
        ValueError: for other targets, or no row to average.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[2.0, -1.0], [0.5, 3.0]])
        >>> targets = torch.tensor([[1, 0], [0, 1]])
        >>> smooth_accuracy_loss(logits, targets)
        tensor(0.5290)

    References:
        [1] J. Su. Scientific Spaces, archives/7708 (2020).
    """
    check_logits(logits, reduction)
    check_targets(targets, logits, hard=True)
    return loss_of_rows(_SmoothAccuracy(), logits, flat_rows(targets), reduction)


def truncated_cross_entropy(
    logits: Tensor, targets: Tensor, *, threshold: float = 0.5, reduction: Reduction = "mean"
) -> Tensor:
    r"""Binary cross-entropy of those classes only that are not yet right enough.

    .. math:: \mathcal L = -\sum_i [p_i < \theta] \log p_i, \qquad
        p_i = \sigma(s_i) \text{ if } t_i = 1 \text{ else } \sigma(-s_i)

    (book: `imbalance-revisited-truncated`). The value jumps at the threshold, from
    :math:`-\log \theta` to 0, and above it nothing holds an answer where it is.

    Args:
        logits: Scores s, shape (..., classes).
        targets: Hard labels 0 or 1 of the same shape, bool, integer or float.
        threshold: Probability of the right answer from which on it costs nothing, in (0, 1];
            1 gives binary cross-entropy.
        reduction: "mean", "sum" or "none" over the rows.

    Returns:
        A scalar, or shape (...) for reduction "none"; float32 or wider.

    Raises:
        TypeError: if the logits are not floating-point.
        ValueError: for other targets or thresholds, or no row to average.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[2.0, -1.0], [0.5, 3.0]])
        >>> targets = torch.tensor([[1, 0], [0, 1]])
        >>> truncated_cross_entropy(logits, targets, reduction="none")
        tensor([0.0000, 0.9741])

    References:
        [1] J. Su. Scientific Spaces, archives/4733 (2017).
    """
    check_logits(logits, reduction)
    check_targets(targets, logits, hard=True)
    require(0 < threshold <= 1, "threshold", threshold, "be in (0, 1]")
    return loss_of_rows(_Truncated(threshold), logits, flat_rows(targets), reduction)


def softened_cross_entropy(
    logits: Tensor, targets: Tensor, *, sharpness: float = 1.0, reduction: Reduction = "mean"
) -> Tensor:
    r"""Binary cross-entropy that fades out where an answer becomes right.

    .. math:: \mathcal L = -\sum_i \sigma(-K x_i) \log \sigma(x_i), \qquad
        x_i = s_i \text{ if } t_i = 1 \text{ else } -s_i

    (book: `imbalance-revisited-softened`). With K = 1 it is the focal loss of gamma = 1, and for
    no other K a focal loss; as K grows it becomes `truncated_cross_entropy`.

    Args:
        logits: Scores s, shape (..., classes).
        targets: Hard labels 0 or 1 of the same shape, bool, integer or float.
        sharpness: The factor K > 0.
        reduction: "mean", "sum" or "none" over the rows.

    Returns:
        A scalar, or shape (...) for reduction "none"; float32 or wider.

    Raises:
        TypeError: if the logits are not floating-point.
        ValueError: for other targets or another sharpness, or no row to average.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[2.0, -1.0], [0.5, 3.0]])
        >>> targets = torch.tensor([[1, 0], [0, 1]])
        >>> softened_cross_entropy(logits, targets)
        tensor(0.3540)

    References:
        [1] J. Su. Scientific Spaces, archives/4733 (2017).
    """
    check_logits(logits, reduction)
    check_targets(targets, logits, hard=True)
    require(0 < sharpness < math.inf, "sharpness", sharpness, "be positive and finite")
    return loss_of_rows(_Softened(sharpness), logits, flat_rows(targets), reduction)


class _SmoothAccuracy(WrongnessLoss):
    def of_wrong(self, wrong: Tensor) -> Tensor:
        return wrong.sigmoid()

    def of_wrong_and_slopes(self, wrong: Tensor) -> tuple[Tensor, Tensor]:
        miss = wrong.sigmoid()
        return miss, wrong.neg_().sigmoid_().mul_(miss)


@dataclass(frozen=True)
class _Truncated(WrongnessLoss):
    threshold: float

    def of_wrong(self, wrong: Tensor) -> Tensor:
        return torch.where(self._right_enough(wrong), 0, entropy(wrong))

    def of_wrong_and_slopes(self, wrong: Tensor) -> tuple[Tensor, Tensor]:
        right = self._right_enough(wrong)
        values, slopes = focal_and_slopes_(wrong, 0.0)
        return values.masked_fill_(right, 0), slopes.masked_fill_(right, 0)

    def _right_enough(self, wrong: Tensor) -> Tensor:
        """p >= threshold, asked of the score, where the two are told apart up to p = 1."""
        if self.threshold == 1:
            return wrong == -torch.inf
        return wrong <= math.log1p(-self.threshold) - math.log(self.threshold)


@dataclass(frozen=True)
class _Softened(WrongnessLoss):
    sharpness: float

    def of_wrong(self, wrong: Tensor) -> Tensor:
        return torch.sigmoid(self.sharpness * wrong) * entropy(wrong)

    def of_wrong_and_slopes(self, wrong: Tensor) -> tuple[Tensor, Tensor]:
        steep = self.sharpness * wrong
        factor, rest = steep.sigmoid(), steep.neg_().sigmoid_()
        values, slopes = focal_and_slopes_(wrong, 0.0)
        slopes.addcmul_(rest, values, value=self.sharpness).mul_(factor)
        return values.mul_(factor), slopes
