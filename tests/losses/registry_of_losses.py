"""Every loss of the room with its labels and its definition in arbitrary precision.

A new loss is one line of `LOSSES`: all properties of `test_registry.py` then hold it to account.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
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
    no_classes: str | None = None  # the sentence that refuses rows of no classes, if they are


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


def _draw_class(rows, classes, generator):
    return torch.randint(max(classes, 1), (rows,), generator=generator)


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
# Without classes there is no class that a row could have: every index is out of range.
CLASS = Labels(_draw_class, _permute_indices, no_classes=r"`targets` must lie in \[0, 0\)\. Got 0")
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


def smooth_accuracy(s, t):
    return mpmath.fsum(sigmoid(-a if b else a) for a, b in zip(s, t, strict=True))


def truncated(s, t, threshold):
    right = [sigmoid(a if b else -a) for a, b in zip(s, t, strict=True)]
    return mpmath.fsum(-mpmath.log(p) for p in right if p < threshold)


def softened(s, t, sharpness):
    right = [a if b else -a for a, b in zip(s, t, strict=True)]
    return mpmath.fsum(-sigmoid(-sharpness * x) * mpmath.log(sigmoid(x)) for x in right)


def dice(s, t, smoothing, power):
    p = [sigmoid(a) for a in s]
    both = mpmath.fsum(a * b for a, b in zip(p, t, strict=True))
    total = mpmath.fsum(a**power for a in p) + mpmath.fsum(t)
    return 1 - (2 * both + smoothing) / (total + smoothing)


def self_adjusting_dice(s, t, alpha, smoothing, power):
    u = [sigmoid(-a) ** alpha * sigmoid(a) for a in s]
    return mpmath.fsum(dice_of(a, b, smoothing, power) for a, b in zip(u, t, strict=True))


def dice_of(u, t, smoothing, power):
    return 1 - (2 * u * t + smoothing) / (u**power + t + smoothing)


def one_of_many(s, y, gamma=0, margins=None, class_weights=None):
    others = mpmath.fsum(
        mpmath.exp(a - s[y] + (margins[y][j] if margins else 0)) for j, a in enumerate(s) if j != y
    )
    factor = (others / (1 + others)) ** gamma if others else mpf(not gamma)
    return (class_weights[y] if class_weights else 1) * factor * mpmath.log1p(others)


def ldam(s, y, class_counts, largest):
    top = largest * min(class_counts) ** mpf("0.25")
    margins = [[top / n ** mpf("0.25")] * len(s) for n in class_counts]
    return one_of_many(s, y, margins=margins)


def equalised(s, y, class_prior, power):
    return one_of_many(s, y, margins=[[power * mpmath.log(q) for q in class_prior]] * len(s))


def logit_adjusted(s, y, class_prior, tau):
    adjusted = [a + tau * mpmath.log(q) for a, q in zip(s, class_prior, strict=True)]
    return mpmath.log(mpmath.fsum(map(mpmath.exp, adjusted))) - adjusted[y]


@dataclass(frozen=True)
class Loss:
    """A loss, the kind of its labels, and its definition for one row in mpmath.

    `parameters` are made for a number of classes, and handed to the loss and its definition.
    """

    name: str
    bare: Callable[..., torch.Tensor]
    labels: Labels
    definition: Callable[..., Any]
    by_row: bool = True  # False: the definition takes the whole batch and there is no reduction
    parameters: dict[str, Callable[[int], torch.Tensor]] = field(default_factory=dict)
    order: torch.Tensor | None = None  # in which the classes of the parameters are taken

    def function(self, logits: Any, labels: Any, **options: Any) -> torch.Tensor:
        """The loss with its parameters, on the device of the logits."""
        if not isinstance(logits, torch.Tensor) or 0 in (logits.ndim, *logits.shape[-1:]):
            # A list, a scalar or no class is refused before a parameter is looked at.
            return self.bare(logits, labels, **dict.fromkeys(self.parameters), **options)
        made = self._made(logits.shape[-1])
        made = {name: value.to(logits.device) for name, value in made.items()}
        return self.bare(logits, labels, **made, **options)

    def permuted(self, order: torch.Tensor) -> "Loss":
        """The loss whose parameters belong to the classes in this order."""
        return replace(self, order=order)

    def _made(self, classes: int) -> dict[str, torch.Tensor]:
        made = {name: make(classes) for name, make in self.parameters.items()}
        if self.order is not None:
            axes = {name: value.ndim for name, value in made.items()}
            made = {name: value[self.order] for name, value in made.items()}
            made = {n: v[:, self.order] if axes[n] == 2 else v for n, v in made.items()}
        return made

    def sum(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The sum over rows, or the one value there is."""
        return self.function(logits, labels, **({"reduction": "sum"} if self.by_row else {}))

    def exact(self, logits: torch.Tensor, labels: torch.Tensor) -> Any:
        """`sum` in arbitrary precision, of logits that are numbers or mpmath numbers."""
        numbers = mpf if labels.is_floating_point() else int
        rows = [[mpf(a) for a in row] for row in logits]
        targets = _nested(numbers, labels.tolist())
        made = {n: _nested(mpf, v.tolist()) for n, v in self._made(len(rows[0])).items()}
        definition = partial(self.definition, **made)
        if self.by_row:
            return mpmath.fsum(map(definition, rows, targets))
        return definition(rows, targets)


def _nested(convert, numbers):
    """The numbers, in lists of any depth, converted."""
    return [_nested(convert, b) for b in numbers] if isinstance(numbers, list) else convert(numbers)


# Parameters without random numbers, so that they can be made inside a compiled graph.


def _class_counts(classes):
    rank = torch.arange(classes, dtype=torch.float64)
    return torch.ceil(900 * torch.exp(-5 * rank / classes))


def _class_prior(classes):
    counts = _class_counts(classes)
    return counts / counts.sum()


def _class_weights(classes):
    return 0.25 + torch.arange(classes, dtype=torch.float64) % 3


def _margins(classes):
    return torch.sin(torch.arange(classes**2, dtype=torch.float64)).view(classes, classes)


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


def _ldam(logits, targets, class_counts, *, largest, **options):
    margins = None if class_counts is None else losses.ldam_margins(class_counts, largest=largest)
    return losses.pairwise_margin_cross_entropy(logits, targets, margins=margins, **options)


def _equalised(logits, targets, class_prior, *, power, **options):
    margins = None if class_prior is None else losses.equalised_margins(class_prior, power=power)
    return losses.pairwise_margin_cross_entropy(logits, targets, margins=margins, **options)


def _logit_adjustment_module(logits, targets, class_prior, *, tau, reduction="mean"):
    prior = torch.ones(1) if class_prior is None else class_prior
    return losses.LogitAdjustedCrossEntropy(prior, tau, reduction)(logits, targets)


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


def _softmax_focal(gamma, **parameters):
    function = partial(losses.softmax_focal_loss, gamma=gamma)
    return function, CLASS, partial(one_of_many, gamma=mpf(gamma)), True, parameters


def _dice(smoothing, squared):
    function = partial(losses.dice_loss, smoothing=smoothing, squared=squared)
    return function, HARD, partial(dice, smoothing=mpf(smoothing), power=1 + squared)


def _self_adjusting_dice(alpha, smoothing, squared):
    options = {"alpha": alpha, "smoothing": smoothing}
    function = partial(losses.self_adjusting_dice_loss, squared=squared, **options)
    exact = {name: mpf(value) for name, value in options.items()}
    return function, HARD, partial(self_adjusting_dice, power=1 + squared, **exact)


def _hard(function, definition, **options):
    exact = {name: mpf(value) for name, value in options.items()}
    return partial(function, **options), HARD, partial(definition, **exact)


def _of_classes(function, definition, parameters, **options):
    exact = {name: mpf(value) for name, value in options.items()}
    return partial(function, **options), CLASS, partial(definition, **exact), True, parameters


PRIOR, WEIGHTS = {"class_prior": _class_prior}, {"class_weights": _class_weights}

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
    Loss("smooth accuracy", losses.smooth_accuracy_loss, HARD, smooth_accuracy),
    Loss("truncated", *_hard(losses.truncated_cross_entropy, truncated, threshold=0.5)),
    Loss("truncated at 3/4", *_hard(losses.truncated_cross_entropy, truncated, threshold=0.75)),
    Loss("truncated at 1", *_hard(losses.truncated_cross_entropy, truncated, threshold=1.0)),
    Loss("softened", *_hard(losses.softened_cross_entropy, softened, sharpness=1.0)),
    Loss("softened, sharp", *_hard(losses.softened_cross_entropy, softened, sharpness=8.0)),
    Loss("Dice", *_dice(1.0, False)),
    Loss("Dice squared", *_dice(0.125, True)),
    Loss("self-adjusting Dice", *_self_adjusting_dice(1.0, 1.0, False)),
    Loss("self-adjusting Dice squared", *_self_adjusting_dice(0.25, 0.01, True)),
    Loss("self-adjusting Dice, no adjustment", *_self_adjusting_dice(0.0, 1.0, False)),
    Loss("softmax focal 0", *_softmax_focal(0.0)),
    Loss("softmax focal 1/2 weighted", *_softmax_focal(0.5, **WEIGHTS)),
    Loss("softmax focal 2", *_softmax_focal(2.0)),
    Loss("margins, none", *_of_classes(losses.pairwise_margin_cross_entropy, one_of_many, {})),
    Loss(
        "margins and weights",
        *_of_classes(
            losses.pairwise_margin_cross_entropy, one_of_many, {"margins": _margins, **WEIGHTS}
        ),
    ),
    Loss("LDAM", *_of_classes(_ldam, ldam, {"class_counts": _class_counts}, largest=0.5)),
    Loss("equalised", *_of_classes(_equalised, equalised, PRIOR, power=0.5)),
    Loss(
        "logit adjusted",
        *_of_classes(losses.logit_adjusted_cross_entropy, logit_adjusted, PRIOR, tau=1.0),
    ),
    Loss(
        "logit adjusted, module",
        *_of_classes(_logit_adjustment_module, logit_adjusted, PRIOR, tau=-0.5),
    ),
]
