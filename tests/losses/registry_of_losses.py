"""Every loss of the room with its labels and its definition in arbitrary precision.

A new loss is one line of `LOSSES`: all properties of `test_registry.py` then hold it to account.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import mpmath
import torch
from mpmath import mpf

import scispaces.losses as losses


@dataclass(frozen=True)
class Labels:
    """A kind of labels: how to draw them and how they follow a permutation of the classes."""

    draw: Callable[[int, int, torch.Generator], torch.Tensor]
    permute: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def _draw_hard(rows, classes, generator):
    return torch.rand(rows, classes, generator=generator) < 0.4


def _draw_soft(rows, classes, generator):
    weights = torch.rand(rows, classes, generator=generator, dtype=torch.float64)
    return torch.where(_draw_hard(rows, classes, generator), weights, weights.round())


def _draw_indices(rows, classes, generator):
    """Four entries a row, some of them padding (-1), some repeated."""
    return torch.randint(-1, classes, (rows, 4), generator=generator)


def _draw_subset(rows, classes, generator):
    return torch.rand(rows, classes, generator=generator).argsort(-1)[:, : min(3, classes)]


def _draw_scores(rows, classes, generator):
    return 2 * torch.randn(rows, classes, generator=generator, dtype=torch.float64)


def _permute_columns(labels, order):
    return labels[..., order]


def _permute_indices(labels, order):
    return torch.where(labels < 0, labels, order.argsort()[labels.clamp_min(0)])


HARD = Labels(_draw_hard, _permute_columns)
SOFT = Labels(_draw_soft, _permute_columns)
INDICES = Labels(_draw_indices, _permute_indices)
SUBSET = Labels(_draw_subset, _permute_indices)
SCORES = Labels(_draw_scores, _permute_columns)


def zlpr(s, t):
    negative = mpmath.fsum((1 - b) * mpmath.exp(a) for a, b in zip(s, t, strict=True))
    positive = mpmath.fsum(b * mpmath.exp(-a) for a, b in zip(s, t, strict=True))
    return mpmath.log1p(negative) + mpmath.log1p(positive)


def zlpr_of_indices(s, positives):
    return zlpr(s, [mpf(i in positives) for i in range(len(s))])


def pairs(s, t, scale, margin, threshold):
    positive = [a for a, b in zip(s, t, strict=True) if b] + [mpf(0)] * threshold
    negative = [a for a, b in zip(s, t, strict=True) if not b] + [mpf(0)] * threshold
    powers = [mpmath.exp(scale * (a - b + margin)) for a in negative for b in positive]
    # The class of score 0 is not compared with itself.
    return mpmath.log1p(mpmath.fsum(powers) - threshold * mpmath.exp(scale * margin))


def subset(s, positives):
    powers = [mpmath.exp(mpmath.fsum(c)) for c in combinations(s, len(positives))]
    return mpmath.log(mpmath.fsum(powers)) - mpmath.fsum(s[i] for i in positives)


def sigmoid(x):
    return 1 / (1 + mpmath.exp(-x))


def divergence(s, t):
    return mpmath.fsum((sigmoid(a) - sigmoid(b)) * (a - b) for a, b in zip(s, t, strict=True))


def focal(s, t, gamma, alpha=None):
    total = mpf(0)
    for a, b in zip(s, t, strict=True):
        p = sigmoid(a if b else -a)
        weight = 1 if alpha is None else alpha if b else 1 - alpha
        total -= weight * sigmoid(-a if b else a) ** gamma * mpmath.log(p)
    return total


def asymmetric(s, t, gamma_positive=1, gamma_negative=4, clip=0.05):
    total = mpf(0)
    for a, b in zip(s, t, strict=True):
        if b:
            total += sigmoid(-a) ** gamma_positive * mpmath.log1p(mpmath.exp(-a))
        elif sigmoid(a) > clip:
            total -= (sigmoid(a) - clip) ** gamma_negative * mpmath.log(sigmoid(-a) + clip)
    return total


def soft_f1(rows, labels, average):
    columns = list(zip(*rows, strict=True)), list(zip(*labels, strict=True))
    if average == "micro":
        columns = tuple([sum(side, ())] for side in columns)
    values = []
    for s, t in zip(*columns, strict=True):
        p = [sigmoid(a) for a in s]
        both = mpmath.fsum(a * b for a, b in zip(p, t, strict=True))
        values.append(1 - 2 * both / (mpmath.fsum(p) + mpmath.fsum(t)))
    return mpmath.fsum(values) / len(values)


@dataclass(frozen=True)
class Loss:
    """A loss, the kind of its labels, and its definition for one row in mpmath."""

    name: str
    function: Callable[..., torch.Tensor]
    labels: Labels
    definition: Callable[..., Any]
    by_row: bool = True  # False: the definition takes the whole batch and there is no reduction

    def sum(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The sum over rows, or the one value there is."""
        return self.function(logits, labels, **({"reduction": "sum"} if self.by_row else {}))

    def exact(self, logits: torch.Tensor, labels: torch.Tensor) -> Any:
        """`sum` in arbitrary precision, of logits that are numbers or mpmath numbers."""
        numbers = mpf if labels.is_floating_point() else int
        rows = [[mpf(a) for a in row] for row in logits]
        targets = [[numbers(b) for b in row] for row in labels.tolist()]
        if self.by_row:
            return mpmath.fsum(map(self.definition, rows, targets))
        return self.definition(rows, targets)


def _masked(logits, targets, **options):
    """ZLPR with a mask that takes out a fixed, far-off class: the value is that of the others."""
    if not (isinstance(logits, torch.Tensor) and isinstance(targets, torch.Tensor) and logits.ndim):
        return losses.zlpr_loss(logits, targets, **options)  # where it is refused
    wrong = torch.full_like(logits[..., :1], 50.0)
    mask = torch.ones_like(logits, dtype=torch.bool)
    return losses.zlpr_loss(
        torch.cat([logits, wrong], -1),
        torch.cat([targets, torch.zeros_like(targets[..., :1])], -1),
        mask=torch.cat([mask, torch.zeros_like(mask[..., :1])], -1),
        **options,
    )


def _pairs(scale, margin, threshold):
    function = partial(
        losses.pairwise_ranking_loss, scale=scale, margin=margin, threshold_class=threshold
    )
    definition = partial(pairs, scale=mpf(scale), margin=mpf(margin), threshold=threshold)
    return function, HARD, definition


def _focal(gamma, alpha=None):
    function = partial(losses.focal_loss, gamma=gamma, alpha=alpha)
    return function, HARD, partial(focal, gamma=mpf(gamma), alpha=alpha and mpf(alpha))


def _soft_f1(average):
    function = partial(losses.soft_f1_loss, average=average)
    return function, SOFT, partial(soft_f1, average=average), False


LOSSES = [
    Loss("zlpr hard", losses.zlpr_loss, HARD, zlpr),
    Loss("zlpr soft", losses.zlpr_loss, SOFT, zlpr),
    Loss("zlpr masked", _masked, SOFT, zlpr),
    Loss("zlpr indices", losses.zlpr_loss_from_indices, INDICES, zlpr_of_indices),
    Loss("pairs", *_pairs(1.0, 0.0, False)),
    Loss("pairs with scale and margin", *_pairs(1.5, 0.25, False)),
    Loss("pairs with threshold", *_pairs(1.0, 0.0, True)),
    Loss("pairs with threshold, scale, margin", *_pairs(1.5, 0.25, True)),
    Loss("subset", losses.k_subset_cross_entropy, SUBSET, subset),
    Loss("divergence", losses.symmetric_bernoulli_divergence, SCORES, divergence),
    Loss("focal 0", *_focal(0.0)),
    Loss("focal 1/2", *_focal(0.5, 0.25)),
    Loss("focal 2", *_focal(2.0)),
    Loss("asymmetric", losses.asymmetric_loss, HARD, asymmetric),
    Loss(
        "asymmetric, no clip",
        partial(losses.asymmetric_loss, clip=0.0, gamma_negative=2.0),
        HARD,
        partial(asymmetric, clip=0, gamma_negative=2),
    ),
    Loss("soft F1 micro", *_soft_f1("micro")),
    Loss("soft F1 macro", *_soft_f1("macro")),
]
