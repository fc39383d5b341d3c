"""What the checks of this chapter share: losses written out on their own, and a grid of cases."""

import mpmath

SCORES = [mpmath.mpf(x) for x in ("-3.5", "-1.25", "-0.5", "0.75", "1.5", "4.25")]
ETAS = [mpmath.mpf(x) for x in ("0.05", "0.3", "0.5", "0.65", "0.9")]


def sigmoid(s):
    return 1 / (1 + mpmath.exp(-s))


def focal_of_score(s, gamma, alpha=None):
    """Focal loss of a positive, written with logarithms of exponentials only."""
    value = mpmath.exp(-gamma * mpmath.log(1 + mpmath.exp(s))) * mpmath.log(1 + mpmath.exp(-s))
    return value if alpha is None else alpha * value


def cross_entropy_of_score(s):
    return mpmath.log(1 + mpmath.exp(-s))


def softened_of_score(s, sharpness):
    return cross_entropy_of_score(s) * sigmoid(-sharpness * s)


def risk(eta, positive, s, a=1, b=1):
    """Expected loss of a symmetric loss with class weights a and b, at the score s."""
    return eta * a * positive(s) + (1 - eta) * b * positive(-s)


def weights_of(positive, s):
    """Both weights of a symmetric loss by numeric differentiation."""
    p = sigmoid(s)
    return -mpmath.diff(positive, s) / (1 - p), mpmath.diff(positive, -s) / -p


SYMMETRIC = {
    "cross-entropy": cross_entropy_of_score,
    "focal, exponent 2": lambda s: focal_of_score(s, 2),
    "focal, exponent 1/2": lambda s: focal_of_score(s, mpmath.mpf("0.5")),
    "softened, sharpness 3": lambda s: softened_of_score(s, 3),
    "accuracy": lambda s: sigmoid(-s),
    "Brier": lambda s: sigmoid(-s) ** 2,
}
