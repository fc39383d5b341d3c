"""What the long-tail study compares: how a model is trained, and how its scores decide.

A trained method is a loss with at most one parameter to tune. A decision takes a trained method
and may change its scores before the largest one wins: post-hoc logit adjustment subtracts
tau log prior, weight normalisation divides by a power of the norm of the class's weights.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from scispaces.losses import (
    adjust_logits,
    class_prior_from_counts,
    effective_number_weights,
    equalised_margins,
    inverse_frequency_weights,
    ldam_margins,
    logit_adjusted_cross_entropy,
    logit_adjustment_margins,
    pairwise_margin_cross_entropy,
    softmax_focal_loss,
)

Loss = Callable[[Tensor, Tensor, Any, Tensor], Tensor]
Offset = Callable[[Any, Tensor], Tensor]

CLASS_BALANCED_GAMMA = 1.0
TAUS = tuple(float(tau) for tau in np.linspace(0, 4, 17))
NORM_POWERS = tuple(float(power) for power in np.linspace(0, 2, 9))


def _erm(logits: Tensor, targets: Tensor, parameter: Any, counts: Tensor) -> Tensor:
    return cross_entropy(logits.flatten(0, -2), targets.flatten(), reduction="sum")


def _weighted(logits: Tensor, targets: Tensor, parameter: Any, counts: Tensor) -> Tensor:
    weights = inverse_frequency_weights(counts)
    return pairwise_margin_cross_entropy(logits, targets, class_weights=weights, reduction="sum")


def _adjusted(logits: Tensor, targets: Tensor, tau: float, counts: Tensor) -> Tensor:
    prior = class_prior_from_counts(counts)
    return logit_adjusted_cross_entropy(logits, targets, prior, tau=tau, reduction="sum")


def _adjusted_weighted(logits: Tensor, targets: Tensor, parameter: Any, counts: Tensor) -> Tensor:
    return pairwise_margin_cross_entropy(
        logits,
        targets,
        margins=logit_adjustment_margins(class_prior_from_counts(counts)),
        class_weights=inverse_frequency_weights(counts),
        reduction="sum",
    )


def _ldam(logits: Tensor, targets: Tensor, largest: float, counts: Tensor) -> Tensor:
    margins = ldam_margins(counts, largest=largest)
    return pairwise_margin_cross_entropy(logits, targets, margins=margins, reduction="sum")


def _equalised(logits: Tensor, targets: Tensor, power: float, counts: Tensor) -> Tensor:
    margins = equalised_margins(class_prior_from_counts(counts), power=power)
    return pairwise_margin_cross_entropy(logits, targets, margins=margins, reduction="sum")


def _focal(logits: Tensor, targets: Tensor, gamma: float, counts: Tensor) -> Tensor:
    return softmax_focal_loss(logits, targets, gamma=gamma, reduction="sum")


def _class_balanced(logits: Tensor, targets: Tensor, beta: float, counts: Tensor) -> Tensor:
    return softmax_focal_loss(
        logits,
        targets,
        gamma=CLASS_BALANCED_GAMMA,
        class_weights=effective_number_weights(counts, beta=beta),
        reduction="sum",
    )


def _unchanged(parameter: Any, counts: Tensor) -> Tensor:
    return torch.zeros_like(counts)


def _log_counts(tau: float, counts: Tensor) -> Tensor:
    return tau * counts.log()


@dataclass(frozen=True)
class Trained:
    """A loss of the comparison.

    Attributes:
        loss: logits `(seeds, configurations, rows, classes)`, targets `(seeds, configurations,
            rows)`, parameter and class counts to the sum over everything.
        parameters: the values tried, none if there is nothing to tune.
        to_natural: parameter and class counts to what must be added to the scores so that their
            softmax, at the minimum of the expected loss, is P(class | x) with the frequencies of
            the training data; zero for losses of which no such offset is known.
    """

    loss: Loss
    parameters: tuple[float, ...] = ()
    to_natural: Offset = _unchanged


TRAINED = {
    "erm": Trained(_erm),
    "weighted": Trained(_weighted, to_natural=lambda _, counts: _log_counts(1.0, counts)),
    "la": Trained(
        lambda logits, targets, _, counts: _adjusted(logits, targets, 1.0, counts),
        to_natural=lambda _, counts: _log_counts(1.0, counts),
    ),
    "la_tuned": Trained(_adjusted, (0.5, 1.0, 1.5, 2.0), to_natural=_log_counts),
    "la_weighted": Trained(
        _adjusted_weighted, to_natural=lambda _, counts: _log_counts(2.0, counts)
    ),
    "ldam": Trained(_ldam, (0.5, 1.0, 2.0, 4.0)),
    "equalised": Trained(_equalised, (0.25, 0.5, 1.0, 1.5)),
    "focal": Trained(_focal, (0.5, 1.0, 2.0, 5.0)),
    "class_balanced_focal": Trained(
        _class_balanced,
        (0.9, 0.99, 0.999, 0.9999),
        to_natural=lambda beta, counts: -effective_number_weights(counts, beta=beta).log(),
    ),
}


@dataclass(frozen=True)
class Decision:
    """A method of the comparison: whose scores, changed how.

    Attributes:
        trained: a key of `TRAINED`.
        change: "none", "prior" (subtract tau log prior) or "norm" (divide by norm^power).
        values: the values of tau or of the power among which validation chooses.
    """

    trained: str
    change: str = "none"
    values: tuple[float, ...] = (0.0,)

    def scores(self, scores: Tensor, value: float, counts: Tensor, norms: Tensor) -> Tensor:
        """Scores as they decide.

        Args:
            scores: `(..., rows, classes)`.
            value: one of `values`.
            counts: of the classes.
            norms: of each class's weights in the last layer, `(..., 1, classes)`.
        """
        if self.change == "prior":
            return adjust_logits(scores, class_prior_from_counts(counts), tau=value)
        return scores / norms**value if self.change == "norm" else scores

    def to_natural(self, parameter: Any, value: float, counts: Tensor) -> Tensor:
        """What to add to the changed scores, see `Trained.to_natural`."""
        back = value * counts.log() if self.change == "prior" else torch.zeros_like(counts)
        return back + TRAINED[self.trained].to_natural(parameter, counts)


DECISIONS = {
    "erm": Decision("erm"),
    "post_hoc": Decision("erm", "prior", (1.0,)),
    "post_hoc_tuned": Decision("erm", "prior", TAUS),
    "weight_norm": Decision("erm", "norm", (1.0,)),
    "weight_norm_tuned": Decision("erm", "norm", NORM_POWERS),
    **{name: Decision(name) for name in TRAINED if name != "erm"},
}
