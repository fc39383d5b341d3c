"""The losses that the ZLPR study compares, each with the one parameter it may tune.

Every loss here takes `logits` `(seeds, configurations, rows, labels)`, `targets` of the same shape,
its parameter, and `imbalance`, negatives over positives of each label in the training rows of each
seed. It returns one number, the sum over the models, so that no model's gradient depends on
another's. Scale does not matter to the comparison: Adam's steps do not depend on it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from scispaces.losses import (
    asymmetric_loss,
    focal_loss,
    pairwise_ranking_loss,
    soft_f1_loss,
    zlpr_loss,
)

LARGEST_WEIGHT = 100.0

Parameter = float | str
LossFunction = Callable[[Tensor, Tensor, Any, Tensor], Tensor]


@dataclass(frozen=True)
class ComparedLoss:
    """A loss of the comparison.

    Attributes:
        function: logits, targets, parameter, imbalance to the summed loss.
        parameters: the values tried, or none if the loss has nothing to tune.
        usual: the value in use where nobody tunes it.
        has_threshold: whether training places a threshold at score 0. Without one the loss only
            orders the labels of a row, and a decision needs a threshold found elsewhere.
    """

    function: LossFunction
    parameters: tuple[Parameter, ...] = ()
    usual: Parameter = ""
    has_threshold: bool = True


def _zlpr(logits: Tensor, targets: Tensor, parameter: Any, imbalance: Tensor) -> Tensor:
    return zlpr_loss(logits, targets, reduction="sum")


def _bce(logits: Tensor, targets: Tensor, parameter: Any, imbalance: Tensor) -> Tensor:
    return binary_cross_entropy_with_logits(logits, targets, reduction="sum")


def _weighted_bce(logits: Tensor, targets: Tensor, power: float, imbalance: Tensor) -> Tensor:
    """Positives weigh (negatives / positives)^power of their label, at most 100."""
    weight = imbalance.pow(power).clamp(max=LARGEST_WEIGHT)
    return binary_cross_entropy_with_logits(logits, targets, pos_weight=weight, reduction="sum")


def _focal(logits: Tensor, targets: Tensor, alpha: float, imbalance: Tensor) -> Tensor:
    return focal_loss(logits, targets, alpha=alpha, gamma=2.0, reduction="sum")


def _asymmetric(logits: Tensor, targets: Tensor, gamma: float, imbalance: Tensor) -> Tensor:
    return asymmetric_loss(
        logits, targets, gamma_positive=0.0, gamma_negative=gamma, clip=0.05, reduction="sum"
    )


def _soft_f1(logits: Tensor, targets: Tensor, average: str, imbalance: Tensor) -> Tensor:
    """F1 over the batch of each model ("micro"), or of each of its labels ("macro")."""
    # The loss takes one batch. Models, or models and labels, stand side by side as its classes.
    seeds, configurations, _, labels = logits.shape
    classes = seeds * configurations * (labels if average == "macro" else 1)
    order = (2, 0, 1, 3) if average == "macro" else (2, 3, 0, 1)
    scores, truth = (part.permute(order).reshape(-1, classes) for part in (logits, targets))
    return soft_f1_loss(scores, truth, average="macro") * (seeds * configurations)


def _ranking(logits: Tensor, targets: Tensor, parameter: Any, imbalance: Tensor) -> Tensor:
    return pairwise_ranking_loss(logits, targets, threshold_class=False, reduction="sum")


def _softmax(logits: Tensor, targets: Tensor, parameter: Any, imbalance: Tensor) -> Tensor:
    """Cross-entropy of one softmax against every positive in turn."""
    return -(targets * logits.log_softmax(-1)).sum()


COMPARED = {
    "zlpr": ComparedLoss(_zlpr),
    "bce": ComparedLoss(_bce),
    "weighted_bce": ComparedLoss(_weighted_bce, parameters=(0.25, 0.5, 1.0), usual=1.0),
    "focal": ComparedLoss(_focal, parameters=(0.25, 0.65, 0.9), usual=0.25),
    "asymmetric": ComparedLoss(_asymmetric, parameters=(1.0, 4.0, 8.0), usual=4.0),
    "soft_f1": ComparedLoss(_soft_f1, parameters=("micro", "macro"), usual="micro"),
    "ranking": ComparedLoss(_ranking, has_threshold=False),
    "softmax": ComparedLoss(_softmax, has_threshold=False),
}
