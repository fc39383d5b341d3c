"""Checks of the flooded estimate of a risk: exact gains, the best level, the clamp."""

import mpmath
import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq, minimize_scalar
from tests.equations.flooding import formulas
from tests.equations.support import assert_agree, draw_unit, high_precision

# A discrete law of the estimate; its mean is not the risk, so it is biased.
VALUES = [value * 2 for value in draw_unit(6, seed=3)]
WEIGHTS = draw_unit(6, seed=4)
RISK = mpmath.mpf("0.9")


def mean(function):
    """The mean of a function of the discrete estimate."""
    total = sum(WEIGHTS)
    return sum(w * function(v) for v, w in zip(VALUES, WEIGHTS, strict=True)) / total


def error_less(estimate):
    """By how much another estimate has a smaller mean squared error than the plain one."""
    return mean(lambda v: (v - RISK) ** 2 - (estimate(v) - RISK) ** 2)


@pytest.mark.equation("flooding-gain")
@high_precision
def test_gain_of_the_flooded_estimate():
    """Exact for a biased discrete law, below, at and above the risk; its sign is that of R - b."""
    for level in (mpmath.mpf("0.3"), mpmath.mpf("0.8"), RISK, mpmath.mpf("1.2")):
        shortfall = mean(lambda v, b=level: max(b - v, 0))
        gain = error_less(lambda v, b=level: abs(v - b) + b)
        assert_agree(formulas.flooding_gain(RISK, level, shortfall), gain)
        assert (gain > 0) == (level < RISK and shortfall > 0)
        assert (gain < 0) == (level > RISK)


@pytest.mark.equation("flooding-gain-clamp")
@high_precision
def test_gain_of_the_clamped_estimate():
    """Exact for the same law and levels."""
    for level in (mpmath.mpf("0.3"), mpmath.mpf("0.8"), RISK, mpmath.mpf("1.2")):
        shortfall = mean(lambda v, b=level: max(b - v, 0))
        squared = mean(lambda v, b=level: max(b - v, 0) ** 2)
        gain = error_less(lambda v, b=level: max(v, b))
        assert_agree(formulas.flooding_gain_clamp(RISK, level, shortfall, squared), gain)


@pytest.mark.equation("flooding-clamp-wins")
@high_precision
def test_no_flood_gains_more_than_the_clamp_at_the_risk():
    """For a biased law the left side stays below the right at every level; a simple law attains it.

    The right side is the gain of the clamp at the risk, summed directly.
    """
    best = error_less(lambda v: max(v, RISK))
    for level in (mpmath.mpf("0.1"), mpmath.mpf("0.5"), mpmath.mpf("0.8"), mpmath.mpf("1.1")):
        shortfall = mean(lambda v, b=level: max(b - v, 0))
        gain, bound = formulas.flooding_clamp_wins(RISK, level, shortfall, best)
        assert gain <= bound
        assert_agree(gain, error_less(lambda v, b=level: abs(v - b) + b))
    # Half of the estimates are at 1/2, half at 3/2, the risk is 1, the level 3/4.
    half, level = mpmath.mpf(1) / 2, mpmath.mpf(3) / 4
    gain, bound = formulas.flooding_clamp_wins(1, level, half / 4, half / 4)
    assert gain == bound


LAW = stats.norm(0.3, 0.15)
GRID = np.linspace(-1.2, 1.8, 300_001)
DENSITY = LAW.pdf(GRID)


def gaussian_gain(level, estimate=None):
    """By quadrature, the gain in mean squared error for a Gaussian estimate of a risk of 0.3."""
    other = abs(GRID - level) + level if estimate is None else estimate(GRID, level)
    return float(np.trapezoid(((GRID - 0.3) ** 2 - (other - 0.3) ** 2) * DENSITY, GRID))


GAINS = {z: gaussian_gain(0.3 + 0.15 * z) for z in (-2.0, -1.0, -0.3, 0.0, 0.5)}
BEST = minimize_scalar(lambda z: -gaussian_gain(0.3 + 0.15 * z), bounds=(-2, 0), method="bounded").x
SKEWED = stats.gamma(4, scale=0.075)  # mean 0.3, not symmetric
SKEWED_GRID = np.linspace(0, SKEWED.isf(1e-14), 100_001)


def skewed_moments(level):
    """The mean shortfall and the chance of a shortfall below a level, in closed form."""
    chance = SKEWED.cdf(level)
    return level * chance - 0.3 * stats.gamma(5, scale=0.075).cdf(level), chance


SKEWED_BEST = minimize_scalar(
    lambda b: -(0.3 - b) * skewed_moments(b)[0], bounds=(0.01, 0.3), method="bounded",
    options={"xatol": 1e-10},
).x  # fmt: skip


@pytest.mark.equation("flooding-gain-gaussian")
def test_gain_for_a_gaussian_estimate():
    """The closed form agrees with quadrature for levels on both sides of the risk."""
    for z, gain in GAINS.items():
        assert float(formulas.flooding_gain_gaussian(z, 0.15)) == pytest.approx(gain, abs=1e-10)


@pytest.mark.equation("flooding-best-level")
def test_condition_of_the_best_level():
    """At the level found by search for a gamma law both sides agree; at another they do not."""
    left, right = formulas.flooding_best_level(0.3, SKEWED_BEST, *skewed_moments(SKEWED_BEST))
    assert left == pytest.approx(right, rel=1e-4)
    other = SKEWED_BEST - 0.02
    left, right = formulas.flooding_best_level(0.3, other, *skewed_moments(other))
    assert left != pytest.approx(right, rel=0.1)


@pytest.mark.equation("flooding-best-gaussian")
def test_best_level_for_a_gaussian_estimate():
    """The root of the printed condition is the best level found by quadrature."""
    root = brentq(lambda z: float(formulas.flooding_best_gaussian(z)), -2, 0)
    assert root == pytest.approx(BEST, abs=1e-4)


@pytest.mark.equation("flooding-gain-clamp")
def test_best_clamp_is_at_the_risk():
    """By quadrature the clamp gains most with its level at the risk: half the variance."""
    gains = {
        z: gaussian_gain(0.3 + 0.15 * z, estimate=np.maximum) for z in (-0.6, -0.1, 0.0, 0.1, 0.6)
    }
    assert max(gains, key=gains.get) == 0.0
    half = 0.15**2 / 2
    assert float(formulas.flooding_gain_clamp(0.3, 0.3, 0.05, half)) == half
    assert gains[0.0] == pytest.approx(half, rel=1e-6)
