"""Whether a binary loss with weights and margins finds the rule of the balanced error."""

import math
from typing import NamedTuple

from scispaces.losses._common import require


class BinaryConsistency(NamedTuple):
    """What `binary_fisher_consistency` finds.

    Attributes:
        consistent: Whether the loss leads to the rule of the balanced error.
        threshold: The probability of the positive class above which the best score is positive.
        ratio: The pull of the positive class at the score 0 over that of the negative class.
    """

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
    r"""Where a weighted loss with margins puts its threshold, and if the balanced error agrees.

    .. math:: \frac{\omega_+}{\omega_-} \cdot \frac{\sigma(\gamma \Delta_+)}
        {\sigma(\gamma \Delta_-)} = \frac{1 - \pi}{\pi}, \qquad
        \ell(y, f) = \frac{\omega_y}{\gamma} \log\big(1 + e^{\gamma \Delta_y} e^{-\gamma y f}\big)

    (book: `logit-adjustment-binary-consistency`), the condition for consistency of the loss on
    the right, with :math:`\sigma(z) = 1 / (1 + e^{-z})` and :math:`y = \pm 1`. Where the positive
    class has the probability :math:`\eta`, the expected loss is convex in f, with the slope
    :math:`(1 - \eta) \omega_- \sigma(\gamma \Delta_-) - \eta \omega_+ \sigma(\gamma \Delta_+)`
    at f = 0. The best f is positive where that is negative, so for :math:`\eta` above
    1 / (1 + ratio); the balanced error wants it positive for :math:`\eta > \pi`.

    The paper states the condition with :math:`\sigma(z) = 1 / (1 + e^z)`. That is this one for
    margins of the opposite sign; here a larger margin makes its class cost more.

    Args:
        positive_prior: Probability pi of the positive class, in (0, 1).
        class_weights: Weights omega of the negative and the positive class, positive.
        margins: Margins Delta of the negative and the positive class.
        scale: The factor gamma > 0.

    Returns:
        A `BinaryConsistency`: whether threshold and prior agree to nine digits in their odds,
        the threshold, and the left side of the condition.

    Raises:
        ValueError: for settings outside these ranges.

    Example:
        >>> round(binary_fisher_consistency(0.05).threshold, 6)  # plain cross-entropy
        0.5
        >>> balanced = (1 / 0.95, 1 / 0.05)
        >>> binary_fisher_consistency(0.05, class_weights=balanced).consistent
        True
        >>> adjusted = (math.log(0.05 / 0.95), math.log(0.95 / 0.05))
        >>> binary_fisher_consistency(0.05, margins=adjusted).consistent
        True
        >>> both = binary_fisher_consistency(0.05, class_weights=balanced, margins=adjusted)
        >>> round(both.threshold, 6)
        0.002762

    References:
        [1] A. K. Menon et al. Long-tail learning via logit adjustment. ICLR 2021, Lemma 2.
    """
    require(0 < positive_prior < 1, "positive_prior", positive_prior, "be in (0, 1)")
    require(
        len(class_weights) == 2 and all(0 < weight < math.inf for weight in class_weights),
        "class_weights",
        class_weights,
        "be two positive finite numbers",
    )
    require(
        len(margins) == 2 and all(map(math.isfinite, margins)),
        "margins",
        margins,
        "be two finite numbers",
    )
    require(0 < scale < math.inf, "scale", scale, "be positive and finite")
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


def _log_sigmoid(z: float) -> float:
    return min(z, 0.0) - math.log1p(math.exp(-abs(z)))
