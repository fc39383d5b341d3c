"""Whether a binary loss with weights and margins finds the rule of the balanced error."""

import math
from typing import NamedTuple


class BinaryConsistency(NamedTuple):
    """What `binary_fisher_consistency` finds."""

    consistent: bool
    threshold: float
    ratio: float


def binary_fisher_consistency(
    positive_prior: float,
    *,
    class_weights: tuple[float, float] = (1.0, 1.0),
    margins: tuple[float, float] = (0.0, 0.0),
    scale: float = 1.0,
) -> BinaryConsistency:
    """Where the minimiser of the loss changes sign, and whether the balanced error wants it there.

    The loss of class y = -1, +1 is (w_y / scale) log(1 + exp(scale * (margin_y - y f))).
    """
    if not 0 < positive_prior < 1:
        raise ValueError(f"`positive_prior` must be in (0, 1). Got {positive_prior!r}.")
    if not all(0 < weight < math.inf for weight in class_weights):
        raise ValueError(f"`class_weights` must be positive and finite. Got {class_weights!r}.")
    if not all(math.isfinite(margin) for margin in margins):
        raise ValueError(f"`margins` must be finite. Got {margins!r}.")
    if not 0 < scale < math.inf:
        raise ValueError(f"`scale` must be positive and finite. Got {scale!r}.")
    negative, positive = (
        math.log(weight) + _log_sigmoid(scale * margin)
        for weight, margin in zip(class_weights, margins, strict=True)
    )
    log_ratio = positive - negative
    wanted = math.log1p(-positive_prior) - math.log(positive_prior)
    return BinaryConsistency(
        consistent=abs(log_ratio - wanted) <= 1e-9,
        threshold=math.exp(_log_sigmoid(-log_ratio)),
        ratio=math.exp(log_ratio) if log_ratio < 709 else math.inf,
    )


def _log_sigmoid(x: float) -> float:
    return min(x, 0.0) - math.log1p(math.exp(-abs(x)))
