"""Metrics of one yes-or-no question for many models at once, in PyTorch.

Scores are `(..., rows)`, positives boolean and broadcast to them. Rows with equal scores stand or
fall together, as in scikit-learn, with which the tests compare every function here.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

BINS = 15
NEWTON_STEPS = 40
CONVERGED = 1e-6


@dataclass(frozen=True)
class Cuts:
    """The decisions "predict the k highest scores", for k from 1 to all rows.

    Attributes:
        scores: from high to low, `(..., rows)`.
        truth: whether the row at that place is a positive.
        hits: positives among the k highest.
        first, last: for each place, first and last place with the same score, counted from 0.
    """

    scores: Tensor
    truth: Tensor
    hits: Tensor
    first: Tensor
    last: Tensor

    @classmethod
    def of(cls, scores: Tensor, positives: Tensor) -> "Cuts":
        """Sort the rows of every model."""
        ordered, order = scores.sort(dim=-1, descending=True)
        truth = positives.expand_as(scores).gather(-1, order)
        places = torch.arange(scores.shape[-1], device=scores.device).expand_as(order)
        differs = ordered[..., 1:] != ordered[..., :-1]
        edge = torch.ones_like(differs[..., :1])
        starts, ends = torch.cat([edge, differs], -1), torch.cat([differs, edge], -1)
        first = places.masked_fill(~starts, 0).cummax(-1).values
        last = places.masked_fill(~ends, scores.shape[-1]).flip(-1).cummin(-1).values.flip(-1)
        return cls(ordered, truth, truth.cumsum(-1), first, last)

    def average_precision(self) -> Tensor:
        """Area under the precision-recall curve: mean precision at the positives."""
        precision = self.hits.gather(-1, self.last) / (self.last + 1)
        return (precision * self.truth).sum(-1) / self.hits[..., -1]

    def roc_auc(self) -> Tensor:
        """Share of the pairs of a positive and a negative in the right order, ties by half."""
        misses = torch.arange(1, self.hits.shape[-1] + 1, device=self.hits.device) - self.hits
        up_to_last = misses.gather(-1, self.last)
        before_first = torch.where(self.first > 0, misses.gather(-1, (self.first - 1).clamp(0)), 0)
        wrong = ((up_to_last + before_first) * self.truth).sum(-1) / 2
        return 1 - wrong / (self.hits[..., -1] * misses[..., -1])

    def best_f1(self) -> tuple[Tensor, Tensor]:
        """The largest F1 of all thresholds, and a threshold that reaches it."""
        size = torch.arange(1, self.hits.shape[-1] + 1, device=self.hits.device)
        return self._best(2 * self.hits / (size + self.hits[..., -1:]))

    def best_balanced_accuracy(self) -> tuple[Tensor, Tensor]:
        """The largest mean recall of the two classes, and a threshold that reaches it."""
        misses = torch.arange(1, self.hits.shape[-1] + 1, device=self.hits.device) - self.hits
        recall = self.hits / self.hits[..., -1:]
        return self._best((recall + 1 - misses / misses[..., -1:]) / 2)

    def _best(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """The best cut that leaves no tie divided, the threshold half way to the next score."""
        places = torch.arange(values.shape[-1], device=values.device)
        best = values.masked_fill(self.last != places, -1.0).max(-1, keepdim=True)
        below = torch.cat([self.scores[..., 1:], self.scores[..., -1:] - 1], -1)
        threshold = (self.scores.gather(-1, best.indices) + below.gather(-1, best.indices)) / 2
        return best.values.squeeze(-1), threshold.squeeze(-1)


def f1(scores: Tensor, positives: Tensor, threshold: Tensor | float) -> Tensor:
    """F1 of "positive above the threshold", 0 where nothing is predicted.

    Args:
        scores, positives: see above.
        threshold: a number, or `(..., 1)`.
    """
    predicted = scores > threshold
    hits = (predicted & positives).sum(-1)
    return 2 * hits / (predicted.sum(-1) + positives.expand_as(scores).sum(-1))


def balanced_error(scores: Tensor, positives: Tensor, threshold: Tensor | float) -> Tensor:
    """Mean of the error rates of the two classes.

    Args:
        scores, positives: see above.
        threshold: a number, or `(..., 1)`.
    """
    wrong = (scores > threshold) != positives
    positives = positives.expand_as(wrong)
    missed = (wrong & positives).sum(-1) / positives.sum(-1)
    false = (wrong & ~positives).sum(-1) / (~positives).sum(-1)
    return (missed + false) / 2


def brier(probabilities: Tensor, positives: Tensor) -> Tensor:
    """Mean squared difference of probability and outcome."""
    return (probabilities - positives.to(probabilities.dtype)).square().mean(-1)


def calibration_error(probabilities: Tensor, positives: Tensor, bins: int = BINS) -> Tensor:
    """Expected calibration error [1]: mean distance of probability and frequency in equal bins.

    References:
        [1] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural networks",
        ICML 2017.
    """
    place = (probabilities * bins).long().clamp(max=bins - 1)
    excess = probabilities - positives.to(probabilities.dtype)
    total = excess.new_zeros(*excess.shape[:-1], bins).scatter_add(-1, place, excess)
    return total.abs().sum(-1) / excess.shape[-1]


def platt_scaling(scores: Tensor, positives: Tensor) -> tuple[Tensor, Tensor]:
    """Slope and intercept of a logistic regression of the outcome on the score, as Platt [1].

    His targets, a little inside 0 and 1, keep the slope finite where the classes are separable.

    Returns:
        Two tensors `(..., 1)`: sigmoid(slope · score + intercept) is the recalibrated probability.

    References:
        [1] J. C. Platt, "Probabilistic outputs for support vector machines and comparisons to
        regularized likelihood methods", Advances in Large Margin Classifiers, 1999.
    """
    scores, positives = scores.double(), positives.expand_as(scores)
    mean, deviation = scores.mean(-1, keepdim=True), scores.std(-1, keepdim=True)
    deviation = deviation.clamp(min=1e-9)
    unit = (scores - mean) / deviation
    number = positives.sum(-1, keepdim=True).double()
    others = scores.shape[-1] - number
    targets = torch.where(positives, (number + 1) / (number + 2), 1 / (others + 2))
    slope, intercept = torch.zeros_like(mean), torch.zeros_like(mean)
    size = torch.ones_like(mean)
    for _ in range(NEWTON_STEPS):
        fitted = (slope * unit + intercept).sigmoid()
        excess, curvature = fitted - targets, fitted * (1 - fitted)
        gradients = (excess * unit).sum(-1, keepdim=True), excess.sum(-1, keepdim=True)
        # A touch of ridge: all scores equal leave the slope where it is.
        square = (curvature * unit * unit).sum(-1, keepdim=True) + 1e-6
        mixed = (curvature * unit).sum(-1, keepdim=True)
        plain = curvature.sum(-1, keepdim=True) + 1e-6
        determinant = square * plain - mixed * mixed
        down = (plain * gradients[0] - mixed * gradients[1]) / determinant
        aside = (square * gradients[1] - mixed * gradients[0]) / determinant
        # Where the step goes too far, the loss rises steeply behind it: then a shorter one.
        tried = (slope - size * down, intercept - size * aside)
        ahead = (tried[0] * unit + tried[1]).sigmoid() - targets
        against = (ahead * (down * unit + aside)).sum(-1, keepdim=True)
        forward = (excess * (down * unit + aside)).sum(-1, keepdim=True)
        good = against >= -forward / 2
        slope, intercept = (
            torch.where(good, new, old) for new, old in zip(tried, (slope, intercept), strict=True)
        )
        size = torch.where(good, 1.0, size / 2)
        if (good & (forward < CONVERGED)).all():
            break
    slope = slope / deviation
    return slope, intercept - slope * mean
