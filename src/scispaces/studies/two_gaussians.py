"""The two-Gaussian task of Menon et al. (2021, section 6.1): predicted first, then measured.

Class + is N((1, 1), I), class − is N((−1, −1), I), and a sample of 10,000 points has 5 % of class
+ on average. An affine score f(x) = ⟨w, x⟩ + b is fitted to convergence by Newton's method; the
rule is f(x) > 0. For an affine rule both class errors are values of the normal distribution
function, so no test sample stands between a fitted rule and its balanced error.

Two predictions come before the measurement. The pointwise one (`binary_fisher_consistency`) lets
the score be any function: the minimiser changes sign where P(+|x) crosses a threshold. The affine
one minimises the expected loss among affine scores by quadrature; it differs where the pointwise
minimiser is no affine function of the log-odds.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit, log_expit, logit, ndtr

from scispaces.losses import binary_fisher_consistency

Row = dict[str, Any]
FloatArray = NDArray[np.float64]

PRIOR = 0.05
TRAIN_ROWS = 10_000
TEST_ROWS_PER_CLASS = 50_000
SEEDS = tuple(range(20))
# Of the half of the distance between the means, in standard deviations.
SEPARATION = math.sqrt(2)
NODES = 100
NEWTON_STEPS = 100
GRADIENT_TOLERANCE = 1e-10


@dataclass(frozen=True)
class Method:
    """A way to train and to decide; pairs are in the order (−, +).

    Attributes:
        class_weights: factors of the loss of each class.
        margins: added to −y f(x) inside the logistic loss of each class.
        tau: the rule is f(x) > tau log(P(+) / P(−)): post-hoc logit adjustment.
        normalised: divide the two scores by the norms of their weights before deciding.
    """

    class_weights: tuple[float, float] = (1.0, 1.0)
    margins: tuple[float, float] = (0.0, 0.0)
    tau: float = 0.0
    normalised: bool = False


def methods(prior: float = PRIOR) -> dict[str, Method]:
    """The methods compared, for a probability of class +.

    Two scores f₊ and f₋ enter every loss only by their difference f. `ldam` has the margins
    P(y)^(−1/4) of Cao et al. as Menon et al. write them, `equalised` log P(y') for the other
    class y', `la` log(P(y') / P(y)).
    """
    negative, positive = 1 - prior, prior
    inverse = (1 / negative, 1 / positive)
    odds = math.log(positive / negative)
    return {
        "erm": Method(),
        "weight_norm": Method(normalised=True),
        "ldam": Method(margins=(negative**-0.25, positive**-0.25)),
        "equalised": Method(margins=(math.log(positive), math.log(negative))),
        "post_hoc_half": Method(tau=0.5),
        "post_hoc_more": Method(tau=1.5),
        "la_weighted": Method(class_weights=inverse, margins=(odds, -odds)),
        "weighted": Method(class_weights=inverse),
        "la": Method(margins=(odds, -odds)),
        "post_hoc": Method(tau=1.0),
    }


def class_errors(slope: FloatArray, offset: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Probability that ⟨slope, x⟩ + offset > 0 misses class +, and that it holds for class −.

    Args:
        slope: `(..., 2)`, not zero.
        offset: `(...)`.

    Example:
        >>> miss, false_alarm = class_errors(np.array([1.0, 1.0]), np.array(0.0))
        >>> float(miss) == float(false_alarm), round(float(miss), 6)
        (True, 0.07865)
    """
    reach, length = slope.sum(-1), np.linalg.norm(slope, axis=-1)
    return ndtr(-(reach + offset) / length), ndtr(-(reach - offset) / length)


def bayes_balanced_error() -> float:
    """The smallest balanced error of any rule, the normal distribution function at −√2.

    Example:
        >>> round(bayes_balanced_error(), 6)
        0.07865
    """
    return float(ndtr(-SEPARATION))


def threshold_balanced_error(threshold: float, prior: float = PRIOR) -> float:
    """Balanced error of the rule P(+|x) > threshold.

    The log-odds of x are log(P(+)/P(−)) + 2(x₁ + x₂), so the rule is an affine one.

    Example:
        >>> [round(threshold_balanced_error(at), 4) for at in (0.05, 0.5)]
        [0.0786, 0.1808]
    """
    offset = np.asarray(logit(prior) - logit(threshold))
    miss, false_alarm = class_errors(np.array([2.0, 2.0]), offset)
    return float(miss + false_alarm) / 2


def minimise(
    design: FloatArray, sign: FloatArray, weight: FloatArray, margin: FloatArray
) -> FloatArray:
    """Minimise Σ weight · log(1 + exp(margin − sign · design θ)) by damped Newton steps.

    Args:
        design: `(..., rows, unknowns)`.
        sign, weight, margin: `(..., rows)`; weights of one problem sum to about 1.

    Returns:
        θ, `(..., unknowns)`, with a gradient below 1e-10 in every component.

    Raises:
        ArithmeticError: no convergence.
    """

    def value(unknowns: FloatArray) -> FloatArray:
        scores = (design @ unknowns[..., None])[..., 0]
        return np.asarray(-(weight * log_expit(sign * scores - margin)).sum(-1))

    found = np.zeros((*design.shape[:-2], design.shape[-1]))
    turned = np.swapaxes(design, -1, -2)
    for _ in range(NEWTON_STEPS):
        wrong = expit(margin - sign * (design @ found[..., None])[..., 0])
        gradient = -(turned @ (weight * sign * wrong)[..., None])[..., 0]
        if np.abs(gradient).max() < GRADIENT_TOLERANCE:
            return found
        curvature = (turned * (weight * wrong * (1 - wrong))[..., None, :]) @ design
        step = np.linalg.solve(curvature, gradient[..., None])[..., 0]
        slack, before = 1e-14, value(found)
        size = np.ones(found.shape[:-1])
        while (worse := value(found - size[..., None] * step) > before + slack).any():
            size = np.where(worse, size / 2, size)
        found = found - size[..., None] * step
    raise ArithmeticError(f"`minimise` must converge in {NEWTON_STEPS} steps. It did not.")


def _rule(method: Method, slope: FloatArray, offset: FloatArray, prior: float) -> list[FloatArray]:
    """Slope and offset of the affine function that is positive where the method says +."""
    if method.normalised:
        # The two columns of least norm are w/2 and −w/2: equal norms, and nothing changes but
        # the scale of both scores.
        half = np.linalg.norm(slope, axis=-1) / 2
        return [slope / half[..., None], offset / half]
    return [slope, offset - method.tau * math.log(prior / (1 - prior))]


def predictions(prior: float = PRIOR) -> list[Row]:
    """What theory says about every method, before any sample is drawn.

    Returns:
        One row per method: method; consistent (is the pointwise minimiser the rule of least
        balanced error); threshold (of P(+|x), where the minimiser changes sign); predicted (the
        balanced error of that threshold); affine (that of the affine score of least expected
        loss); slope and offset of that score as a function of x₁ + x₂.

    Example:
        >>> [row["method"] for row in predictions() if row["consistent"]]
        ['weighted', 'la', 'post_hoc']
    """
    nodes, mass = np.polynomial.hermite_e.hermegauss(NODES)
    mass = mass / mass.sum()
    # Along (1, 1)/√2 the classes are N(±√2, 1); across it they are alike, and by symmetry the
    # best slope has no part there.
    place = np.concatenate([nodes - SEPARATION, nodes + SEPARATION])
    sign = np.repeat([-1.0, 1.0], NODES)
    design = np.stack([place, np.ones_like(place)], axis=-1)
    rows = []
    for name, method in methods(prior).items():
        fact = binary_fisher_consistency(
            prior, class_weights=method.class_weights, margins=method.margins
        )
        threshold = float(expit(logit(fact.threshold) + method.tau * logit(prior)))
        weight = np.concatenate(
            [(1 - prior) * method.class_weights[0] * mass, prior * method.class_weights[1] * mass]
        )
        margin = np.repeat(np.array(method.margins), NODES)
        along, offset = minimise(design, sign, weight, margin)
        slope, moved = _rule(method, np.full(2, along / SEPARATION), np.asarray(offset), prior)
        miss, false_alarm = class_errors(slope, moved)
        rows.append(
            {
                "method": name,
                "consistent": math.isclose(threshold, prior, rel_tol=1e-9),
                "threshold": threshold,
                "predicted": threshold_balanced_error(threshold, prior),
                "affine": float(miss + false_alarm) / 2,
                "slope": float(slope[0]),
                "offset": float(moved),
            }
        )
    return rows


def sample(seed: int, rows: int = TRAIN_ROWS, prior: float = PRIOR) -> tuple[FloatArray, ...]:
    """Points `(rows, 2)` and their classes, −1 or +1."""
    generator = np.random.default_rng(seed)
    sign = np.where(generator.random(rows) < prior, 1.0, -1.0)
    return generator.standard_normal((rows, 2)) + sign[:, None], sign


def run(seeds: Iterable[int] = SEEDS, prior: float = PRIOR, rows: int = TRAIN_ROWS) -> list[Row]:
    """Fit every method on a sample of every seed.

    Args:
        seeds: of the training samples.
        prior: probability of class +.
        rows: size of a sample.

    Returns:
        One row per method and seed: method, seed; balanced_error, miss (error on class +),
        false_alarm (error on class −) and error (of all, classes as frequent as in training), all
        in closed form for the fitted rule; sampled_error, its balanced error on 100,000 fresh
        points; first, second, offset, the fitted rule `first x₁ + second x₂ + offset > 0`.
    """
    chosen = list(seeds)
    drawn = [sample(seed, rows, prior) for seed in chosen]
    points, sign = (np.stack(part) for part in zip(*drawn, strict=True))
    design = np.concatenate([points, np.ones((*sign.shape, 1))], axis=-1)
    positive = (sign > 0).astype(int)
    fresh = np.random.default_rng([0, 1]).standard_normal((TEST_ROWS_PER_CLASS, 2))
    fitted: dict[tuple[Any, ...], FloatArray] = {}
    results = []
    for name, method in methods(prior).items():
        key = method.class_weights, method.margins
        if key not in fitted:
            weight, margin = (np.array(pair)[positive] for pair in key)
            fitted[key] = minimise(design, sign, weight / rows, margin)
        slope, offset = _rule(method, fitted[key][:, :2], fitted[key][:, 2], prior)
        miss, false_alarm = class_errors(slope, offset)
        reach, spread = slope.sum(-1), fresh @ slope.T
        sampled = (spread + reach + offset <= 0).mean(0) + (spread - reach + offset > 0).mean(0)
        columns = {
            "balanced_error": (miss + false_alarm) / 2,
            "miss": miss,
            "false_alarm": false_alarm,
            "error": prior * miss + (1 - prior) * false_alarm,
            "sampled_error": sampled / 2,
            "first": slope[:, 0],
            "second": slope[:, 1],
            "offset": offset,
        }
        results += [
            {"method": name, "seed": seed}
            | {column: float(values[at]) for column, values in columns.items()}
            for at, seed in enumerate(chosen)
        ]
    return results


def summary(rows: Iterable[Row], prior: float = PRIOR, confidence: float = 0.95) -> list[Row]:
    """Predictions beside measurements, one row per method.

    Returns:
        The rows of `predictions` with mean, sd (standard deviation) and low and high (t-interval
        of the mean) of the balanced error over the seeds, mean_error (of all points), and gap, the
        mean minus the affine prediction. The gap of a consistent method is positive: nothing
        falls below the Bayes rule, and a fitted rule is never quite it.
    """
    measured = list(rows)
    table = []
    for row in predictions(prior):
        own = [entry for entry in measured if entry["method"] == row["method"]]
        values = np.array([entry["balanced_error"] for entry in own])
        mean = float(values.mean())
        reach = float(stats.t.ppf((1 + confidence) / 2, len(own) - 1) * stats.sem(values))
        table.append(
            row
            | {
                "mean": mean,
                "sd": float(values.std(ddof=1)),
                "low": mean - reach,
                "high": mean + reach,
                "mean_error": float(np.mean([entry["error"] for entry in own])),
                "gap": mean - row["affine"],
            }
        )
    return table
