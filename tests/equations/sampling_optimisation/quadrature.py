"""Integrals over a step, to about twenty digits, and small steps for slopes."""

from collections.abc import Callable
from typing import Any

import mpmath

Function = Callable[[Any], Any]


def over(*places: float) -> Callable[[Function], Any]:
    """Integration from the first place to the last, split at those between."""
    return lambda function: mpmath.quad(function, list(places))


def normal_mean(sigma: Any, *splits: float) -> Callable[[Function], Any]:
    """Average under a normal step of that deviation; `splits` are where the function jumps."""
    reach = 14 * sigma
    places = sorted({-reach, *splits, reach, 0, -3 * sigma, 3 * sigma})

    def mean(function: Function) -> Any:
        return mpmath.quad(lambda step: function(step) * mpmath.npdf(step, 0, sigma), places)

    return mean


def step_loss(place: Any) -> Any:
    """A loss that only jumps: no derivative tells of it."""
    levels = ((-2, 3), (-1, 1), (0.5, 2), (1.5, 0.5))
    for end, level in levels:
        if place < end:
            return mpmath.mpf(level)
    return mpmath.mpf(2)


STEPS = (-2, -1, 0.5, 1.5)


def step_mean(theta: Any, sigma: Any, function: Function) -> Any:
    """Average of a function of the step that jumps with `step_loss`."""
    return normal_mean(sigma, *(end - theta for end in STEPS))(function)


def stairs(theta: Any, alpha: Any, sigma: Any) -> tuple[Any, Any, Any]:
    """Free energy of `step_loss`, mean and variance of the step, stair by stair."""
    ends = [-mpmath.inf, *((mpmath.mpf(end) - theta) / sigma for end in STEPS), mpmath.inf]
    levels = [step_loss(mpmath.mpf(end) - mpmath.mpf("0.1")) for end in STEPS] + [mpmath.mpf(2)]
    below = [0 if z == -mpmath.inf else 1 if z == mpmath.inf else mpmath.ncdf(z) for z in ends]
    density = [0 if mpmath.isinf(z) else mpmath.npdf(z) for z in ends]
    moment = [0 if mpmath.isinf(z) else z * mpmath.npdf(z) for z in ends]
    weights = [mpmath.exp(-level / alpha) for level in levels]
    total, first, second = mpmath.mpf(0), mpmath.mpf(0), mpmath.mpf(0)
    for k, weight in enumerate(weights):
        share = below[k + 1] - below[k]
        total += weight * share
        first += weight * (density[k] - density[k + 1])
        second += weight * (share + moment[k] - moment[k + 1])
    mean = first / total
    return -alpha * mpmath.log(total), sigma * mean, sigma**2 * (second / total - mean**2)


def slope(function: Function, place: Any) -> Any:
    """Central difference of sixth order."""
    width = mpmath.mpf("1e-3")
    pairs = ((1, 45), (2, -9), (3, 1))
    total = sum(
        weight * (function(place + k * width) - function(place - k * width)) for k, weight in pairs
    )
    return total / (60 * width)
