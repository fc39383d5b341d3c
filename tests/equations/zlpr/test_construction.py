"""Checks of road 2: from the softmax to the loss."""

import mpmath
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from tests.equations.support import assert_agree, assert_rising, brief, draw, high_precision
from tests.equations.zlpr import formulas

scores_of_a_few_labels = st.lists(st.floats(-30, 30), min_size=1, max_size=5)


def _sums(pos, neg):
    return sum(mpmath.exp(s) for s in neg), sum(mpmath.exp(-s) for s in pos)


@pytest.mark.equation("zlpr-bce")
@high_precision
def test_binary_cross_entropy_is_the_negative_log_likelihood():
    """The sum equals minus the log of the product of sigmoid probabilities of the labels."""
    pos, neg = draw(3, seed=11), draw(4, seed=12)
    likelihood = mpmath.mpf(1)
    for s in pos:
        likelihood *= mpmath.exp(s) / (1 + mpmath.exp(s))
    for s in neg:
        likelihood *= 1 - mpmath.exp(s) / (1 + mpmath.exp(s))
    assert_agree(formulas.zlpr_bce(pos, neg), -mpmath.log(likelihood))


@pytest.mark.equation("zlpr-softmax-odds")
@high_precision
def test_softmax_cross_entropy_through_differences():
    """Both sides agree with each other and with a softmax computed elsewhere."""
    target, others = draw(1, seed=13)[0], draw(5, seed=14)
    left, right = formulas.zlpr_softmax_odds(target, others)
    weights = [mpmath.exp(s) for s in [target, *others]]
    assert_agree(left, right)
    assert_agree(left, -mpmath.log(weights[0] / mpmath.fsum(weights)))


@pytest.mark.equation("zlpr-smooth-max")
@brief
@given(scores_of_a_few_labels)
@high_precision
def test_log_sum_exp_lies_between_the_maximum_and_the_maximum_plus_log_n(values):
    """The bounds hold on random draws, and both are attained in their limiting cases."""
    values = [mpmath.mpf(x) for x in values]
    assert_rising(*formulas.zlpr_smooth_max(values))
    low, middle, _ = formulas.zlpr_smooth_max([mpmath.mpf(0), mpmath.mpf(-200)])
    assert_agree(low, middle)
    low, middle, high = formulas.zlpr_smooth_max([mpmath.mpf(1.5)] * 4)
    assert_agree(low, 1.5)
    assert_agree(middle, high)


@pytest.mark.equation("zlpr-softmax-hinge")
@brief
@given(st.floats(-30, 30), scores_of_a_few_labels)
@high_precision
def test_softmax_cross_entropy_is_a_smooth_hinge(target, others):
    """The bounds hold on random draws and are tight for far-apart and for equal scores."""
    others = [mpmath.mpf(s) for s in others]
    assert_rising(*formulas.zlpr_softmax_hinge(mpmath.mpf(target), others))
    low, middle, _ = formulas.zlpr_softmax_hinge(mpmath.mpf(-100), [mpmath.mpf(100)])
    assert_agree(low, 200)
    assert_agree(low, middle)
    low, middle, _ = formulas.zlpr_softmax_hinge(mpmath.mpf(100), [mpmath.mpf(-100)] * 2)
    assert_agree(low, 0)
    assert_agree(low, middle)
    low, middle, high = formulas.zlpr_softmax_hinge(mpmath.mpf(2), [mpmath.mpf(2)] * 3)
    assert_agree(middle, high)
    assert_agree(low, 0)


@pytest.mark.equation("zlpr-pairwise")
@high_precision
def test_pairwise_form_is_softmax_cross_entropy_for_one_positive():
    """With one positive the pairwise form is the softmax cross-entropy; two pairs are summed."""
    target, others = draw(1, seed=15)[0], draw(4, seed=16)
    total = mpmath.exp(target) + sum(mpmath.exp(s) for s in others)
    assert_agree(formulas.zlpr_pairwise([target], others), mpmath.log(total) - target)
    assert_agree(formulas.zlpr_pairwise([mpmath.mpf(0)] * 2, [mpmath.mpf(0)] * 3), mpmath.log(7))


@pytest.mark.equation("zlpr-pairwise-product")
@high_precision
def test_pairwise_form_needs_one_sum_a_side():
    """The product of the two sums equals the double sum over all pairs."""
    pos, neg = draw(3, seed=17), draw(4, seed=18)
    double = sum(mpmath.exp(si - sj) for si in neg for sj in pos)
    assert_agree(formulas.zlpr_pairwise_product(pos, neg), mpmath.log(1 + double))


@pytest.mark.equation("zlpr-unified")
@high_precision
def test_circle_loss_equation_one_contains_the_pairwise_form():
    """Scale 1 and margin 0 give the pairwise form; a margin shifts the positives down by it."""
    pos, neg = draw(2, seed=19), draw(3, seed=20)
    a, b = _sums(pos, neg)
    assert_agree(formulas.zlpr_unified(pos, neg, 1, 0), mpmath.log(1 + a * b))
    scale, margin = mpmath.mpf(3), mpmath.mpf("0.25")
    a, b = _sums([scale * (s - margin) for s in pos], [scale * s for s in neg])
    assert_agree(formulas.zlpr_unified(pos, neg, scale, margin), mpmath.log(1 + a * b))


@pytest.mark.equation("zlpr-threshold")
@high_precision
def test_threshold_class_is_one_more_opponent_for_every_label():
    """The form equals pairs of all labels, the threshold being a rival of both sides."""
    pos, neg, s0 = draw(2, seed=21), draw(3, seed=22), draw(1, seed=23)[0]
    pairs = [si - sj for si in [*neg, s0] for sj in [*pos, s0]]
    without_threshold_against_itself = sum(mpmath.exp(x) for x in pairs) - 1
    assert_agree(
        formulas.zlpr_threshold(pos, neg, s0), mpmath.log(1 + without_threshold_against_itself)
    )


@pytest.mark.equation("zlpr-threshold-factored")
def test_threshold_form_factors_symbolically():
    """The exponential of the factored form, expanded, equals that of the threshold form."""
    # Scores are written as logarithms, so that everything below is a rational function.
    pos = [sympy.log(u) for u in sympy.symbols("p1:3", positive=True)]
    neg = [sympy.log(u) for u in sympy.symbols("q1:4", positive=True)]
    s0 = sympy.log(sympy.symbols("u0", positive=True))
    factored = sympy.exp(formulas.zlpr_threshold_factored(pos, neg, s0))
    sums = (
        1
        + sum(sympy.exp(q - p) for q in neg for p in pos)
        + sum(sympy.exp(q - s0) for q in neg)
        + sum(sympy.exp(s0 - p) for p in pos)
    )
    assert sympy.cancel(factored - sums) == 0


@pytest.mark.equation("zlpr-loss")
@high_precision
def test_loss_is_the_threshold_form_at_zero_and_forgets_nothing():
    """The loss equals the log of all pair, negative and positive terms with the threshold at 0."""
    pos, neg = draw(3, seed=24), draw(4, seed=25)
    terms = [si - sj for si in neg for sj in pos] + list(neg) + [-s for s in pos]
    assert_agree(formulas.zlpr_loss(pos, neg), mpmath.log(1 + sum(mpmath.exp(x) for x in terms)))
    assert formulas.zlpr_loss([], []) == 0


@pytest.mark.equation("zlpr-loss")
def test_exponential_of_the_loss_is_a_product_of_two_sums_symbolically():
    """With scores written as logarithms, exp(loss) is (1 + sum of q)(1 + sum of 1/p)."""
    p, q = sympy.symbols("p1:3", positive=True), sympy.symbols("q1:4", positive=True)
    value = formulas.zlpr_loss([sympy.log(u) for u in p], [sympy.log(u) for u in q])
    expected = (1 + sum(q)) * (1 + sum(1 / u for u in p))
    assert sympy.cancel(sympy.exp(value) - expected) == 0


@pytest.mark.equation("zlpr-expanded")
@high_precision
def test_expanded_form_is_the_product_of_the_two_factors():
    """exp of the expanded form equals (1 + A)(1 + B)."""
    pos, neg = draw(3, seed=26), draw(4, seed=27)
    a, b = _sums(pos, neg)
    assert_agree(mpmath.exp(formulas.zlpr_expanded(pos, neg)), (1 + a) * (1 + b))


@pytest.mark.equation("zlpr-prediction")
def test_prediction_is_right_exactly_when_every_score_is_on_its_side():
    """Labels above the threshold are predicted, those on it or below are not."""
    assert formulas.zlpr_prediction([0.5, -0.5, 0.0, 1e-9, -1e-9]) == {0, 3}
    assert formulas.zlpr_prediction([]) == set()


@pytest.mark.equation("zlpr-best-threshold")
@high_precision
def test_best_threshold_balances_the_two_sides():
    """The printed threshold is the minimiser of the threshold form, at the printed value."""
    pos, neg = draw(3, seed=28), draw(5, seed=29)
    best, value = formulas.zlpr_best_threshold(pos, neg)
    a, b = _sums(pos, neg)

    def loss(s0):
        return mpmath.log(1 + a * mpmath.exp(-s0)) + mpmath.log(1 + b * mpmath.exp(s0))

    assert_agree(mpmath.diff(loss, best), 0, 1e-20)
    assert_agree(loss(best), value)
    assert loss(best + 0.1) > value
    assert loss(best - 0.1) > value
