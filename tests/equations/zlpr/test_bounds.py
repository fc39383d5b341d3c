"""Checks of the value at zero and of the bounds."""

import mpmath
import pytest
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


@pytest.mark.equation("zlpr-value-at-zero")
@high_precision
def test_value_at_zero_counts_labels():
    """The printed value equals the loss of all-zero scores for several class counts."""
    for positives, negatives in ((1, 9), (2, 5), (0, 4), (3, 0)):
        expected = _loss([mpmath.mpf(0)] * positives, [mpmath.mpf(0)] * negatives)
        assert_agree(formulas.zlpr_value_at_zero(positives, negatives), expected)


@pytest.mark.equation("zlpr-sandwich")
@brief
@given(scores, scores)
@high_precision
def test_loss_lies_between_the_margin_and_the_margin_plus_the_value_at_zero(pos, neg):
    """The bounds hold on random draws; the lower is reached far out, the upper at zero."""
    pos, neg = _numbers(pos), _numbers(neg)
    low, middle, high = formulas.zlpr_sandwich(pos, neg)
    assert_rising(low, middle, high)
    assert_agree(middle, _loss(pos, neg))
    low, middle, _ = formulas.zlpr_sandwich(_numbers([-200, 200]), _numbers([300, 0, -5]))
    assert_agree(low, 500)
    assert_agree(low, middle)
    low, middle, _ = formulas.zlpr_sandwich(_numbers([200, 300]), _numbers([-300, -200]))
    assert_agree(low, 0)
    assert_agree(low, middle)
    _, middle, high = formulas.zlpr_sandwich(_numbers([0, 0]), _numbers([0, 0, 0]))
    assert_agree(middle, high)


@pytest.mark.equation("zlpr-bounded-scores")
@brief
@given(scores, scores)
@high_precision
def test_bounded_scores_leave_a_floor(pos, neg):
    """No draw of scores inside the bound is below the floor, and the best scores reach it."""
    bound = mpmath.mpf(20)
    floor = formulas.zlpr_bounded_scores(len(pos), len(neg), bound)
    assert_rising(floor, _loss(_numbers(pos), _numbers(neg)))
    bound = mpmath.mpf("0.75")
    floor = formulas.zlpr_bounded_scores(2, 5, bound)
    assert_agree(floor, _loss([bound] * 2, [-bound] * 5))


@pytest.mark.equation("zlpr-temperature")
@brief
@given(scores, scores)
@high_precision
def test_scaled_loss_tends_to_the_margin(pos, neg):
    """The bounds hold at scale 3, and the loss is near the margin at a very large scale."""
    pos, neg = _numbers(pos), _numbers(neg)
    scale = mpmath.mpf(3)
    low, middle, high = formulas.zlpr_temperature(pos, neg, scale)
    assert_rising(low, middle, high)
    assert_agree(middle, _loss([scale * s for s in pos], [scale * s for s in neg]) / scale)
    assert_agree(low, max(0, *neg) + max(0, *(-s for s in pos)))
    _, middle, high = formulas.zlpr_temperature(_numbers([0]), _numbers([0, 0]), scale)
    assert_agree(middle, high)
    low, middle, _ = formulas.zlpr_temperature(pos, neg, mpmath.mpf(10) ** 45)
    assert_agree(low, middle, 1e-38)


@pytest.mark.equation("zlpr-error-count")
@brief
@given(scores, scores)
@high_precision
def test_loss_bounds_the_number_of_wrong_labels(pos, neg):
    """The counts never exceed exp(loss), and scores on the threshold count as wrong."""
    pos, neg = _numbers(pos), _numbers(neg)
    low, high = formulas.zlpr_error_count(pos, neg)
    assert_rising(low, high)
    assert_agree(mpmath.log(high), _loss(pos, neg))
    low, high = formulas.zlpr_error_count(_numbers([0, 0]), _numbers([0, 0, 0]))
    assert (low, high) == (12, 12)
    low, high = formulas.zlpr_error_count(_numbers([300, -1, 0.5]), _numbers([-300, 2, 3]))
    assert low == (1 + 2) * (1 + 1)


@pytest.mark.equation("zlpr-subset-error")
@brief
@given(scores, scores)
@high_precision
def test_loss_over_log_two_bounds_the_subset_error(pos, neg):
    """A prediction with any wrong label costs at least log 2, and one score at 0 costs that."""
    pos, neg = _numbers(pos), _numbers(neg)
    wrong, bound = formulas.zlpr_subset_error(pos, neg)
    assert wrong <= bound
    assert wrong == (max(neg) >= 0 or min(pos) <= 0)
    assert_agree(bound, _loss(pos, neg) / mpmath.log(2))
    for pos, neg in (([0], [-300]), ([300], [0])):
        wrong, bound = formulas.zlpr_subset_error(_numbers(pos), _numbers(neg))
        assert_agree(bound, 1)
        assert wrong
    assert formulas.zlpr_subset_error(_numbers([1]), _numbers([-1]))[0] is False
    assert formulas.zlpr_subset_error(_numbers([1]), _numbers([-1, 1]))[0] is True
    assert formulas.zlpr_subset_error(_numbers([1, -1]), _numbers([-1]))[0] is True


@pytest.mark.equation("zlpr-pair-count")
@brief
@given(scores, scores)
@high_precision
def test_loss_bounds_the_number_of_reversed_pairs(pos, neg):
    """Reversed pairs, the pairwise form and the loss rise in this order; ties count."""
    pos, neg = _numbers(pos), _numbers(neg)
    count, pairs, everything = formulas.zlpr_pair_count(pos, neg)
    assert_rising(count, pairs, everything)
    assert count == 1 + sum(si >= sj for si in neg for sj in pos)
    assert_agree(mpmath.log(everything), _loss(pos, neg))
    pos, neg = draw(2, seed=32), draw(3, seed=33)
    _, pairs, everything = formulas.zlpr_pair_count(pos, neg)
    a, b = sum(mpmath.exp(s) for s in neg), sum(mpmath.exp(-s) for s in pos)
    assert_agree(pairs, 1 + a * b)
    assert_agree(everything - pairs, a + b)
    assert formulas.zlpr_pair_count(_numbers([0, 0]), _numbers([0, 0]))[:2] == (5, 5)
