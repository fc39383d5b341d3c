"""What each loss asks of a score: its equivalent weights, its calibration, its threshold.

Everything is computed from the losses of the library by automatic differentiation, nothing from
formulas of the chapter, so that the two can be compared.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from scispaces.losses import (
    focal_loss,
    self_adjusting_dice_loss,
    smooth_accuracy_loss,
    soft_f1_loss,
    softened_cross_entropy,
    truncated_cross_entropy,
)

Row = dict[str, Any]
# Scores and targets `(points, 1)` to the loss of every point, `(points,)`.
PointLoss = Callable[[Tensor, Tensor], Tensor]

PRIOR_ODDS = 0.1  # positives over negatives where a loss needs to know
FURTHEST = 40.0
BISECTIONS = 60


def _cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    return binary_cross_entropy_with_logits(logits, targets, reduction="none").sum(-1)


def _weighted(logits: Tensor, targets: Tensor) -> Tensor:
    return _cross_entropy(logits, targets) * (1 + (1 / PRIOR_ODDS - 1) * targets.squeeze(-1))


def _adjusted(logits: Tensor, targets: Tensor) -> Tensor:
    return _cross_entropy(logits + np.log(PRIOR_ODDS), targets)


def soft_f1_among(f1: float, rows: int = 1000) -> PointLoss:
    """Soft F1 as each point sees it in a large batch of which it is a small part.

    Scaled by half the sum of probabilities and targets, so that it does not depend on the size of
    the batch.

    Args:
        f1: soft F1 of that batch.
        rows: its size, a half of it positives.
    """

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        # Half of the rows are positives with p, the others negatives with 1 - p: soft F1 is p.
        score = torch.full((rows, 1), float(np.log(f1 / (1 - f1))), dtype=logits.dtype)
        truth = torch.zeros_like(score)
        truth[: rows // 2] = 1
        score[rows // 2 :] *= -1
        size = (score.sigmoid() + truth).sum() / 2
        return torch.stack(
            [
                soft_f1_loss(torch.cat([score, point[None]]), torch.cat([truth, target[None]]))
                * size
                for point, target in zip(logits, targets, strict=True)
            ]
        )

    return loss


POINT_LOSSES: dict[str, PointLoss] = {
    "cross_entropy": _cross_entropy,
    "weighted": _weighted,
    "logit_adjusted": _adjusted,
    "smooth_accuracy": lambda z, t: smooth_accuracy_loss(z, t, reduction="none"),
    "truncated": lambda z, t: truncated_cross_entropy(z, t, reduction="none"),
    "softened": lambda z, t: softened_cross_entropy(z, t, sharpness=1.0, reduction="none"),
    "softened_sharp": lambda z, t: softened_cross_entropy(z, t, sharpness=5.0, reduction="none"),
    "focal": lambda z, t: focal_loss(z, t, gamma=2.0, reduction="none"),
    "alpha_focal": lambda z, t: focal_loss(z, t, alpha=0.25, gamma=2.0, reduction="none"),
    "soft_f1": soft_f1_among(0.5),
    "self_adjusting_dice": lambda z, t: self_adjusting_dice_loss(z, t, reduction="none"),
}


def slopes(loss: PointLoss, scores: Tensor, positive: bool) -> Tensor:
    """Derivative of the loss of a positive, or of a negative, at each score `(points,)`."""
    logits = scores.detach().double().unsqueeze(-1).requires_grad_(True)
    targets = torch.full_like(logits, float(positive), requires_grad=False)
    (gradient,) = torch.autograd.grad(loss(logits, targets).sum(), logits)
    return gradient.squeeze(-1)


def equivalent_weights(
    probabilities: Sequence[float], losses: Sequence[str] = tuple(POINT_LOSSES)
) -> list[Row]:
    """Every loss as a re-weighting: the weight with which cross-entropy has the same gradient.

    w(p) = (dL/dz) / (dCE/dz) at the score z with sigmoid(z) = p. A negative weight means that the
    loss pushes the other way.

    Args:
        probabilities: predicted probabilities of a positive, inside (0, 1).
        losses: keys of `POINT_LOSSES`. weighted and logit_adjusted are for one positive in ten
            negatives; soft_f1 for a batch with soft F1 of a half; truncated cuts at a half; focal
            has gamma 2, alpha_focal alpha 1/4 too; self_adjusting_dice has alpha and smoothing 1.

    Returns:
        One entry for each loss, class and probability: loss, positive (bool), p, gradient (the size
        of dL/dz) and weight.

    Example:
        >>> [row] = [row for row in equivalent_weights([0.5], ["focal"]) if row["positive"]]
        >>> round(row["weight"], 4)
        0.5966
    """
    p = torch.tensor(probabilities, dtype=torch.float64)
    scores = torch.logit(p)
    rows = []
    for name in losses:
        for positive in (True, False):
            gradient = slopes(POINT_LOSSES[name], scores, positive)
            weight = gradient / slopes(_cross_entropy, scores, positive)
            rows += [
                {"loss": name, "positive": positive, "p": at, "gradient": abs(slope), "weight": w}
                for at, slope, w in zip(p.tolist(), gradient.tolist(), weight.tolist(), strict=True)
            ]
    return rows


def calibration_map(loss: PointLoss, true_probabilities: Sequence[float]) -> list[Row]:
    """Which probability a loss makes a model report, for each true one.

    The score that minimises eta L(z, 1) + (1 - eta) L(z, 0), found by bisection on its derivative:
    right for every loss whose conditional risk falls and then rises.

    Args:
        loss: such a loss, for example `focal(2.0)`.
        true_probabilities: eta, inside (0, 1).

    Returns:
        One entry each: eta, p the reported probability, score.

    Example:
        >>> [row] = calibration_map(focal(2.0), [0.9])
        >>> round(row["p"], 3)
        0.694
    """
    eta = torch.tensor(true_probabilities, dtype=torch.float64)
    low, high = torch.full_like(eta, -FURTHEST), torch.full_like(eta, FURTHEST)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        rising = _risk_slope(loss, middle, eta) > 0
        low, high = torch.where(rising, low, middle), torch.where(rising, middle, high)
    score = (low + high) / 2
    return [
        {"eta": true, "p": reported, "score": at}
        for true, reported, at in zip(
            eta.tolist(), score.sigmoid().tolist(), score.tolist(), strict=True
        )
    ]


def _risk_slope(loss: PointLoss, scores: Tensor, eta: Tensor) -> Tensor:
    return eta * slopes(loss, scores, True) + (1 - eta) * slopes(loss, scores, False)


def focal(gamma: float, alpha: float | None = None) -> PointLoss:
    """Focal loss as a point loss, for `calibration_map` and `implied_threshold`."""
    return lambda z, t: focal_loss(z, t, gamma=gamma, alpha=alpha, reduction="none")


def implied_threshold(loss: PointLoss) -> float:
    """The true probability from which on the best score is positive.

    Found by bisection on the sign of the derivative of the conditional risk at score 0: right for
    every loss whose conditional risk falls and then rises.

    Raises:
        ValueError: at score 0 the loss does not pull a positive up and a negative down, so its
            threshold cannot be read off there (hard truncation, self-adjusting Dice).

    Example:
        >>> round(implied_threshold(focal(2.0, alpha=0.25)), 12)
        0.75
    """
    zero = torch.zeros(1, dtype=torch.float64)
    up, down = slopes(loss, zero, True).item(), slopes(loss, zero, False).item()
    if not up < 0 < down:
        raise ValueError(
            "`loss` must have a negative slope for a positive and a positive one for a negative at "
            f"score 0. Got {up:g} and {down:g}."
        )
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        falling = _risk_slope(loss, zero, torch.tensor([middle], dtype=torch.float64)).item() < 0
        low, high = (low, middle) if falling else (middle, high)
    return (low + high) / 2
