"""Functions that the checks of this chapter have in common, with their derivatives."""

from dataclasses import dataclass
from typing import Any

import mpmath


@dataclass(frozen=True)
class Line:
    """A function of one variable, its two derivatives, and constants for which it is smooth."""

    value: Any
    slope: Any
    curvature: Any
    l0: Any
    l1: Any


def quartic(l1):
    """theta^4, with the least L0 that goes with an L1."""
    l1 = mpmath.mpf(l1)
    return Line(lambda x: x**4, lambda x: 4 * x**3, lambda x: 12 * x**2, 16 / l1**2, l1)


def exponential(rate=1):
    """e^(a theta), for which L0 = 0 and L1 = a."""
    rate = mpmath.mpf(rate)
    return Line(
        lambda x: mpmath.exp(rate * x),
        lambda x: rate * mpmath.exp(rate * x),
        lambda x: rate**2 * mpmath.exp(rate * x),
        mpmath.mpf(0),
        rate,
    )


def extremal(norm, l0, l1):
    """The function with slope `norm` at 0 whose curvature is L0 + L1 |slope| on the way down.

    Below its minimum it goes on as the mirror image, so that the condition holds with equality
    everywhere.
    """
    norm, l0, l1 = map(mpmath.mpf, (norm, l0, l1))
    low = -mpmath.log(1 + l1 * norm / l0) / l1

    def distance(x):
        return abs(x - low)

    return Line(
        lambda x: l0 / l1**2 * (mpmath.expm1(l1 * distance(x)) - l1 * distance(x)),
        lambda x: mpmath.sign(x - low) * l0 / l1 * mpmath.expm1(l1 * distance(x)),
        lambda x: l0 * mpmath.exp(l1 * distance(x)),
        l0,
        l1,
    )


WAVES = Line(
    # The curvature differs from the slope by cos x - sin x, which is at most 2 in size.
    lambda x: mpmath.exp(x) / 2 - mpmath.cos(x),
    lambda x: mpmath.exp(x) / 2 + mpmath.sin(x),
    lambda x: mpmath.exp(x) / 2 + mpmath.cos(x),
    mpmath.mpf(2),
    mpmath.mpf(1),
)

LINES = [quartic(1), quartic(2), exponential(), exponential(3), extremal(5, 2, 0.5), WAVES]
