"""Checks of road 1: the softmax over subsets of fixed size."""

from itertools import combinations, pairwise

import mpmath
import pytest
import sympy
from tests.equations.support import assert_agree, draw, high_precision
from tests.equations.zlpr import formulas


def _polynomial(scores, z):
    """Elementary symmetric polynomials read off the product of the factors (1 + x z)."""
    coefficients = [mpmath.mpf(1)]
    for score in scores:
        x = mpmath.exp(score)
        coefficients = [
            (coefficients[k] if k < len(coefficients) else 0)
            + (x * coefficients[k - 1] if k else 0)
            for k in range(len(coefficients) + 1)
        ]
    return sum(c * z**k for k, c in enumerate(coefficients)), coefficients


@pytest.mark.equation("zlpr-subset-softmax")
@high_precision
def test_subset_probabilities_sum_to_one_and_give_softmax_for_one_label():
    """The probabilities of all subsets sum to one; for one label they are the softmax."""
    scores = draw(6, seed=1)
    subsets = list(combinations(range(6), 3))
    assert_agree(sum(formulas.zlpr_subset_softmax(s, scores) for s in subsets), 1)
    total = sum(mpmath.exp(s) for s in scores)
    for i in range(6):
        assert_agree(formulas.zlpr_subset_softmax((i,), scores), mpmath.exp(scores[i]) / total)


@pytest.mark.equation("zlpr-subset-normaliser")
@high_precision
def test_normaliser_is_the_elementary_symmetric_polynomial():
    """Z_k equals the coefficient of z^k of the product of the factors 1 + exp(s) z."""
    scores = draw(7, seed=2)
    _, coefficients = _polynomial(scores, 1)
    for k, coefficient in enumerate(coefficients):
        assert_agree(formulas.zlpr_subset_normaliser(scores, k), coefficient)


@pytest.mark.equation("zlpr-generating-function")
def test_generating_function_as_a_symbolic_identity():
    """Both sides are expanded symbolically for four classes and their difference is zero."""
    scores = sympy.symbols("s1:5", real=True)
    z = sympy.symbols("z", positive=True)
    left, right = formulas.zlpr_generating_function(scores, z)
    assert sympy.expand(left - right) == 0
    assert sympy.expand(left).coeff(z, 2) != 0


@pytest.mark.equation("zlpr-power-sum")
@high_precision
def test_power_sum_is_a_normaliser_of_scaled_scores():
    """P_1 is Z_1, and P_j is Z_1 of the scores multiplied by j."""
    scores = draw(5, seed=3)
    for j in (1, 2, 3):
        expected = sum(mpmath.exp(s) ** j for s in scores)
        assert_agree(formulas.zlpr_power_sum(scores, j), expected)


@pytest.mark.equation("zlpr-newton")
@high_precision
def test_newton_identities_hold_for_every_subset_size():
    """Both sides of Newton's identity agree for seven classes and every k from 1 to 7."""
    scores = draw(7, seed=4)
    _, normalisers = _polynomial(scores, 1)
    power_sums = [sum(mpmath.exp(j * s) for s in scores) for j in range(8)]
    for k in range(1, 8):
        left, right = formulas.zlpr_newton(normalisers, power_sums, k)
        assert_agree(left, right)
        assert_agree(left, k * normalisers[k])


@pytest.mark.equation("zlpr-subset-recursion")
@high_precision
def test_recursion_reaches_the_normaliser_one_class_at_a_time():
    """Adding the classes one by one by the recursion ends at the sum over all subsets."""
    scores = draw(7, seed=5)
    z = [mpmath.mpf(1)] + [mpmath.mpf(0)] * 3
    for score in scores:
        z = [z[0]] + [
            formulas.zlpr_subset_recursion(same, fewer, score) for fewer, same in pairwise(z)
        ]
    for k in range(1, 4):
        direct = sum(mpmath.exp(sum(chosen)) for chosen in combinations(scores, k))
        assert_agree(z[k], direct)


@pytest.mark.equation("zlpr-padding-sum")
@high_precision
def test_padding_sum_counts_each_real_subset_once():
    """Enumerating all fillings of K places by real labels and padding gives the padded sum."""
    scores, padding, largest = draw(5, seed=6), draw(1, seed=7)[0], 3
    _, normalisers = _polynomial(scores, 1)
    enumerated = mpmath.mpf(0)
    for k in range(largest + 1):
        for chosen in combinations(scores, k):
            enumerated += mpmath.exp(sum(chosen) + (largest - k) * padding)
    assert_agree(formulas.zlpr_padding_sum(normalisers, padding, largest), enumerated)


@pytest.mark.equation("zlpr-padding")
@high_precision
def test_padding_recursion_unrolls_to_the_padded_sum():
    """Unrolling the recursion from K = 0 gives the sum over the number of padded places."""
    scores, padding = draw(6, seed=8), draw(1, seed=9)[0]
    _, normalisers = _polynomial(scores, 1)
    padded = normalisers[0]
    for largest in range(1, 5):
        padded = formulas.zlpr_padding(normalisers[largest], padded, padding)
        direct = sum(
            mpmath.exp((largest - k) * padding) * normalisers[k] for k in range(largest + 1)
        )
        assert_agree(padded, direct)


@pytest.mark.equation("zlpr-subset-gradient")
@high_precision
def test_subset_gradient_is_the_derivative_of_the_negative_log_probability():
    """The printed gradient equals the numeric derivative for labels inside and outside."""
    scores, subset, k = draw(5, seed=10), (0, 2, 3), 3

    def loss(values):
        total = sum(mpmath.exp(sum(chosen)) for chosen in combinations(values, k))
        return mpmath.log(total) - sum(values[i] for i in subset)

    gradient = []
    for i in range(5):

        def along(x, i=i):
            return loss([*scores[:i], x, *scores[i + 1 :]])

        gradient.append(formulas.zlpr_subset_gradient(scores, subset, i, k))
        assert_agree(gradient[i], mpmath.diff(along, scores[i]), 1e-20)
    assert_agree(sum(gradient), 0)
