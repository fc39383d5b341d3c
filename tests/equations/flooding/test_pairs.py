"""Checks of two steps, one down and one up: what they amount to and with which error."""

import mpmath
import pytest
import torch
from scipy.integrate import solve_ivp
from tests.equations.flooding import formulas
from tests.equations.flooding.landscapes import (
    curved,
    double,
    fourth,
    penalty_slope,
    quarter,
    slope,
    third,
    valley,
    wavy,
)
from tests.equations.support import assert_agree, high_precision
from torch.func import grad

from scispaces.losses import flood

POINT = double([0.7, -0.4])
SLOPE, CURVED = slope(wavy, POINT), curved(wavy, POINT)
PENALTY, THIRD, FOURTH = penalty_slope(wavy, POINT), third(wavy, POINT), fourth(wavy, POINT)
RATES = [0.02, 0.01]


def pair(theta, rate):
    """A step down and a step up, written out."""
    there = theta - rate * slope(wavy, theta)
    return there + rate * slope(wavy, there)


PAIRS = {rate: pair(POINT, rate) for rate in (*RATES, *(-rate for rate in RATES), 0.2, 0.1, 0.05)}
PAIRS |= {-rate: pair(POINT, -rate) for rate in (0.2, 0.1, 0.05)}


@pytest.mark.equation("flooding-pair")
def test_pair_is_what_flooding_does_across_the_level():
    """Two steps of SGD on the library's loss, one from above the level and one from below."""
    start, rate = double([0.5, 0.8]), 0.3
    level = (valley(start) + valley(start - rate * slope(valley, start))).item() / 2
    theta = start.clone().requires_grad_()
    optimiser = torch.optim.SGD([theta], lr=rate)
    for _ in range(2):
        optimiser.zero_grad()
        flood(valley(theta), level).backward()
        optimiser.step()
    expected = formulas.flooding_pair(start, rate, lambda p: slope(valley, p))
    torch.testing.assert_close(theta.detach(), expected, rtol=1e-14, atol=0)


@pytest.mark.equation("flooding-pair-expansion")
def test_pair_up_to_the_third_order():
    """The error of the expansion falls with the fourth power of the rate."""
    errors = [
        (formulas.flooding_pair_expansion(POINT, rate, PENALTY, THIRD) - PAIRS[rate]).norm().item()
        for rate in RATES
    ]
    assert quarter(errors) == pytest.approx(4, abs=0.05)
    without = [(POINT - rate**2 / 2 * PENALTY - PAIRS[rate]).norm().item() for rate in RATES]
    assert quarter(without) == pytest.approx(3, abs=0.05)


@pytest.mark.equation("flooding-cubic")
def test_third_derivatives_from_products_of_hessian_and_gradient():
    """The gradient of g'Hg less twice HHg is the third derivative applied to g twice."""

    def bent(q):
        g = grad(wavy)(q)
        return g @ curved(wavy, q) @ g

    found = formulas.flooding_cubic(grad(bent)(POINT), CURVED @ CURVED @ SLOPE)
    torch.testing.assert_close(found, THIRD, rtol=1e-12, atol=1e-12)


@pytest.mark.equation("flooding-pair-reversed")
def test_the_other_order_is_the_pair_with_the_opposite_rate():
    """Up first and down second is the pair at minus the rate, so its cubic error is opposite."""
    for rate in RATES:
        found = formulas.flooding_pair_reversed(POINT, rate, lambda p: slope(wavy, p))
        torch.testing.assert_close(found, PAIRS[-rate], rtol=1e-15, atol=0)
    rate = 1e-3
    found = formulas.flooding_pair_reversed(POINT, rate, lambda p: slope(wavy, p))
    cubic = (found - POINT + rate**2 / 2 * PENALTY) / rate**3
    torch.testing.assert_close(cubic, -THIRD / 2, rtol=0.01, atol=0)


@pytest.mark.equation("flooding-pair-mean")
def test_mean_of_the_two_orders():
    """The cubic errors cancel; with the printed fourth-order term the rest is of sixth order."""
    means = [(PAIRS[rate] + PAIRS[-rate]) / 2 for rate in (0.2, 0.1, 0.05)]
    errors = [
        (formulas.flooding_pair_mean(POINT, rate, PENALTY, FOURTH) - mean).norm().item()
        for rate, mean in zip((0.2, 0.1, 0.05), means, strict=True)
    ]
    assert quarter(errors) == pytest.approx(6, abs=0.1)


@pytest.mark.equation("flooding-quadratic-pair")
@high_precision
def test_pair_on_a_parabola_is_exact():
    """On lambda x^2 / 2 both orders multiply by the printed factor, to fifty digits."""
    for rate, eigenvalue in ((mpmath.mpf("0.1"), 3), (mpmath.mpf("0.7"), mpmath.mpf("1.9"))):
        x = mpmath.mpf("1.3")
        for sign in (1, -1):
            there = x - sign * rate * eigenvalue * x
            back = there + sign * rate * eigenvalue * there
            assert_agree(back / x, formulas.flooding_quadratic_pair(rate, eigenvalue))


@pytest.mark.equation("flooding-penalty-flow")
def test_flow_of_the_penalty_on_a_parabola():
    """Following minus the gradient of g^2 / 2 for the time rate^2 multiplies by the factor."""
    for rate, eigenvalue in ((0.1, 3.0), (0.4, 1.9)):
        flow = solve_ivp(
            lambda _, x, e=eigenvalue: -(e**2) * x, (0, rate**2), [1.0], rtol=1e-10, atol=1e-12
        )
        factor = float(formulas.flooding_penalty_flow(rate, eigenvalue))
        assert factor == pytest.approx(flow.y[0, -1], rel=1e-8)
        assert factor > 1 - (rate * eigenvalue) ** 2


@pytest.mark.equation("flooding-two-rates")
def test_different_rates_down_and_up():
    """With both rates halved the error of the printed pair falls eightfold."""
    errors = []
    for scale in (0.02, 0.01):
        down, up = 1.5 * scale, 0.6 * scale
        there = POINT - down * SLOPE
        exact = there + up * slope(wavy, there)
        found = formulas.flooding_two_rates(POINT, down, up, SLOPE, PENALTY)
        errors.append((found - exact).norm().item())
    assert quarter(errors) == pytest.approx(3, abs=0.1)


def flow(field, start, time):
    """The solution of an ordinary differential equation, to twelve digits."""
    found = solve_ivp(
        lambda _, p: field(double(p)).numpy(), (0, time), start, rtol=1e-12, atol=1e-14
    )
    return double(found.y[:, -1])


@pytest.mark.equation("flooding-implicit-descent")
def test_a_step_of_descent_follows_a_penalised_flow():
    """Descent keeps to the printed flow up to the third power of the rate, not to plain flow."""
    errors, plain = [], []
    for rate in (0.04, 0.02):
        step = POINT - rate * SLOPE

        def field(p, rate=rate):
            return formulas.flooding_implicit_descent(slope(wavy, p), rate, penalty_slope(wavy, p))

        errors.append((flow(field, POINT, rate) - step).norm().item())
        plain.append((flow(lambda p: -slope(wavy, p), POINT, rate) - step).norm().item())
    assert quarter(errors) == pytest.approx(3, abs=0.1)
    assert quarter(plain) == pytest.approx(2, abs=0.1)


@pytest.mark.equation("flooding-implicit-ascent")
def test_a_step_of_ascent_follows_a_flow_with_the_same_penalty():
    """A step up keeps to the printed flow up to the third power of the rate."""
    errors = []
    for rate in (0.04, 0.02):

        def field(p, rate=rate):
            return formulas.flooding_implicit_ascent(slope(wavy, p), rate, penalty_slope(wavy, p))

        errors.append((flow(field, POINT, rate) - POINT - rate * SLOPE).norm().item())
    assert quarter(errors) == pytest.approx(3, abs=0.1)
