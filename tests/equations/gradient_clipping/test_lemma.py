"""Checks of the lemma that does follow from the condition, and of the steps it recommends."""

import mpmath
import pytest
from tests.equations.gradient_clipping import formulas
from tests.equations.gradient_clipping.worlds import LINES, exponential
from tests.equations.support import assert_agree, assert_rising, high_precision

PLACES = [mpmath.mpf(x) / 3 for x in range(-9, 10)]
STEPS = [mpmath.mpf(x) / 4 for x in (-8, -3, -1, 1, 3, 8)]
SATURATIONS = [mpmath.mpf(k) / 20 for k in range(1, 20)]


@pytest.mark.equation("gradient-clipping-gronwall")
@high_precision
def test_bound_of_the_change_of_the_gradient():
    """It holds for every line and step; e^(3 x) upwards attains it."""
    for line in LINES:
        for theta in PLACES:
            for step in STEPS:
                change = abs(line.slope(theta + step) - line.slope(theta))
                bound = formulas.gradient_clipping_gronwall(
                    abs(line.slope(theta)), abs(step), line.l0, line.l1
                )
                assert change <= bound * (1 + mpmath.mpf("1e-45"))
    line = exponential(3)
    change = line.slope(mpmath.mpf("1.7")) - line.slope(1)
    assert_agree(
        formulas.gradient_clipping_gronwall(line.slope(1), mpmath.mpf("0.7"), 0, 3), change
    )
    # With L0: the solution of y' = L0 + L1 (norm + y), y(0) = 0.
    norm, l0, l1 = mpmath.mpf(5), mpmath.mpf(2), mpmath.mpf(3)
    for length in (mpmath.mpf("0.4"), mpmath.mpf(2)):
        rate = mpmath.diff(lambda r: formulas.gradient_clipping_gronwall(norm, r, l0, l1), length)
        value = formulas.gradient_clipping_gronwall(norm, length, l0, l1)
        assert_agree(rate, l0 + l1 * (norm + value), 1e-20)


@pytest.mark.equation("gradient-clipping-lemma")
@high_precision
def test_lemma_holds_and_is_attained():
    """It holds for every line and step of both signs; e^(3 x) upwards attains it."""
    for line in LINES:
        for theta in PLACES:
            for step in STEPS:
                bound = formulas.gradient_clipping_lemma(
                    line.value(theta),
                    line.slope(theta) * step,
                    abs(line.slope(theta)),
                    abs(step),
                    line.l0,
                    line.l1,
                )
                assert line.value(theta + step) <= bound + mpmath.mpf("1e-40") * abs(bound)
    line = exponential(3)
    bound = formulas.gradient_clipping_lemma(
        line.value(1), line.slope(1) * mpmath.mpf("0.7"), line.slope(1), mpmath.mpf("0.7"), 0, 3
    )
    assert_agree(bound, line.value(mpmath.mpf("1.7")))


@pytest.mark.equation("gradient-clipping-lemma")
@high_precision
def test_lemma_is_the_integral_of_the_bound_before_it():
    """Its derivative in the length, less the inner product, is the bound of the gradient."""
    norm, l0, l1 = mpmath.mpf(5), mpmath.mpf(2), mpmath.mpf(3)
    for length in (mpmath.mpf("0.3"), mpmath.mpf(2)):
        rate = mpmath.diff(
            lambda r: formulas.gradient_clipping_lemma(7, 4, norm, r, l0, l1), length
        )
        bound = (l0 + l1 * norm) / l1 * mpmath.expm1(l1 * length)
        assert_agree(rate, bound, 1e-20)
    assert_agree(formulas.gradient_clipping_lemma(7, 4, 5, 0, 2, mpmath.mpf(3)), 11)


@pytest.mark.equation("gradient-clipping-bracket")
@high_precision
def test_bracket_on_steps_up_to_one_over_l_one():
    """Between one half and e - 2 times the square; each is reached at one end, beyond it is not."""
    for k in range(1, 41):
        assert_rising(*formulas.gradient_clipping_bracket(mpmath.mpf(k) / 40))
    _, bracket, upper = formulas.gradient_clipping_bracket(mpmath.mpf(1))
    assert_agree(bracket, upper)
    assert_agree(bracket, mpmath.e - 2)
    small = mpmath.mpf("1e-9")
    lower, bracket, _ = formulas.gradient_clipping_bracket(small)
    assert_agree(lower / bracket, 1, 1e-8)
    _, bracket, upper = formulas.gradient_clipping_bracket(mpmath.mpf("1.01"))
    assert bracket > upper
    _, bracket, upper = formulas.gradient_clipping_bracket(mpmath.mpf(2))
    assert_agree(mpmath.quad(mpmath.expm1, [0, 2]), bracket, 1e-30)
    assert_agree(upper, 4 * mpmath.e - 8)


@pytest.mark.equation("gradient-clipping-saturation")
@high_precision
def test_saturation_is_the_length_of_the_soft_step_in_units_of_one_over_l_one():
    """q = L1 times norm over (L0 + L1 norm), below one, one half at the threshold L0 / L1."""
    for norm in (mpmath.mpf("0.01"), mpmath.mpf(2), mpmath.mpf(1000)):
        q = formulas.gradient_clipping_saturation(norm, 3, mpmath.mpf("0.5"))
        assert_agree(q, norm / (3 + norm / 2) / 2)
        assert 0 < q < 1
    assert_agree(formulas.gradient_clipping_saturation(mpmath.mpf(6), 3, mpmath.mpf("0.5")), 0.5)


@pytest.mark.equation("gradient-clipping-lemma-descent")
@high_precision
def test_descent_that_the_lemma_promises_for_the_soft_step():
    """From the lemma itself, in units of norm^2 / (L0 + L1 norm); 3 - e is its limit."""
    l0, l1 = mpmath.mpf(3), mpmath.mpf("0.7")
    for q in SATURATIONS:
        least, share = formulas.gradient_clipping_lemma_descent(q)
        norm = q / (1 - q) * l0 / l1
        allowance = l0 + l1 * norm
        length = norm / allowance
        change = -norm * length + allowance / l1**2 * (mpmath.expm1(l1 * length) - l1 * length)
        assert_agree(share, -change * allowance / norm**2)
        assert least < share < 0.5
    least, share = formulas.gradient_clipping_lemma_descent(mpmath.mpf(1))
    assert_agree(least, share)


@pytest.mark.equation("gradient-clipping-lemma-step")
@high_precision
def test_step_that_minimises_the_lemma():
    """Its neighbours have a larger bound; its length is below log 2 / L1."""
    l0, l1 = mpmath.mpf(3), mpmath.mpf("0.7")
    for norm in (mpmath.mpf("0.1"), mpmath.mpf(4), mpmath.mpf(1000)):

        def bound(length, norm=norm):
            growth = mpmath.expm1(l1 * length) - l1 * length
            return -norm * length + (l0 + l1 * norm) / l1**2 * growth

        best = formulas.gradient_clipping_lemma_step(norm, l0, l1)
        assert bound(best) < min(bound(best * 1.0001), bound(best * 0.9999))
        assert best * l1 < mpmath.log(2)


@pytest.mark.equation("gradient-clipping-lemma-step")
@high_precision
def test_step_is_the_integral_that_the_literature_gives():
    """Norm times the integral of 1 / (L0 + L1 norm (1 + v)) over v from 0 to 1."""
    for norm in (mpmath.mpf("0.1"), mpmath.mpf(4)):
        integral = mpmath.quad(lambda v, n=norm: n / (3 + 5 * n * (1 + v)), [0, 1])
        assert_agree(formulas.gradient_clipping_lemma_step(norm, 3, mpmath.mpf(5)), integral, 1e-30)


@pytest.mark.equation("gradient-clipping-lemma-step-descent")
@high_precision
def test_descent_that_the_lemma_promises_for_its_best_step():
    """From the lemma itself; more than for the soft step; 2 log 2 - 1 is its limit."""
    l0, l1 = mpmath.mpf(3), mpmath.mpf("0.7")
    for q in SATURATIONS:
        least, share = formulas.gradient_clipping_lemma_step_descent(q)
        norm = q / (1 - q) * l0 / l1
        allowance = l0 + l1 * norm
        length = mpmath.log1p(q) / l1
        change = -norm * length + allowance / l1**2 * (mpmath.expm1(l1 * length) - l1 * length)
        assert_agree(share, -change * allowance / norm**2)
        assert least < share < 0.5
        assert share > 1 - (mpmath.expm1(q) - q) / q**2
    least, share = formulas.gradient_clipping_lemma_step_descent(mpmath.mpf(1))
    assert_agree(least, share)
