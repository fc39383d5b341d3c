"""How far a consistent method stays from the Bayes rule because its sample is finite.

The third prediction about the task of `two_gaussians`: of the methods whose minimiser is the Bayes
rule, how much balanced error does estimation from n points cost? Methods with another minimiser
have an error that does not vanish with n; for them this term is not the one that matters.
"""

import numpy as np
from scipy.special import expit
from scipy.stats import norm

from scispaces.studies.two_gaussians import (
    NODES,
    PRIOR,
    SEPARATION,
    TRAIN_ROWS,
    Method,
    methods,
    minimise,
    predictions,
)


def parameter_variances(
    method: Method, rows: int = TRAIN_ROWS, prior: float = PRIOR
) -> tuple[float, float, float]:
    """Large-sample variances of a fitted score, and its slope along the line of the means.

    With u along (1, 1)/√2 and v across, f = a u + c v + b. The estimator of a sample has the
    covariance A⁻¹ B A⁻¹ / rows, A the expected curvature of the loss and B the expected square of
    its gradient. v is N(0, 1) in both classes and independent of u, so c stands apart.

    Args:
        method: weights and margins; how it decides does not matter.
        rows: size of the sample.
        prior: probability of class +.

    Returns:
        Variance of b, variance of c, and a.
    """
    nodes, mass = np.polynomial.hermite_e.hermegauss(NODES)
    place = np.concatenate([nodes - SEPARATION, nodes + SEPARATION])
    sign = np.repeat([-1.0, 1.0], NODES)
    share = np.concatenate([(1 - prior) * mass, prior * mass]) / mass.sum()
    weight, margin = (np.repeat(pair, NODES) for pair in (method.class_weights, method.margins))
    design = np.stack([place, np.ones_like(place)], axis=-1)
    best = minimise(design, sign, share * weight, margin)
    wrong = expit(margin - sign * (design @ best))
    curvature = share * weight * wrong * (1 - wrong)
    square = share * (weight * wrong) ** 2
    inverse = np.linalg.inv(design.T @ (curvature[:, None] * design))
    covariance = inverse @ (design.T @ (square[:, None] * design)) @ inverse / rows
    across = square.sum() / curvature.sum() ** 2 / rows
    return float(covariance[1, 1]), float(across), float(best[0])


def expected_excess(rows: int = TRAIN_ROWS, prior: float = PRIOR) -> dict[str, float]:
    """Balanced error above that of the Bayes rule, expected to first order in 1 / rows.

    At the Bayes rule the balanced error is flat in a, and its second derivative in b and in c is
    √2 φ(√2) / a², φ the normal density; the excess is half of that times the two variances.

    Args:
        rows: size of the sample.
        prior: probability of class +.

    Returns:
        The excess of each consistent method. That of the adjusted loss is smaller than that of
        inverse-frequency weights: the former is maximum likelihood, shifted.

    Example:
        >>> {name: round(1e4 * value, 2) for name, value in expected_excess().items()}
        {'weighted': 2.36, 'la': 1.81, 'post_hoc': 1.81}
    """
    known = methods(prior)
    found = {}
    for row in predictions(prior):
        if row["consistent"]:
            offset, across, slope = parameter_variances(known[row["method"]], rows, prior)
            curvature = SEPARATION * norm.pdf(SEPARATION) / slope**2
            found[row["method"]] = float(curvature * (offset + across) / 2)
    return found
