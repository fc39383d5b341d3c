"""Checks of the relations to binary cross-entropy and to softmax, and of the invariances."""

from itertools import product as cartesian

import mpmath
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from tests.equations.support import assert_agree, assert_rising, brief, draw, high_precision
from tests.equations.zlpr import formulas

scores = st.lists(st.floats(-20, 20), min_size=1, max_size=5)


def _numbers(values):
    return [mpmath.mpf(x) for x in values]


def _loss(pos, neg):
    a, b = sum(mpmath.exp(s) for s in neg), sum(mpmath.exp(-s) for s in pos)
    return mpmath.log(1 + a) + mpmath.log(1 + b)


@pytest.mark.equation("zlpr-bce-product")
@high_precision
def test_binary_cross_entropy_sums_over_all_subsets_of_the_negatives():
    """Both sides agree, and the right one is a sum over all 2^5 subsets found by enumeration."""
    neg = draw(5, seed=37)
    left, right = formulas.zlpr_bce_product(neg)
    subsets = sum(
        mpmath.exp(sum(s for s, chosen in zip(neg, choice, strict=True) if chosen))
        for choice in cartesian((False, True), repeat=5)
    )
    assert_agree(left, right)
    assert_agree(right, mpmath.log(subsets))


@pytest.mark.equation("zlpr-below-bce")
@brief
@given(scores, scores)
@high_precision
def test_loss_never_exceeds_the_sum_of_binary_cross_entropies(pos, neg):
    """The inequality holds on draws; with one label a side the two are equal."""
    pos, neg = _numbers(pos), _numbers(neg)
    loss, bce = formulas.zlpr_below_bce(pos, neg)
    assert_rising(loss, bce)
    assert_agree(loss, _loss(pos, neg))
    loss, bce = formulas.zlpr_below_bce(pos[:1], neg[:1])
    assert_agree(loss, bce)
    _, bce = formulas.zlpr_below_bce(_numbers([0, 0]), _numbers([0, 0, 0]))
    assert_agree(bce, 5 * mpmath.log(2))


@pytest.mark.equation("zlpr-bce-gap")
@brief
@given(scores)
@high_precision
def test_gap_to_binary_cross_entropy_is_of_second_order(neg):
    """The gap lies in its bounds on draws, and is the sum over pairs to leading order."""
    neg = _numbers(neg)
    assert_rising(*formulas.zlpr_bce_gap(neg))
    tiny = _numbers(["-20", "-20.5", "-21"])
    zero, gap, bound = formulas.zlpr_bce_gap(tiny)
    x = [mpmath.exp(s) for s in tiny]
    assert_agree(gap / (x[0] * x[1] + x[0] * x[2] + x[1] * x[2]), 1, 1e-7)
    assert_agree(bound, (x[0] + x[1] + x[2]) ** 2 / 2)
    assert zero == 0


@pytest.mark.equation("zlpr-one-class")
def test_one_class_gives_binary_cross_entropy():
    """For one label the loss is -log sigma(s) when it is on and -log(1 - sigma(s)) when off."""
    s = sympy.symbols("s", real=True)
    on, off = formulas.zlpr_one_class(s)
    sigmoid = 1 / (1 + sympy.exp(-s))
    assert sympy.simplify(sympy.exp(-on) - sigmoid) == 0
    assert sympy.simplify(sympy.exp(-off) - (1 - sigmoid)) == 0


@pytest.mark.equation("zlpr-one-positive")
@high_precision
def test_one_positive_adds_the_threshold_terms_to_softmax_cross_entropy():
    """Both sides agree with exp(loss), and exceed exp(cross-entropy) by the threshold terms."""
    target, others = draw(1, seed=38)[0], draw(4, seed=39)
    left, right = formulas.zlpr_one_positive(target, others)
    assert_agree(left, right)
    assert_agree(left, mpmath.exp(_loss([target], others)))
    softmax = mpmath.exp(target) / sum(mpmath.exp(s) for s in [target, *others])
    threshold_terms = mpmath.exp(-target) + sum(mpmath.exp(s) for s in others)
    assert_agree(right - threshold_terms, 1 / softmax)


@pytest.mark.equation("zlpr-complement")
@high_precision
def test_swapping_roles_and_signs_changes_nothing():
    """Both sides agree with each other and with the loss."""
    pos, neg = draw(2, seed=40), draw(4, seed=41)
    left, right = formulas.zlpr_complement(pos, neg)
    assert_agree(left, right)
    assert_agree(left, _loss(pos, neg))


@pytest.mark.equation("zlpr-shift")
@high_precision
def test_adding_a_constant_to_all_scores_changes_the_loss_at_the_rate_of_the_masses():
    """The printed rate is the derivative of the loss along the all-ones direction."""
    pos, neg, c = draw(2, seed=42), draw(4, seed=43), draw(1, seed=44)[0]

    def loss(x):
        return _loss([s + x for s in pos], [s + x for s in neg])

    assert_agree(formulas.zlpr_shift(pos, neg, c), mpmath.diff(loss, c), 1e-20)


@pytest.mark.equation("zlpr-not-likelihood")
@high_precision
def test_exponentials_of_minus_the_loss_do_not_sum_to_one():
    """The printed sum equals the enumeration over all label sets at zero scores."""
    for n in (1, 2, 3, 5):
        total = mpmath.mpf(0)
        for choice in cartesian((False, True), repeat=n):
            total += mpmath.exp(-_loss([0] * sum(choice), [0] * (n - sum(choice))))
        assert_agree(formulas.zlpr_not_likelihood(mpmath.mpf(n)), total)
