"""Checks of the quadratic loss, of what comes after it, and of the free energy."""

from itertools import pairwise

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf
from tests.equations.sampling_optimisation import formulas
from tests.equations.sampling_optimisation.quadrature import (
    normal_mean,
    over,
    slope,
    stairs,
    step_loss,
    step_mean,
)
from tests.equations.support import assert_agree, assert_rising, brief, high_precision

from scispaces.optim import gibbs_quadratic_step

NEAR = 1e-12
HESSIAN = mpmath.matrix([[3, 1], [1, 2]])
GRADIENT = mpmath.matrix([1, -2])
IDENTITY = mpmath.eye(2)


def moments(exponent, reach=9.0, points=361):
    """Mean and covariance of exp(exponent) on a square, by sums over a grid."""
    axis = np.linspace(-reach, reach, points)
    a, b = np.meshgrid(axis, axis, indexing="ij")
    weights = np.exp(exponent(a, b))
    weights /= weights.sum()
    place = np.stack([a, b])
    mean = (weights * place).sum((1, 2))
    centred = place - mean[:, None, None]
    return mean, np.einsum("iab,jab,ab->ij", centred, centred, weights)


def assert_moments(printed, mean, covariance):
    for i in range(2):
        assert_agree(printed[0][i], mean[i], 1e-9)
        for j in range(2):
            assert_agree(printed[1][i, j], covariance[i, j], 1e-9)


@pytest.mark.equation("sampling-optimisation-newton")
def test_mean_and_covariance_of_a_quadratic_loss():
    """Sums over a fine grid, at two temperatures, and the library's `gibbs_quadratic_step`."""
    for alpha in (1.0, 0.3):
        mean, covariance = moments(
            lambda a, b, alpha=alpha: -(a - 2 * b + (3 * a * a + 2 * a * b + 2 * b * b) / 2) / alpha
        )
        printed = formulas.sampling_optimisation_newton(GRADIENT, HESSIAN, mpf(alpha))
        assert_moments(printed, mean, covariance)
        ours = gibbs_quadratic_step(
            torch.tensor([1.0, -2.0], dtype=torch.float64),
            torch.tensor([[3.0, 1.0], [1.0, 2.0]], dtype=torch.float64),
            alpha,
        )
        assert_moments(printed, ours.mean.tolist(), ours.covariance.numpy())


@pytest.mark.equation("sampling-optimisation-damped")
def test_normal_reference_damps_the_newton_step():
    """Sums over a grid, for a Hessian with a negative eigenvalue too."""
    for hessian in (HESSIAN, mpmath.matrix([[3, 1], [1, "-0.5"]])):
        h, alpha, sigma = np.array(hessian.tolist(), dtype=float), 0.7, 0.6
        mean, covariance = moments(
            lambda a, b, h=h: (
                -(a - 2 * b + (h[0, 0] * a * a + 2 * a * b + h[1, 1] * b * b) / 2) / 0.7
                - (a * a + b * b) / (2 * 0.36)
            )
        )
        printed = formulas.sampling_optimisation_damped(
            GRADIENT, hessian, mpf(alpha), mpf(sigma), IDENTITY
        )
        assert_moments(printed, mean, covariance)


@pytest.mark.equation("sampling-optimisation-cubic")
@mpmath.workdps(30)
def test_first_effect_of_a_cubic_term():
    """Difference quotients of the mean in the cubic coefficient, tamed by a smaller quartic."""
    g, h, alpha = mpf("0.6"), mpf("1.7"), mpf("0.4")
    line = over(-8, -4, -2, -1, 0, 1, 3, 7)

    def mean(k):
        def weight(step):
            tamed = k**2 * step**4 / 24  # the second order in k, which the quotient does not see
            return mpmath.exp(-(g * step + h * step**2 / 2 + k * step**3 / 6 + tamed) / alpha)

        return line(lambda s: s * weight(s)) / line(weight)

    k = mpf("1e-4")
    quotient = (mean(k) - mean(-k)) / (2 * k)
    assert_agree(quotient, formulas.sampling_optimisation_cubic(g, h, alpha), 1e-7)
    assert_agree(mean(mpf(0)), -g / h, 1e-20)


@pytest.mark.equation("sampling-optimisation-shift")
@mpmath.workdps(20)
def test_mean_beside_a_skewed_minimum():
    """Quadrature of a loss whose minimum is at zero: (mean - 0) / alpha tends to the number."""

    def loss(place):
        return mpmath.exp(2 * place) - 2 * place

    printed = formulas.sampling_optimisation_shift(mpf(4), mpf(8))
    errors = []
    for alpha in (mpf("0.02"), mpf("0.01"), mpf("0.005")):
        line = over(*(x * mpmath.sqrt(alpha) for x in (-12, -4, 0, 4, 12)))
        top, bottom = (
            line(lambda x, k=k, a=alpha: x**k * mpmath.exp(-(loss(x) - 1) / a)) for k in (1, 0)
        )
        errors.append(abs(top / bottom / alpha - printed))
    assert errors[0] < 2e-3
    assert errors[2] < errors[1] / 1.8 < errors[0] / 3.2


@pytest.mark.equation("sampling-optimisation-flatter")
def test_mean_goes_towards_the_smaller_determinant():
    """Sums over a grid around a skewed minimum in the plane, at two temperatures."""
    hessian = mpmath.matrix([[2, mpf("0.5")], [mpf("0.5"), 3]])

    def loss(a, b):
        return a * a + 0.5 * a * b + 1.5 * b * b + 0.4 * a**3 + 0.3 * a * a * b + a**4 + b**4

    def slope_of_log_determinant():
        # d/da: entries 2.4 and 0.6 of the Hessian's slope; d/db: 0.6 in the first entry.
        inverse = hessian**-1
        first = inverse[0, 0] * mpf("2.4") + 2 * inverse[0, 1] * mpf("0.6")
        return mpmath.matrix([first, inverse[0, 0] * mpf("0.6")])

    printed = formulas.sampling_optimisation_flatter(hessian, slope_of_log_determinant())
    errors = []
    for alpha in (0.02, 0.005):
        reach = 9 * alpha**0.5
        mean, _ = moments(lambda a, b, alpha=alpha: -loss(a, b) / alpha, reach=reach)
        errors.append(max(abs(mean[i] / alpha - float(printed[i])) for i in range(2)))
    assert errors[0] < 0.05
    assert errors[1] < errors[0] / 3


@pytest.mark.equation("sampling-optimisation-free-energy")
@mpmath.workdps(20)
def test_free_energy_of_a_loss_that_only_jumps():
    """The printed mean equals the sum of levels with the normal share of each stair."""
    theta, alpha, sigma = mpf("0.2"), mpf("0.4"), mpf("0.9")
    ends = [-mpmath.inf, -2, -1, mpf("0.5"), mpf("1.5"), mpmath.inf]
    shares = [
        (mpmath.ncdf((b - theta) / sigma) if b != mpmath.inf else mpf(1))
        - (mpmath.ncdf((a - theta) / sigma) if a != -mpmath.inf else mpf(0))
        for a, b in pairwise(ends)
    ]
    total = sum(
        share * mpmath.exp(-level / alpha)
        for share, level in zip(shares, (3, 1, 2, mpf("0.5"), 2), strict=True)
    )
    printed = formulas.sampling_optimisation_free_energy(
        step_loss, theta, alpha, lambda f: step_mean(theta, sigma, f)
    )
    assert_agree(printed, -alpha * mpmath.log(total), NEAR)


def mean_step(theta, alpha, sigma):
    """By quadrature, where `stairs` has a closed form."""
    top, bottom = (
        step_mean(theta, sigma, lambda s, k=k: s**k * mpmath.exp(-step_loss(theta + s) / alpha))
        for k in (1, 0)
    )
    return top / bottom


@pytest.mark.equation("sampling-optimisation-gradient-identity")
@mpmath.workdps(20)
def test_update_is_a_gradient_step_on_the_free_energy():
    """The mean step of a loss that only jumps, and the slope of its free energy by differences."""
    for theta, alpha, sigma in (("0.2", "0.4", "0.9"), ("-1.4", "1.5", "0.5")):
        theta, alpha, sigma = mpf(theta), mpf(alpha), mpf(sigma)
        slant = slope(lambda t, a=alpha, s=sigma: stairs(t, a, s)[0], theta)
        step = mean_step(theta, alpha, sigma)
        printed = formulas.sampling_optimisation_gradient_identity(slant, alpha, sigma)
        assert_agree(printed, step, 1e-10)
        assert abs(step) > 1e-3


@pytest.mark.equation("sampling-optimisation-curvature")
@mpmath.workdps(20)
def test_curvature_of_the_free_energy():
    """Second differences of the free energy against the variance; never above alpha / sigma^2."""
    for theta, alpha, sigma in (("0.2", "0.4", "0.9"), ("-1.4", "1.5", "0.5")):
        theta, alpha, sigma = mpf(theta), mpf(alpha), mpf(sigma)
        variance = stairs(theta, alpha, sigma)[2]
        bend = slope(lambda t, a=alpha, s=sigma: slope(lambda u: stairs(u, a, s)[0], t), theta)
        printed = formulas.sampling_optimisation_curvature(variance, alpha, sigma, 1)
        assert_agree(printed, bend, 1e-9)
        assert printed < alpha / sigma**2


@pytest.mark.equation("sampling-optimisation-descent")
@mpmath.workdps(15)
def test_the_free_energy_falls_by_the_printed_amount_at_least():
    """An exact update of a loss that only jumps, from many places; equality in a sharp valley."""
    alpha, sigma = mpf("0.3"), mpf("0.7")
    for theta in (mpf(-3), mpf("-1.7"), mpf("-0.2"), mpf("0.4"), mpf(2)):
        before, step, _ = stairs(theta, alpha, sigma)
        after = stairs(theta + step, alpha, sigma)[0]
        bound = formulas.sampling_optimisation_descent(before, step, alpha, sigma)
        assert after <= bound + mpf(10) ** -12
        assert bound <= before
    # For l = h theta^2 / 2 the free energy is alpha h theta^2 / (2 (alpha + h sigma^2)) up to a
    # constant; as h grows the first step goes to the minimum and the bound becomes equality.
    h, theta = mpf(10) ** 8, mpf(2)
    share = alpha / (alpha + h * sigma**2)
    before = share * h * theta**2 / 2
    step = -(1 - share) * theta
    bound = formulas.sampling_optimisation_descent(before, step, alpha, sigma)
    assert_agree(bound, share * h * (theta + step) ** 2 / 2, 1e-6)


@pytest.mark.equation("sampling-optimisation-steps-vanish")
@mpmath.workdps(15)
def test_squared_steps_have_a_finite_sum():
    """The sum over thirty exact updates stays below the bound, which sharp valleys reach."""
    alpha, sigma, theta = mpf("0.3"), mpf("0.7"), mpf("-1.7")
    start, total = stairs(theta, alpha, sigma)[0], mpf(0)
    for _ in range(30):
        step = stairs(theta, alpha, sigma)[1]
        total, theta = total + step**2, theta + step
    bound = formulas.sampling_optimisation_steps_vanish(
        start, stairs(theta, alpha, sigma)[0], alpha, sigma
    )
    assert total <= bound
    h, place = mpf(10) ** 8, mpf(2)
    share = alpha / (alpha + h * sigma**2)
    first = share * h * place**2 / 2
    bound = formulas.sampling_optimisation_steps_vanish(first + 5, 5, alpha, sigma)
    assert_agree(bound, place**2, 1e-6)  # all in one step


@pytest.mark.equation("sampling-optimisation-cumulants")
@high_precision
def test_free_energy_in_the_heat():
    """For four losses with masses the error of the two terms falls with the temperature squared."""
    losses, masses = [mpf(1), mpf(3), mpf("-2"), mpf("0.5")], [mpf(x) / 10 for x in (2, 1, 3, 4)]
    mean = sum(m * x for m, x in zip(masses, losses, strict=True))
    variance = sum(m * x * x for m, x in zip(masses, losses, strict=True)) - mean**2
    for alpha in (mpf(10) ** 3, mpf(10) ** 5):
        exact = -alpha * mpmath.log(
            sum(m * mpmath.exp(-x / alpha) for m, x in zip(masses, losses, strict=True))
        )
        printed = formulas.sampling_optimisation_cumulants(mean, variance, alpha)
        assert abs(exact - printed) < 10 / alpha**2


@pytest.mark.equation("sampling-optimisation-evolution")
@mpmath.workdps(20)
def test_hot_updates_are_those_of_evolution_strategies():
    """Minus the slope of the smoothed loss times sigma^2, and alpha times a very hot update."""
    theta, sigma = mpf("0.2"), mpf("0.9")

    def mean_normal(function):
        return normal_mean(mpf(1), *((end - theta) / sigma for end in (-2, -1, 0.5, 1.5)))(function)

    printed = formulas.sampling_optimisation_evolution(step_loss, theta, sigma, mean_normal)
    smoothed = slope(lambda t: step_mean(t, sigma, lambda s: step_loss(t + s)), theta)
    assert_agree(printed, -(sigma**2) * smoothed, 1e-10)
    alpha = mpf(10) ** 6
    assert_agree(alpha * stairs(theta, alpha, sigma)[1], printed, 1e-5)


@pytest.mark.equation("sampling-optimisation-proximal")
@mpmath.workdps(20)
def test_cold_free_energy_at_a_fixed_rate_is_an_envelope():
    """For |x| the printed minimum is Huber's function; free energy and update go there."""
    rate = mpf("0.7")
    places = [mpf(k) / 100 for k in range(-100, 301)]
    for theta, huber, end in (("0.35", "0.0875", 0), ("2", "1.65", "1.3"), ("-0.5", None, 0)):
        theta, end = mpf(theta), mpf(end)
        huber = theta**2 / (2 * rate) if huber is None else mpf(huber)
        printed = formulas.sampling_optimisation_proximal(abs, theta, rate, places)
        assert_agree(printed, huber, 1e-15)
        errors = []
        for alpha in (mpf("0.01"), mpf("0.001")):
            reach = 40 * mpmath.sqrt(alpha)
            line = over(*sorted({end - reach, end - reach / 8, end, end + reach / 8, end + reach}))

            def weight(x, theta=theta, alpha=alpha, huber=huber):
                return mpmath.exp(-(abs(x) + (x - theta) ** 2 / (2 * rate) - huber) / alpha)

            mass = line(weight)
            constant = mpmath.log(2 * mpmath.pi * rate * alpha) / 2
            free = huber - alpha * (mpmath.log(mass) - constant)
            place = line(lambda x, weight=weight: x * weight(x)) / mass
            errors.append(max(abs(free - printed), abs(place - end)))
        assert errors[1] < 0.01
        assert errors[1] < errors[0] / 3 or errors[0] < 1e-12


@pytest.mark.equation("sampling-optimisation-chain")
@brief
@given(st.floats(0.05, 0.95))
@high_precision
def test_variance_of_a_langevin_chain(share):
    """The printed variance is the one that a step of the chain leaves as it is."""
    curvature, alpha = mpf("1.7"), mpf("0.4")
    rate = 2 * mpf(share) / curvature
    variance = formulas.sampling_optimisation_chain(curvature, alpha, rate)
    assert_agree(variance, (1 - rate * curvature) ** 2 * variance + 2 * rate * alpha)
    assert_rising(alpha / curvature, variance)
