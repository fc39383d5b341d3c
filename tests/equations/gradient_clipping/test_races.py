"""Checks of the numbers of steps that the methods take on theta^4 and on e^theta - theta.

Iterations are counted here with torch's optimizers and with exact fractions of mpmath, not with
the code of the chapter.
"""

import functools
import math

import mpmath
import pytest
import torch
from tests.equations.gradient_clipping import formulas
from tests.equations.support import assert_agree, high_precision

from scispaces.optim import ClippedSGD

ACCURACY = 1e-3
END = (ACCURACY / 4) ** (1 / 3)


@functools.cache
def _steps(function, start, method, *settings):
    """Number of steps until |slope| <= ACCURACY, with torch's autograd and an optimizer."""
    theta = torch.tensor([start], dtype=torch.float64, requires_grad=True)
    if method == "fixed":
        optimizer = torch.optim.SGD([theta], lr=settings[0])
    else:
        l0, l1 = settings
        optimizer = ClippedSGD([theta], lr=1 / l0, threshold=l0 / l1, form=method)
    for count in range(20_000):
        optimizer.zero_grad()
        value = theta**4 if function == "quartic" else theta.exp() - theta
        value.sum().backward()
        if theta.grad.abs().item() <= ACCURACY:
            return count
        optimizer.step()
    raise AssertionError("no end")


@pytest.mark.equation("gradient-clipping-travel-time")
def test_discrete_steps_are_at_most_the_travel_time():
    """For step lengths that grow with the distance: counted steps, and a constant length."""
    constant = formulas.gradient_clipping_travel_time(lambda _: 0.25, 3, 1, mpmath.quad)
    assert_agree(constant, 8)
    for start in (1.0, 2.0):
        rate = 1 / (12 * start**2)
        time = formulas.gradient_clipping_travel_time(
            lambda x, r=rate: 4 * r * x**3, start, END, mpmath.quad
        )
        count = _steps("quartic", start, "fixed", rate)
        assert 0.9 * time <= count <= math.ceil(time)
        time = formulas.gradient_clipping_travel_time(
            lambda x: 4 * x**3 / (4 + 8 * x**3), start, END, mpmath.quad
        )
        count = _steps("quartic", start, "soft", 4.0, 2.0)
        assert 0.9 * time <= count <= math.ceil(time)


@pytest.mark.equation("gradient-clipping-quartic-descent-time")
@high_precision
def test_time_of_gradient_descent_on_the_fourth_power():
    """The integral, and counted steps that come within the logarithm below it."""
    start, end, rate = mpmath.mpf(3), mpmath.mpf("0.1"), mpmath.mpf("0.01")
    time = formulas.gradient_clipping_quartic_descent_time(start, end, rate)
    assert_agree(time, mpmath.quad(lambda x: 1 / (4 * rate * x**3), [end, 1, start]), 1e-25)
    for start in (1.0, 2.0):
        rate = 1 / (12 * start**2)
        time = float(formulas.gradient_clipping_quartic_descent_time(start, END, rate))
        count = _steps("quartic", start, "fixed", rate)
        correction = 1.5 * math.log(start / END)
        assert time - correction - 2 <= count <= math.ceil(time)


@pytest.mark.equation("gradient-clipping-quartic-floor")
def test_no_fixed_step_that_serves_all_starts_is_fast_from_half_way():
    """Counted from half the start with sizes up to the limit; the largest come within a factor."""
    for start in (1.0, 3.0):
        floor = formulas.gradient_clipping_quartic_floor(start, END)
        counts = [
            _steps("quartic", start / 2, "fixed", share / (2 * start**2))
            for share in (0.3, 0.6, 0.9, 0.999)
        ]
        assert floor <= min(counts) <= 3.1 * floor
    # The growth of 1 / theta^2 in a step is 24 times the step size at 4 rate theta^2 = 1/2.
    theta, rate = mpmath.mpf(1), mpmath.mpf(1) / 8
    after = theta * (1 - 4 * rate * theta**2)
    assert_agree(1 / after**2 - 1 / theta**2, 24 * rate)
    assert_agree(formulas.gradient_clipping_quartic_floor(mpmath.mpf(4), mpmath.mpf("0.5")), 5)


@pytest.mark.equation("gradient-clipping-quartic-soft-time")
@high_precision
def test_time_of_soft_clipping_on_the_fourth_power():
    """The integral of 1 / step length; counted steps keep below it and near it."""
    start, end, l0, l1 = mpmath.mpf(3), mpmath.mpf("0.1"), mpmath.mpf(5), mpmath.mpf(2)
    time = formulas.gradient_clipping_quartic_soft_time(start, end, l0, l1)
    integral = mpmath.quad(lambda x: (l0 + l1 * 4 * x**3) / (4 * x**3), [end, 1, start])
    assert_agree(time, integral, 1e-25)
    for start in (3.0, 30.0):
        time = formulas.gradient_clipping_quartic_soft_time(start, END, 4.0, 2.0)
        assert 0.95 * time <= _steps("quartic", start, "soft", 4.0, 2.0) <= math.ceil(time)


@pytest.mark.equation("gradient-clipping-length-floor")
def test_steps_of_bounded_length_take_as_many_as_the_distance_needs():
    """Soft and hard clipping with several constants, from afar."""
    for form in ("soft", "hard"):
        for l0, l1 in ((4.0, 2.0), (16.0, 1.0)):
            count = _steps("quartic", 40.0, form, l0, l1)
            floor = formulas.gradient_clipping_length_floor(40.0 - END, l1)
            assert floor <= count
    # Far out, where every step is 1 / L1 long, nothing is lost.
    assert_agree(formulas.gradient_clipping_length_floor(6, 4), 24)
    lost = _steps("quartic", 40.0, "hard", 4.0, 2.0) - _steps("quartic", 20.0, "hard", 4.0, 2.0)
    assert lost == formulas.gradient_clipping_length_floor(20, 2)


@pytest.mark.equation("gradient-clipping-quartic-best")
@high_precision
def test_constant_that_suits_a_start_best():
    """L1 theta + 2 / (L1^2 end^2) is least at the printed L1, where it has the printed value."""
    for start, end in ((mpmath.mpf(3), mpmath.mpf("0.1")), (mpmath.mpf(30), mpmath.mpf("0.05"))):
        best, time = formulas.gradient_clipping_quartic_best(start, end)

        def leading(l1, start=start, end=end):
            return l1 * start + 2 / (l1 * end) ** 2

        assert_agree(leading(best), time, 1e-14)
        assert leading(best) < min(leading(best * 1.001), leading(best * 0.999))


@pytest.mark.equation("gradient-clipping-exponential-descent-time")
@high_precision
def test_time_of_gradient_descent_on_the_exponential():
    """The integral of 1 / step length of a fixed rate on e^theta - theta, and counted steps."""
    start, end, rate = mpmath.mpf(3), mpmath.mpf("0.1"), mpmath.mpf("0.01")
    time = formulas.gradient_clipping_exponential_descent_time(start, end, rate)
    assert_agree(time, mpmath.quad(lambda x: 1 / (rate * mpmath.expm1(x)), [end, 1, start]), 1e-25)
    end = math.log1p(ACCURACY)
    for start in (2.0, 5.0):
        time = formulas.gradient_clipping_exponential_descent_time(start, end, math.exp(-start))
        assert 0.9 * time <= _steps("exponential", start, "fixed", math.exp(-start)) <= time + 1


@pytest.mark.equation("gradient-clipping-exponential-soft-time")
@high_precision
def test_time_of_soft_clipping_on_the_exponential():
    """The integral of 1 / (1 - e^-theta), and counted steps."""
    accuracy = mpmath.mpf("0.01")
    time = formulas.gradient_clipping_exponential_soft_time(mpmath.mpf(3), accuracy)
    integral = mpmath.quad(lambda x: 1 / (1 - mpmath.exp(-x)), [mpmath.log1p(accuracy), 1, 3])
    assert_agree(time, integral, 1e-25)
    for start in (3.0, 20.0):
        time = formulas.gradient_clipping_exponential_soft_time(start, ACCURACY)
        assert 0.5 * time <= _steps("exponential", start, "soft", 1.0, 1.0) <= math.ceil(time)
