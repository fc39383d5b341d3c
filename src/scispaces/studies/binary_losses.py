"""The losses that the imbalance study compares, each with what it may tune.

Every loss here takes `logits` `(seeds, configurations, rows, 1)`, `targets` of the same shape, its
parameter, and `imbalance`, negatives over positives in the training rows of each seed. It returns
one number, the sum over the models, so that no model's gradient depends on another's. Scale does
not matter to the comparison: Adam's steps do not depend on it.

A loss with two numbers to tune has both in one parameter: "0.25, 2" is its first and its second.

Scores start at 0, where two of the values tried cannot learn from a positive: truncation at a half
has no gradient there at all, and the self-adjusting Dice loss with alpha 1 has its optimum there.
"""

from typing import Any

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from scispaces.losses import (
    dice_loss,
    focal_loss,
    self_adjusting_dice_loss,
    smooth_accuracy_loss,
    soft_f1_loss,
    softened_cross_entropy,
    truncated_cross_entropy,
)
from scispaces.studies.multilabel_losses import ComparedLoss

POWERS = (0.25, 0.5, 0.75, 1.0)


def _bce(logits: Tensor, targets: Tensor, parameter: Any, imbalance: Tensor) -> Tensor:
    return binary_cross_entropy_with_logits(logits, targets, reduction="sum")


def _weighted_bce(logits: Tensor, targets: Tensor, power: float, imbalance: Tensor) -> Tensor:
    """Positives weigh (negatives / positives)^power."""
    return binary_cross_entropy_with_logits(
        logits, targets, pos_weight=imbalance.pow(power), reduction="sum"
    )


def _logit_adjusted(logits: Tensor, targets: Tensor, tau: float, imbalance: Tensor) -> Tensor:
    """While training, tau times the log odds of a positive are added to the score."""
    adjusted = logits - tau * imbalance.log()
    return binary_cross_entropy_with_logits(adjusted, targets, reduction="sum")


def _focal(logits: Tensor, targets: Tensor, gamma: float, imbalance: Tensor) -> Tensor:
    return focal_loss(logits, targets, gamma=gamma, reduction="sum")


def _alpha_focal(logits: Tensor, targets: Tensor, parameter: str, imbalance: Tensor) -> Tensor:
    alpha, gamma = _numbers(parameter)
    return focal_loss(logits, targets, alpha=alpha, gamma=gamma, reduction="sum")


def _smooth_accuracy(logits: Tensor, targets: Tensor, parameter: Any, imbalance: Tensor) -> Tensor:
    return smooth_accuracy_loss(logits, targets, reduction="sum")


def _truncated(logits: Tensor, targets: Tensor, threshold: float, imbalance: Tensor) -> Tensor:
    return truncated_cross_entropy(logits, targets, threshold=threshold, reduction="sum")


def _softened(logits: Tensor, targets: Tensor, sharpness: float, imbalance: Tensor) -> Tensor:
    return softened_cross_entropy(logits, targets, sharpness=sharpness, reduction="sum")


def _soft_f1(logits: Tensor, targets: Tensor, parameter: Any, imbalance: Tensor) -> Tensor:
    """F1 over the rows of a step, for each model by itself."""
    scores, truth = (part.flatten(0, 1).squeeze(-1).T for part in (logits, targets))
    return soft_f1_loss(scores, truth, average="macro") * scores.shape[1]


def _dice(logits: Tensor, targets: Tensor, parameter: str, imbalance: Tensor) -> Tensor:
    """Dice over the rows of a step, for each model by itself; power 2 squares the denominator."""
    smoothing, power = _numbers(parameter)
    scores, truth = (part.squeeze(-1) for part in (logits, targets))
    return dice_loss(scores, truth, smoothing=smoothing, squared=power == 2, reduction="sum")


def _self_adjusting_dice(
    logits: Tensor, targets: Tensor, alpha: float, imbalance: Tensor
) -> Tensor:
    return self_adjusting_dice_loss(logits, targets, alpha=alpha, reduction="sum")


def _numbers(parameter: str) -> tuple[float, float]:
    first, second = parameter.split(", ")
    return float(first), float(second)


COMPARED = {
    "bce": ComparedLoss(_bce),
    "weighted_bce": ComparedLoss(_weighted_bce, parameters=POWERS, usual=1.0),
    "logit_adjusted": ComparedLoss(_logit_adjusted, parameters=POWERS, usual=1.0),
    "focal": ComparedLoss(_focal, parameters=(0.5, 1.0, 2.0, 5.0), usual=2.0),
    "alpha_focal": ComparedLoss(
        _alpha_focal,
        parameters=("0.25, 2", "0.75, 1", "0.75, 2", "0.95, 2"),
        usual="0.25, 2",
    ),
    "smooth_accuracy": ComparedLoss(_smooth_accuracy),
    "truncated": ComparedLoss(_truncated, parameters=(0.5, 0.65, 0.8, 0.95), usual=0.5),
    "softened": ComparedLoss(_softened, parameters=(0.5, 1.0, 2.0, 5.0), usual=1.0),
    "soft_f1": ComparedLoss(_soft_f1),
    "dice": ComparedLoss(_dice, parameters=("0.1, 1", "0.1, 2", "1, 1", "1, 2"), usual="1, 1"),
    "self_adjusting_dice": ComparedLoss(
        _self_adjusting_dice, parameters=(0.01, 0.1, 0.5, 1.0), usual=1.0
    ),
}
# What the article calls a modified loss: one whose shape is not that of cross-entropy. Weights and
# a shift of the score inside cross-entropy are what they are compared with.
MODIFIED = (
    "focal",
    "alpha_focal",
    "smooth_accuracy",
    "truncated",
    "softened",
    "soft_f1",
    "dice",
    "self_adjusting_dice",
)
