"""Exact minimisers of the expected ZLPR loss when the labels are random.

A label structure is a finite distribution over label sets. Labels that the distribution treats
alike form a group, and the loss is strictly convex and symmetric in them, so at the minimum they
share one score. A structure over dozens of labels therefore needs only one unknown per group and
one term per vector of counts, and its minimum is found to rounding error, without sampling.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

FloatArray = NDArray[np.floating]

_NEWTON_STEPS = 200
_ARMIJO_SLOPE = 1e-4
_LONGEST_STEP = 4.0


@dataclass(frozen=True)
class LabelStructure:
    """A distribution over label sets, given by how many labels of each group are on.

    Attributes:
        sizes: number of labels in each group, shape ``(groups,)``.
        counts: labels that are on, one row per outcome, shape ``(outcomes, groups)``.
        probabilities: probability of each outcome, shape ``(outcomes,)``; they sum to one.
    """

    sizes: FloatArray
    counts: FloatArray
    probabilities: FloatArray

    def __post_init__(self) -> None:
        if self.counts.shape != (self.probabilities.size, self.sizes.size):
            raise ValueError(
                "`counts` must have one row per probability and one column per group. "
                f"Got {self.counts.shape} for {self.probabilities.size} probabilities "
                f"and {self.sizes.size} groups."
            )
        if np.any(self.counts < 0) or np.any(self.counts > self.sizes):
            raise ValueError("`counts` must lie between 0 and the size of the group.")
        if np.any(self.probabilities < 0) or abs(self.probabilities.sum() - 1.0) > 1e-12:
            raise ValueError(
                "`probabilities` must be non-negative and sum to 1. "
                f"Got the sum {float(self.probabilities.sum())}."
            )
        marginals = self.marginals()
        if np.any(marginals <= 0) or np.any(marginals >= 1):
            raise ValueError(
                "every label must be on with a probability strictly between 0 and 1, "
                f"or its best score is infinite. Got {marginals.tolist()}."
            )

    def marginals(self) -> FloatArray:
        """Probability that one label of each group is on, shape ``(groups,)``."""
        return np.asarray(self.probabilities @ self.counts / self.sizes)


def independent(probabilities: list[float], sizes: list[int] | None = None) -> LabelStructure:
    """Labels that are on independently of each other.

    Args:
        probabilities: probability of each group's labels, each strictly between 0 and 1.
        sizes: labels in each group; one each if left out.

    Returns:
        The structure; a group of size m has a binomial count.

    Example:
        >>> independent([0.3, 0.5], [2, 1]).counts.shape
        (6, 2)
    """
    group_sizes = [1] * len(probabilities) if sizes is None else sizes
    outcomes = list(product(*(range(size + 1) for size in group_sizes)))
    pmfs = [
        binom.pmf(np.arange(size + 1), size, p)
        for size, p in zip(group_sizes, probabilities, strict=True)
    ]
    weights = [
        float(np.prod([pmf[on] for pmf, on in zip(pmfs, outcome, strict=True)]))
        for outcome in outcomes
    ]
    return _structure(group_sizes, outcomes, weights)


def exclusive(probabilities: list[float], sizes: list[int] | None = None) -> LabelStructure:
    """Exactly one label is on.

    Args:
        probabilities: probability of *each single label* of the group; over all labels they
            sum to 1.
        sizes: labels in each group; one each if left out.

    Returns:
        The structure; one outcome per group.

    Example:
        >>> exclusive([0.4, 0.3], [1, 2]).marginals().tolist()
        [0.4, 0.3]
    """
    group_sizes = [1] * len(probabilities) if sizes is None else sizes
    weights = [p * size for p, size in zip(probabilities, group_sizes, strict=True)]
    return _structure(group_sizes, np.eye(len(weights)).tolist(), weights)


def all_or_none(probability: float, size: int) -> LabelStructure:
    """A block of labels that are all on, with the given probability, or all off.

    Args:
        probability: strictly between 0 and 1.
        size: labels in the block.

    Returns:
        The structure, of one group.

    Example:
        >>> all_or_none(0.25, 3).counts.tolist()
        [[0.0], [3.0]]
    """
    return _structure([size], [[0], [size]], [1.0 - probability, probability])


def complementary(probability: float) -> LabelStructure:
    """Two labels of which exactly one is on: the first with the given probability.

    Example:
        >>> complementary(0.25).marginals().tolist()
        [0.25, 0.75]
    """
    return exclusive([probability, 1.0 - probability])


def joined(first: LabelStructure, second: LabelStructure) -> LabelStructure:
    """Two structures side by side, independent of each other.

    Example:
        >>> joined(all_or_none(0.5, 2), independent([0.25])).marginals().tolist()
        [0.5, 0.25]
    """
    counts = [[*a, *b] for a in first.counts.tolist() for b in second.counts.tolist()]
    weights = np.outer(first.probabilities, second.probabilities).ravel().tolist()
    return _structure([*first.sizes.tolist(), *second.sizes.tolist()], counts, weights)


def expected_loss(structure: LabelStructure, scores: FloatArray) -> float:
    r"""Expected ZLPR loss when every label of a group has that group's score.

    :math:`R(s) = \mathbb E_Y[\log(1+\sum_i (1-Y_i)e^{s_i}) + \log(1+\sum_i Y_i e^{-s_i})]`
    (book: `zlpr-risk`).

    Args:
        structure: the distribution of the labels.
        scores: one score per group, shape ``(groups,)``.

    Returns:
        The expectation, exact up to float64 rounding.

    Example:
        >>> round(expected_loss(independent([0.5]), np.zeros(1)), 6)
        0.693147
    """
    negative = np.log1p((structure.sizes - structure.counts) @ np.exp(scores))
    positive = np.log1p(structure.counts @ np.exp(-scores))
    return float(structure.probabilities @ (negative + positive))


def expected_gradient(structure: LabelStructure, scores: FloatArray) -> FloatArray:
    """Gradient of :func:`expected_loss`, one entry per group (book: `zlpr-risk-gradient`)."""
    negative_shares, positive_shares = _shares(structure, scores)
    return np.asarray(structure.probabilities @ (negative_shares - positive_shares))


def optimal_scores(structure: LabelStructure, *, tolerance: float = 1e-13) -> FloatArray:
    """Scores that minimise the expected ZLPR loss (book: `zlpr-risk-stationary`).

    Damped Newton from the origin. The expected loss is strictly convex, so the minimiser is
    unique, and it is finite because every label is on with a probability inside (0, 1).

    Args:
        structure: the distribution of the labels.
        tolerance: largest gradient entry at which the search stops.

    Returns:
        One score per group, shape ``(groups,)``, float64.

    Raises:
        RuntimeError: if the gradient does not fall below the tolerance.

    Example:
        >>> round(float(optimal_scores(independent([0.2]))[0]), 6)
        -1.386294

    Reference:
        [1] J. Su et al., "ZLPR: A Novel Loss for Multi-label Classification", 2022,
        arXiv:2208.02955.
    """
    scores = np.zeros(structure.sizes.size)
    for _ in range(_NEWTON_STEPS):
        gradient = expected_gradient(structure, scores)
        if np.max(np.abs(gradient)) <= tolerance:
            return scores
        direction = np.linalg.solve(_expected_hessian(structure, scores), gradient)
        scores = scores - _step_length(structure, scores, gradient, direction) * direction
    raise RuntimeError(
        f"the gradient must fall below {tolerance}. Got {float(np.max(np.abs(gradient)))} "
        f"after {_NEWTON_STEPS} Newton steps."
    )


def soft_law(probability: float) -> float:
    """Score at which a *soft* label of that value is fitted: sigma(2s) = p.

    Example:
        >>> round(soft_law(0.2), 6)
        -0.693147
    """
    return 0.5 * logit(probability)


def logit(probability: float) -> float:
    """Score at which the binary cross-entropy is fitted: sigma(s) = p.

    Example:
        >>> round(logit(0.2), 6)
        -1.386294
    """
    return float(np.log(probability) - np.log1p(-probability))


def _structure(
    sizes: list[int] | list[float],
    counts: list[tuple[int, ...]] | list[list[int]] | list[list[float]],
    weights: list[float],
) -> LabelStructure:
    return LabelStructure(
        sizes=np.asarray(sizes, dtype=np.float64),
        counts=np.asarray(counts, dtype=np.float64),
        probabilities=np.asarray(weights, dtype=np.float64),
    )


def _shares(structure: LabelStructure, scores: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Each group's share of the negative and of the positive gradient, per outcome."""
    negative = (structure.sizes - structure.counts) * np.exp(scores)
    positive = structure.counts * np.exp(-scores)
    return (
        negative / (1.0 + negative.sum(axis=1, keepdims=True)),
        positive / (1.0 + positive.sum(axis=1, keepdims=True)),
    )


def _expected_hessian(structure: LabelStructure, scores: FloatArray) -> FloatArray:
    hessian = np.zeros((scores.size, scores.size))
    for shares in _shares(structure, scores):
        weighted = structure.probabilities[:, None] * shares
        hessian += np.diag(weighted.sum(axis=0)) - weighted.T @ shares
    return hessian


def _step_length(
    structure: LabelStructure, scores: FloatArray, gradient: FloatArray, direction: FloatArray
) -> float:
    """Largest halving of the Newton step that lowers the loss enough."""
    start = expected_loss(structure, scores)
    decrease = float(gradient @ direction)
    if decrease < 1e-12:  # the loss can no longer show a decrease; the gradient still can
        return 1.0
    # Far from the minimum the curvature is tiny, and a full step would overflow the exponentials.
    length = min(1.0, _LONGEST_STEP / float(np.max(np.abs(direction))))
    while (
        expected_loss(structure, scores - length * direction)
        > start - _ARMIJO_SLOPE * length * decrease
    ):
        length /= 2.0
    return length
