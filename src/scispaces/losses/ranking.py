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
    r"""Ask every positive to score above every negative, through one smooth maximum.

    .. math:: \mathcal L = \log\Big(1 + \sum_{i \in neg} \sum_{j \in pos}
        e^{\gamma (s_i - s_j + m)}\Big)

    (book: `zlpr-unified`), without the pairs being formed: the double sum is a product of sums.
    With `threshold_class`, a further class of fixed score 0 stands below every positive and
    above every negative (book: `zlpr-threshold`); with scale 1 and margin 0 this is ZLPR.
    One positive, no threshold class, scale 1 and margin 0 is softmax cross-entropy.

    Args:
        logits: Scores s, shape (..., classes).
        targets: Hard labels 0 or 1 of the same shape, bool, integer or float.
        threshold_class: Whether the class of score 0 takes part.
        scale: The factor gamma > 0 of every difference.
        margin: The margin m by which a positive is to win. With the threshold class,
            scale * margin must be at most 80, so that its exponential is a float32.
        reduction: "mean", "sum" or "none" over the rows.

    Returns:
        A scalar, or shape (...) for reduction "none"; float32 or wider. A row without a pair to
        compare costs 0. The gradient of a logit beyond the largest float is 0.

    Raises:
        TypeError: if the logits are not floating-point.
        ValueError: for other targets or settings, or no row to average.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[2.0, -1.0, 0.5]])
        >>> pairwise_ranking_loss(logits, torch.tensor([[1, 0, 0]]))
        tensor(0.2413)
        >>> pairwise_ranking_loss(logits, torch.tensor([[1, 0, 1]]), threshold_class=True)
        tensor(0.8682)

    References:
        [1] J. Su. Scientific Spaces, archives/7359 (2020).
        [2] Y. Sun et al. Circle Loss. CVPR 2020, equation (1).
    """
    check_logits(logits, reduction)
    check_targets(targets, logits, hard=True)
    if not 0 < scale < math.inf:
        raise ValueError(f"`scale` must be positive and finite. Got {scale!r}.")
    head_start = scale * margin
    if not math.isfinite(head_start) or (threshold_class and head_start > 80):
        bound = "at most 80 with a threshold class" if threshold_class else "finite"
        raise ValueError(f"`scale` * `margin` must be {bound}. Got {head_start!r}.")
    scores = scale * logits.to(wide(logits.dtype))
    positive = targets.detach() != 0
    negatives = _log_sum_exp(scores, ~positive)
    positives = _log_sum_exp(-scores, positive)
    if not threshold_class:
        return reduce_rows(_log_one_plus_exp(negatives + positives + head_start), reduction)
    # With z the loss without margin, 1 + e^g (e^z - 1) = e^z (1 + (e^g - 1) (1 - e^-z)).
    rows = _log_one_plus_exp(negatives) + _log_one_plus_exp(positives)
    if head_start != 0:
        rows = rows + torch.log1p(-math.expm1(head_start) * torch.expm1(-rows))
    return reduce_rows(rows, reduction)


def _log_sum_exp(exponents: Tensor, chosen: Tensor) -> Tensor:
    """log of the sum of exp over the chosen; a hugely negative number where there are none."""
    if exponents.shape[-1] == 0:
        return exponents.sum(-1) - torch.inf
    # Finite throughout, since the gradient of logsumexp over nothing but -inf is NaN.
    largest = torch.finfo(exponents.dtype).max
    total = exponents.clamp(-largest, largest).masked_fill(~chosen, -largest).logsumexp(-1)
    # An infinite exponent, and a finite one at the end of the range, stand for what they say.
    return torch.where((chosen & (exponents == torch.inf)).any(-1), torch.inf, total)


def _log_one_plus_exp(exponents: Tensor) -> Tensor:
    # Twice differentiable down to -inf, which logaddexp is not; exp(-40) is below every rounding.
    return F.softplus(exponents, threshold=40)
