"""Weights, additive margins and multiplicative margins on separable data, trained to the limit.

Where a line divides the training data, the loss has no minimum: the weights grow for ever, and
only their direction converges [1]. With y = ±1 the sign of a row, f its score and r the ratio, the
losses compared are

* cross_entropy: log(1 + e^(-y f));
* weighted: the same, positives weighing r times as much;
* weighted_squared: positives weighing r² times as much;
* logit_adjusted: log(1 + e^(-y (f - log r))), which asks a positive for a score larger by log r;
* scaled: s log(1 + e^(-y f / s)) with s > 1 for positives and 1 for negatives, the multiplicative
  margin of the vector-scaling loss [3].

Far out log(1 + e^u) is e^u, so the adjustment becomes a weight r on positives and 1/r on negatives,
which is why it is compared with r² too. Neither weights nor additive margins change the limit
[2, 3]: the widest margin, the same on both sides. Only the scaled loss has another limit, the line
that leaves s times as much room before the positives.

References:
    [1] D. Soudry, E. Hoffer, M. Shpigel Nacson, S. Gunasekar, N. Srebro, "The implicit bias of
    gradient descent on separable data", Journal of Machine Learning Research 19 (2018).
    [2] J. Byrd, Z. C. Lipton, "What is the effect of importance weighting in deep learning?",
    ICML 2019.
    [3] G. R. Kini, O. Paraskevas, S. Oymak, C. Thrampoulidis, "Label-imbalanced and
    group-sensitive classification under overparameterization", NeurIPS 2021.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.special import expit, log_softmax

Row = dict[str, Any]
Array = NDArray[np.float64]

METHODS = ("cross_entropy", "weighted", "weighted_squared", "logit_adjusted", "scaled")
# Below this log(1 + e^u) is e^u to the last digit.
TAIL = -36.0


def separable_data(positives: int = 5, negatives: int = 50, seed: int = 0) -> tuple[Array, Array]:
    """Two clouds in the plane with a gap between them, the upper one rare.

    Returns:
        Points `(rows, 2)` and signs `(rows,)`, +1 or -1.
    """
    generator = np.random.default_rng(seed)
    clouds = [generator.normal(size=(number, 2)) for number in (positives, negatives)]
    for cloud, side in zip(clouds, (1, -1), strict=True):
        # Folded at the line y = 0 and moved off it by a half.
        cloud[:, 1] = side * (0.5 + np.abs(cloud[:, 1]))
    return np.concatenate(clouds), np.repeat([1.0, -1.0], [positives, negatives])


def widest_margin(points: Array, signs: Array, scale: float = 1.0) -> Array:
    """The shortest (weights, bias) with y f >= scale for positives and >= 1 for negatives.

    Its direction is where gradient descent on the scaled loss goes, and with scale 1 that on the
    three others. The bias counts in the length, as it does in gradient descent.

    Args:
        points: `(rows, features)`, separable.
        signs: +1 or -1.
        scale: how much more room the positives get.

    Returns:
        `(features + 1,)`, the bias last.

    Raises:
        ValueError: no line divides the points.

    Example:
        >>> widest_margin(np.array([[2.0], [-2.0]]), np.array([1.0, -1.0])).round(9).tolist()
        [0.5, 0.0]
    """
    demands = np.where(signs > 0, scale, 1.0)
    rows = _with_bias(points) * signs[:, None]
    # Least distance programming by non-negative least squares (Lawson and Hanson, chapter 23).
    system = np.vstack([rows.T, demands])
    wanted = np.zeros(len(system))
    wanted[-1] = 1.0
    solution, distance = nnls(system, wanted)
    if distance < 1e-9:
        raise ValueError("`points` must be separable by a line. Got points that are not.")
    residual = system @ solution - wanted
    return -residual[:-1] / residual[-1] + 0.0


def train_separable(
    points: Array,
    signs: Array,
    *,
    iterations: int = 10_000,
    rate: float = 0.2,
    ratio: float = 10.0,
    scale: float = 3.0,
    looks: int = 25,
) -> list[Row]:
    """Train linear models far beyond zero error, and see where the dividing line goes.

    Gradient descent on the logarithm of the loss: gradient descent on the loss with the step
    divided by the loss. It takes the same direction, but the weights grow in proportion to the
    iterations and not to their logarithm, so the limit comes into sight.

    Args:
        points: `(rows, features)`, separable by a line.
        signs: +1 or -1.
        iterations: steps.
        rate: of the steps.
        ratio, scale: r and s of the losses above.
        looks: how often to measure, at iterations growing by equal factors.

    Returns:
        One entry for each look and method: iteration; method; norm of the weights and bias;
        angle, in degrees, between the line and that of widest margin; angle_to_limit, between
        weights and bias and those of the limit of the method itself; position of the line between
        the nearest negative (0) and the nearest positive (1), 1/2 in the middle, outside of [0, 1]
        while a training point is on the wrong side.
    """
    inputs = _with_bias(points)
    positive = signs > 0
    room = np.ones((len(METHODS), len(signs)))
    room[METHODS.index("scaled"), positive] = scale
    log_weights = np.log(room)
    log_weights[METHODS.index("weighted"), positive] = np.log(ratio)
    log_weights[METHODS.index("weighted_squared"), positive] = 2 * np.log(ratio)
    shift = np.zeros_like(room)
    shift[METHODS.index("logit_adjusted")] = np.log(ratio)
    limits = [widest_margin(points, signs, scale if name == "scaled" else 1.0) for name in METHODS]
    weights = np.zeros((len(METHODS), inputs.shape[1]))
    measured = {round(at) for at in np.geomspace(1, iterations, looks)}
    rows = []
    for at in range(1, iterations + 1):
        exponent = -signs * (weights @ inputs.T - shift) / room
        soft = np.logaddexp(0, exponent)
        # Both are computed for all points, and the tail takes its limit.
        tail = exponent < TAIL
        log_loss = np.where(tail, exponent, np.log(np.where(tail, 1.0, soft)))
        steepness = np.where(tail, 1.0, expit(exponent) / np.where(tail, 1.0, soft))
        shares = np.exp(log_softmax(log_weights + log_loss, axis=1))
        weights += rate * (shares * steepness * signs / room) @ inputs
        if at in measured:
            scores = weights @ inputs.T
            highest_negative = scores[:, ~positive].max(1)
            gap = scores[:, positive].min(1) - highest_negative
            for number, name in enumerate(METHODS):
                rows.append(
                    {
                        "iteration": at,
                        "method": name,
                        "norm": float(np.linalg.norm(weights[number])),
                        "angle": _angle(weights[number, :-1], limits[0][:-1]),
                        "angle_to_limit": _angle(weights[number], limits[number]),
                        "position": float(-highest_negative[number] / gap[number]),
                    }
                )
    return rows


def _with_bias(points: Array) -> Array:
    return np.concatenate([points, np.ones((len(points), 1))], axis=1)


def _angle(one: Array, other: Array) -> float:
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
