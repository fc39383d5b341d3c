"""What the long-tail study compares: how a model is trained, and how its scores decide.

A trained method is a loss with at most one parameter to tune. A decision takes a trained method
and may change its scores before the largest one wins: post-hoc logit adjustment subtracts
tau log prior, weight normalisation divides by a power of the norm of the class's weights.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scispaces.losses import (
    adjust_logits,
    class_prior_from_counts,
    effective_number_weights,
    equalised_margins,
    inverse_frequency_weights,
    ldam_margins,
    logit_adjustment_margins,
)

OfCounts = Callable[[Any, Tensor], Tensor]

CLASS_BALANCED_GAMMA = 1.0
TAUS = tuple(float(tau) for tau in np.linspace(0, 4, 17))
NORM_POWERS = tuple(float(power) for power in np.linspace(0, 2, 9))
SMALLEST_DOUBT = 1e-7


def _none(parameter: Any, counts: Tensor) -> Tensor:
    return torch.zeros_like(counts)


def _one(parameter: Any, counts: Tensor) -> Tensor:
    return torch.ones_like(counts)


def _inverse(parameter: Any, counts: Tensor) -> Tensor:
    return inverse_frequency_weights(counts)


def _adjusted(tau: float, counts: Tensor) -> Tensor:
    return logit_adjustment_margins(class_prior_from_counts(counts), tau=tau)


def _log_counts(tau: float, counts: Tensor) -> Tensor:
    return tau * counts.log()


@dataclass(frozen=True)
class Trained:
    """A loss of the comparison: weight[y] (1 − p)^gamma (−log p) with p from the margins.

    −log p = log(1 + Σ over y' ≠ y of exp(margin[y, y'] + f[y'] − f[y])), so gamma 0 is the family
    `pairwise_margin_cross_entropy`, and margin 0 is `softmax_focal_loss`. In this form one formula
    serves the configurations of all methods.

    Attributes:
        parameters: the values tried, none if there is nothing to tune.
        margins, weights: of parameter and class counts, `(classes, classes)`, or what broadcasts
            to it, and `(classes,)`.
        gamma: of the parameter.
        to_natural: parameter and class counts to what must be added to the scores so that their
            softmax, at the minimum of the expected loss, is P(class | x) with the frequencies of
            the training data; zero for losses of which no such offset is known.
    """

    parameters: tuple[float, ...] = ()
    margins: OfCounts = _none
    weights: OfCounts = _one
    gamma: Callable[[Any], float] = lambda _: 0.0
    to_natural: OfCounts = _none


TRAINED = {
    "erm": Trained(),
    "weighted": Trained(weights=_inverse, to_natural=lambda _, counts: _log_counts(1.0, counts)),
    "la": Trained(
        margins=lambda _, counts: _adjusted(1.0, counts),
        to_natural=lambda _, counts: _log_counts(1.0, counts),
    ),
    "la_tuned": Trained((0.5, 1.0, 1.5), margins=_adjusted, to_natural=_log_counts),
    "la_weighted": Trained(
        margins=lambda _, counts: _adjusted(1.0, counts),
        weights=_inverse,
        to_natural=lambda _, counts: _log_counts(2.0, counts),
    ),
    "ldam": Trained((0.5, 2.0, 8.0), margins=lambda largest, n: ldam_margins(n, largest=largest)),
    "equalised": Trained(
        (0.5, 1.0, 1.5),
        margins=lambda power, n: equalised_margins(class_prior_from_counts(n), power=power),
    ),
    "focal": Trained((0.5, 2.0, 5.0), gamma=lambda gamma: gamma),
    "class_balanced_focal": Trained(
        (0.99, 0.999, 0.9999),
        weights=lambda beta, counts: effective_number_weights(counts, beta=beta),
        gamma=lambda _: CLASS_BALANCED_GAMMA,
        to_natural=lambda beta, counts: -effective_number_weights(counts, beta=beta).log(),
    ),
}


class StackedLosses:
    """The losses of several configurations, each for its own slice of the scores."""

    def __init__(self, plan: Sequence[tuple[str, float | None]], counts: Tensor) -> None:
        """Prepare the tables of the configurations, pairs of a key of `TRAINED` and a parameter."""
        self.classes = len(counts)
        shape = self.classes, self.classes
        entries = [(TRAINED[name], parameter) for name, parameter in plan]
        margins = [entry.margins(value, counts).expand(shape) for entry, value in entries]
        # Row c · classes + y: what configuration c adds to the scores of a row of class y.
        own = torch.eye(self.classes, dtype=torch.bool, device=counts.device)
        self.margins = torch.stack(margins).masked_fill(own, 0.0).flatten(0, 1)
        self.weights = torch.cat([entry.weights(value, counts) for entry, value in entries])
        gammas = [entry.gamma(value) for entry, value in entries]
        self.gamma = torch.tensor(gammas, device=counts.device).unsqueeze(-1)

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Sum of all losses; no model's gradient depends on another's.

        Args:
            logits: `(seeds, configurations, rows, classes)`.
            targets: `(seeds, rows)`.
        """
        number = torch.arange(logits.shape[1], device=logits.device).unsqueeze(-1)
        place = number * self.classes + targets.unsqueeze(1)
        table = self.margins.index_select(0, place.flatten()).view_as(logits)
        index = targets[:, None, :, None].expand(*logits.shape[:3], 1)
        log_p = (logits + table).log_softmax(-1).gather(-1, index).squeeze(-1)
        # A power below 1 has an infinite slope at 0.
        doubt = (-log_p.expm1()).clamp(min=SMALLEST_DOUBT)
        return -(self.weights[place] * (self.gamma * doubt.log()).exp() * log_p).sum()


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
