"""Checks of constant smoothness, of the condition that grows, and of the form that circulates."""

import functools

import mpmath
import pytest
import sympy
import torch
from tests.equations.gradient_clipping import formulas
from tests.equations.gradient_clipping.worlds import LINES, WAVES, exponential, quartic
from tests.equations.support import assert_agree, high_precision

from scispaces.optim import hessian_norm

PLACES = [mpmath.mpf(x) / 4 for x in range(-12, 13)]
STEPS = [mpmath.mpf(x) / 5 for x in range(-10, 11) if x]


def _log_cosh():
    """log cosh, whose slope has the Lipschitz constant 1, and nothing less."""
    return lambda x: mpmath.log(mpmath.cosh(x)), mpmath.tanh


@pytest.mark.equation("gradient-clipping-path")
@high_precision
def test_change_of_a_function_is_the_integral_of_its_slope():
    """For a polynomial and an exponential, steps of both signs."""
    for line in (quartic(1), exponential(2)):
        for theta in PLACES[::6]:
            for step in STEPS[::5]:
                change = formulas.gradient_clipping_path(line.slope, theta, step, mpmath.quad)
                assert_agree(change, line.value(theta + step) - line.value(theta), 1e-30)


@pytest.mark.equation("gradient-clipping-smooth")
@high_precision
def test_lipschitz_gradient_of_a_bounded_curvature():
    """log cosh meets the condition with constant 1, nearly with equality at 0; x^4 with none."""
    _, slope = _log_cosh()
    for theta in PLACES:
        for step in STEPS:
            change, bound = formulas.gradient_clipping_smooth(slope, theta, step, 1)
            assert_agree(change, abs(mpmath.tanh(theta + step) - mpmath.tanh(theta)))
            assert change <= bound
    small = mpmath.mpf("1e-6")
    change, bound = formulas.gradient_clipping_smooth(slope, 0, small, 1)
    assert_agree(change / bound, 1, 1e-11)
    change, bound = formulas.gradient_clipping_smooth(quartic(1).slope, 0, 1000, 1000)
    assert change > bound


@pytest.mark.equation("gradient-clipping-smooth-bound")
@high_precision
def test_quadratic_bound():
    """The bound holds for log cosh and is an equality for a parabola of that curvature."""
    value, slope = _log_cosh()
    for theta in PLACES:
        for step in STEPS:
            bound = formulas.gradient_clipping_smooth_bound(
                value(theta), slope(theta) * step, abs(step), 1
            )
            assert value(theta + step) <= bound
            parabola = formulas.gradient_clipping_smooth_bound(
                3 * theta**2, 6 * theta * step, abs(step), 6
            )
            assert_agree(parabola, 3 * (theta + step) ** 2)


@pytest.mark.equation("gradient-clipping-smooth-step")
@high_precision
def test_descent_of_a_gradient_step():
    """Equality for a parabola; zero at twice 1/L, most at 1/L; a bound for log cosh."""
    for rate in (mpmath.mpf(r) / 10 for r in range(1, 25)):
        new = formulas.gradient_clipping_smooth_step(mpmath.mpf(9), mpmath.mpf(6), rate, 2)
        assert_agree(new, (3 - 6 * rate) ** 2)
        value, slope = _log_cosh()
        for theta in PLACES:
            bound = formulas.gradient_clipping_smooth_step(value(theta), abs(slope(theta)), rate, 1)
            assert value(theta - rate * slope(theta)) <= bound + mpmath.mpf("1e-45")


@pytest.mark.equation("gradient-clipping-smooth-iterations")
@high_precision
def test_number_of_steps_until_the_gradient_is_small():
    """What the descent 1/(2L) of each step allows, step by step, and a run that keeps to it."""
    value, slope = _log_cosh()
    theta, count, start = mpmath.mpf(4), 0, value(4)
    accuracy = mpmath.mpf("0.01")
    while abs(slope(theta)) > accuracy:
        theta, count = theta - slope(theta), count + 1
    assert 3 <= count <= formulas.gradient_clipping_smooth_iterations(1, start, accuracy)
    # A gap that is used up by steps of exactly the least descent.
    constant, accuracy, steps = mpmath.mpf(3), mpmath.mpf("0.2"), 17
    gap = steps * accuracy**2 / (2 * constant)
    assert_agree(formulas.gradient_clipping_smooth_iterations(constant, gap, accuracy), steps)


@pytest.mark.equation("gradient-clipping-quartic-step")
def test_step_on_the_fourth_power_symbolically():
    """One gradient step on theta^4 is the printed one."""
    theta, rate = sympy.symbols("theta rate", real=True)
    step = theta - rate * sympy.diff(theta**4, theta)
    assert sympy.expand(step - formulas.gradient_clipping_quartic_step(theta, rate)) == 0


@pytest.mark.equation("gradient-clipping-quartic-limit")
@high_precision
def test_largest_step_size_that_converges():
    """Just below it the iterates shrink, at it they only change sign, just above they grow."""
    for start in (mpmath.mpf("0.5"), mpmath.mpf(3)):
        limit = formulas.gradient_clipping_quartic_limit(start)
        for rate, sign in ((limit * mpmath.mpf("0.99"), -1), (limit, 0), (limit * 1.01, 1)):
            after = start * (1 - 4 * rate * start**2)
            growth = abs(after) - start
            assert mpmath.sign(growth if abs(growth) > 1e-40 else 0) == sign


@pytest.mark.equation("gradient-clipping-condition")
@high_precision
def test_condition_of_the_examples():
    """Every line of the chapter meets the condition; somewhere each of them comes close."""
    for line in LINES:
        shares = []
        for place in range(-400, 401):
            theta = mpmath.mpf(place) / 50
            bound = formulas.gradient_clipping_condition(abs(line.slope(theta)), line.l0, line.l1)
            shares.append(abs(line.curvature(theta)) / bound)
        assert max(shares) <= 1 + mpmath.mpf("1e-40")
        assert max(shares) > 0.6


def _fourth_power_of_length(theta):
    return theta.square().sum() ** 2


@pytest.mark.equation("gradient-clipping-condition")
def test_condition_in_two_dimensions():
    """The fourth power of the length meets it with the constants of the line, by autograd."""
    for x, y in ((0.3, -0.2), (2.0, 1.0), (0.0, 2.0), (-3.0, 4.0)):
        theta = torch.tensor([x, y], dtype=torch.float64, requires_grad=True)
        loss = functools.partial(_fourth_power_of_length, theta)
        norm = hessian_norm(loss, theta, iterations=60).item()
        length = (x * x + y * y) ** 0.5
        assert norm == pytest.approx(12 * length**2, rel=1e-9)
        assert norm <= formulas.gradient_clipping_condition(4 * length**3, 16.0, 1.0) + 1e-9


@pytest.mark.equation("gradient-clipping-units")
@high_precision
def test_constants_of_a_rescaled_function():
    """c f(s theta) meets the condition with the printed constants, and its least L0 is that one."""
    for factor, stretch in ((mpmath.mpf(5), mpmath.mpf(3)), (mpmath.mpf("0.2"), mpmath.mpf(2))):
        line = quartic(1)
        l0, l1 = formulas.gradient_clipping_units(line.l0, line.l1, factor, stretch)
        gaps = []
        for place in range(-300, 301):
            theta = mpmath.mpf(place) / 100
            slope = factor * stretch * line.slope(stretch * theta)
            curvature = factor * stretch**2 * line.curvature(stretch * theta)
            gaps.append(l0 + l1 * abs(slope) - curvature)
        assert min(gaps) >= -mpmath.mpf("1e-40")
        assert min(gaps) < l0 / 1000
        # An exponential leaves no room in L1 either.
        _, only = formulas.gradient_clipping_units(0, 3, factor, stretch)
        rate = mpmath.diff(lambda x, s=stretch: mpmath.log(mpmath.exp(3 * s * x)), 1)
        assert_agree(only, rate, 1e-20)


@pytest.mark.equation("gradient-clipping-all-steps")
@high_precision
def test_all_steps_form_holds_for_small_and_fails_for_large_steps():
    """For theta^4: at most the bound for steps of a thousandth, far beyond it for a step of five.

    A function of Lipschitz gradient keeps to it for all steps, with equality for a parabola.
    """
    line = quartic(1)
    slack = mpmath.mpf("1.01")
    for theta in PLACES:
        small = abs(line.slope(theta + mpmath.mpf("0.001")) - line.slope(theta))
        bound = formulas.gradient_clipping_all_steps(
            abs(line.slope(theta)), mpmath.mpf("0.001"), line.l0, line.l1
        )
        assert small <= slack * bound
    assert line.slope(5) > 6 * formulas.gradient_clipping_all_steps(0, 5, line.l0, line.l1)
    # Slope 2 x: |difference| = 2 |step| = (2 + 0 * norm) |step|; with norm 3 and L1 = 4 it is 14.
    assert formulas.gradient_clipping_all_steps(3, 7, 2, 0) == 14
    assert formulas.gradient_clipping_all_steps(3, 7, 2, 4) == 98


@pytest.mark.equation("gradient-clipping-circulating-bound")
@high_precision
def test_circulating_bound_follows_from_the_all_steps_form_and_fails_without():
    """It integrates the all-steps bound; for theta^4 upwards from 2 by 1/L1 it is exceeded."""
    for norm, length in ((mpmath.mpf(3), mpmath.mpf("0.7")), (mpmath.mpf("0.2"), mpmath.mpf(2))):
        bound = formulas.gradient_clipping_circulating_bound(5, -norm * length, norm, length, 2, 3)
        change = mpmath.quad(lambda t, n=norm, r=length: (2 + 3 * n) * t * r * r, [0, 1])
        assert_agree(bound, 5 - norm * length + change, 1e-30)
    line = quartic(1)
    bound = formulas.gradient_clipping_circulating_bound(
        line.value(2), line.slope(2), line.slope(2), 1, line.l0, line.l1
    )
    assert line.value(3) > bound


@pytest.mark.equation("gradient-clipping-soft-step")
@high_precision
def test_best_step_of_the_circulating_bound_is_soft_clipping():
    """Both forms agree, and neighbours of the step size have a larger bound."""
    for norm in (mpmath.mpf("0.01"), mpmath.mpf(1), mpmath.mpf(50)):
        rate, soft = formulas.gradient_clipping_soft_step(norm, mpmath.mpf(3), mpmath.mpf("0.5"))
        assert_agree(rate, soft)

        def bound(size, norm=norm):
            curvature = 3 + mpmath.mpf("0.5") * norm
            return -size * norm**2 + curvature / 2 * size**2 * norm**2

        assert bound(rate) < min(bound(rate * 1.001), bound(rate * 0.999))


@pytest.mark.equation("gradient-clipping-power-constant")
@high_precision
def test_least_constant_of_a_power():
    """The largest |f''| - L1 |f'| on a fine grid, and at its maximum exactly."""
    for power in (mpmath.mpf("2.5"), mpmath.mpf(3), mpmath.mpf(4), mpmath.mpf(6)):
        for l1 in (mpmath.mpf("0.5"), mpmath.mpf(2)):

            def gap(x, p=power, c=l1):
                return p * (p - 1) * x ** (p - 2) - c * p * x ** (p - 1)

            printed = formulas.gradient_clipping_power_constant(power, l1)
            assert_agree(printed, gap((power - 2) / l1))
            grid = [gap((power - 2) / l1 * k / 100) for k in range(1, 300)]
            assert max(grid) <= printed + mpmath.mpf("1e-40")
    for l1 in (mpmath.mpf("0.5"), mpmath.mpf(1), mpmath.mpf(4)):
        assert_agree(formulas.gradient_clipping_power_constant(mpmath.mpf(4), l1), 16 / l1**2)


@pytest.mark.equation("gradient-clipping-quartic-failure")
def test_counterexample():
    """From 0 by 5 the slope of theta^4 changes by 500; the form allows 80 with L0 = 16, L1 = 1."""
    theta = sympy.symbols("theta")
    slope = sympy.diff(theta**4, theta)
    change, allowed = formulas.gradient_clipping_quartic_failure()
    assert change == slope.subs(theta, 5) - slope.subs(theta, 0) == 500
    assert allowed == (16 + abs(slope.subs(theta, 0))) * 5 == 80


@pytest.mark.equation("gradient-clipping-linear-growth")
@high_precision
def test_all_steps_form_bounds_the_gradient_linearly():
    """It is the triangle inequality with the form; x^2 / 2 attains it, 4 x^3 and e^x exceed it."""
    for distance in (mpmath.mpf(1), mpmath.mpf(30)):
        assert formulas.gradient_clipping_linear_growth(2, distance, 1, 0) == 2 + distance
        bound = formulas.gradient_clipping_linear_growth(3, distance, 2, 5)
        assert_agree(bound, 3 + 17 * distance)
    assert mpmath.exp(30) > formulas.gradient_clipping_linear_growth(1, 30, 10**6, 10**6)


@pytest.mark.equation("gradient-clipping-short-steps")
@high_precision
def test_excess_of_the_form_on_steps_of_length_one_over_l_one():
    """Change of slope over allowance for theta^4, in units of 1/L1, whatever L1 is."""
    for l1 in (mpmath.mpf("0.5"), mpmath.mpf(1), mpmath.mpf(3)):
        line = quartic(l1)
        for t in (mpmath.mpf(0), mpmath.mpf("0.7"), mpmath.mpf("1.6"), mpmath.mpf(5)):
            change = line.slope((t + 1) / l1) - line.slope(t / l1)
            allowed = (line.l0 + l1 * line.slope(t / l1)) / l1
            assert_agree(formulas.gradient_clipping_short_steps(t), change / allowed)


@pytest.mark.equation("gradient-clipping-segment")
@high_precision
def test_form_with_the_largest_gradient_on_the_way():
    """It holds for every line and step, and nearly with equality for e^x and short steps."""
    for line in LINES:
        for theta in PLACES[::3]:
            for step in STEPS[::3]:
                way = [abs(line.slope(theta + step * k / 40)) for k in range(41)]
                bound = formulas.gradient_clipping_segment(max(way), abs(step), line.l0, line.l1)
                change = abs(line.slope(theta + step) - line.slope(theta))
                assert change <= bound * mpmath.mpf("1.0001")
    line, step = exponential(2), mpmath.mpf("1e-8")
    change = line.slope(step) - line.slope(0)
    assert_agree(change / formulas.gradient_clipping_segment(line.slope(step), step, 0, 2), 1, 1e-7)
    assert formulas.gradient_clipping_segment(3, 2, 5, 7) == 52


@pytest.mark.equation("gradient-clipping-log-lipschitz")
@high_precision
def test_logarithm_of_the_allowance_has_slope_at_most_l_one():
    """It holds for every line and step, with equality for the extremal one on one branch."""
    for line in LINES:
        for theta in PLACES[::3]:
            for step in STEPS[::3]:
                change, bound = formulas.gradient_clipping_log_lipschitz(
                    abs(line.slope(theta + step)),
                    abs(line.slope(theta)),
                    abs(step),
                    line.l0,
                    line.l1,
                )
                assert change <= bound + mpmath.mpf("1e-40")
    # e^x - x has the allowance e^x above 0: the logarithm moves by the step, up and down.
    for here, there in ((mpmath.mpf(1), mpmath.mpf(3)), (mpmath.mpf(3), mpmath.mpf(1))):
        change, bound = formulas.gradient_clipping_log_lipschitz(
            mpmath.expm1(there), mpmath.expm1(here), abs(there - here), 1, 1
        )
        assert_agree(change, bound)


@pytest.mark.equation("gradient-clipping-product")
def test_hessian_of_a_two_layer_chain_at_its_minima():
    """At (a, 1/a) the gradient of (ab - 1)^2 / 2 is 0, the Hessian's norm the printed one."""
    a, b = sympy.symbols("a b", positive=True)
    loss = (a * b - 1) ** 2 / 2
    at = {b: 1 / a}
    assert all(sympy.simplify(sympy.diff(loss, x).subs(at)) == 0 for x in (a, b))
    eigenvalues = sympy.hessian(loss, (a, b)).subs(at).eigenvals()
    printed = formulas.gradient_clipping_product(a)
    assert any(sympy.simplify(value - printed) == 0 for value in eigenvalues)
    assert all(sympy.simplify(value - printed) == 0 or value == 0 for value in eigenvalues)


def test_waves_need_their_constant():
    """The mixture of an exponential and a wave is no trivial example: neither constant can go."""
    assert any(abs(WAVES.curvature(x)) > abs(WAVES.slope(x)) for x in PLACES)
    assert any(abs(WAVES.curvature(x)) > 2 for x in PLACES)
