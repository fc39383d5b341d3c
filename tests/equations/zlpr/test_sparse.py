"""Checks of the sparse form and of the stable evaluation."""

import mpmath
import pytest
import sympy
import torch
from tests.equations.support import assert_agree, draw, high_precision
from tests.equations.zlpr import formulas


@pytest.mark.equation("zlpr-sparse")
@high_precision
def test_sparse_form_equals_the_negative_part():
    """With fifty digits the difference form equals log(1 + A), small and large scores alike."""
    neg = draw(5, seed=61)
    a = sum(mpmath.exp(s) for s in neg)
    for pos in (draw(2, seed=62), [mpmath.mpf(20), mpmath.mpf(25)]):
        value = formulas.zlpr_sparse([*neg, *pos], pos)
        assert_agree(value, mpmath.log(1 + a), 1e-30)


@pytest.mark.equation("zlpr-sparse")
def test_sparse_form_equals_the_negative_part_symbolically():
    """With scores written as logarithms, exp of the printed form cancels to 1 + A."""
    p, q = sympy.symbols("p1:3", positive=True), sympy.symbols("q1:4", positive=True)
    pos, neg = [sympy.log(u) for u in p], [sympy.log(u) for u in q]
    value = formulas.zlpr_sparse([*neg, *pos], pos)
    assert sympy.cancel(sympy.exp(value) - (1 + sum(q))) == 0


@pytest.mark.equation("zlpr-sparse-cancellation")
@high_precision
def test_what_is_left_after_the_subtraction():
    """Both sides agree, and the right one falls like exp(-s) as the positive score grows."""
    neg = draw(3, seed=63)
    left, right = formulas.zlpr_sparse_cancellation(draw(2, seed=64), neg)
    assert_agree(left, right)
    a = sum(mpmath.exp(s) for s in neg)
    left, right = formulas.zlpr_sparse_cancellation([mpmath.mpf(60)], neg)
    assert_agree(left, right)
    assert_agree(right * mpmath.exp(60) / (1 + a), 1, 1e-20)


@pytest.mark.equation("zlpr-sparse-breakdown")
@high_precision
def test_score_at_which_the_clip_takes_over():
    """At the printed score the quantity under the logarithm equals the clip."""
    neg, clip = draw(4, seed=65), mpmath.mpf(10) ** -7
    score = formulas.zlpr_sparse_breakdown(neg, clip)
    a = sum(mpmath.exp(s) for s in neg)
    left = (1 + a) / (1 + a + mpmath.exp(score))
    assert_agree(left / clip, 1)


@pytest.mark.equation("zlpr-sparse-clipped")
def test_clipped_form_grows_with_the_positive_score():
    """Past the breakdown the value is what a clipped float64 evaluation gives, with slope 1."""
    neg, clip = [-5.0] * 99, 1e-7

    def clipped(score):
        a = mpmath.log(1 + sum(mpmath.exp(s) for s in neg) + mpmath.exp(score))
        return a + mpmath.log(max(clip, 1 - mpmath.exp(score - a)))

    for score in (20.0, 25.0, 30.0):
        assert_agree(formulas.zlpr_sparse_clipped([*neg, score], clip), clipped(score), 1e-12)
    slope = formulas.zlpr_sparse_clipped([*neg, 30.0], clip) - formulas.zlpr_sparse_clipped(
        [*neg, 29.0], clip
    )
    assert_agree(slope, 1, 1e-6)


@pytest.mark.equation("zlpr-sparse-duplicate")
@high_precision
def test_a_repeated_index_is_subtracted_once_too_often():
    """Listing a positive twice in the difference form gives the printed value."""
    neg, pos = [mpmath.mpf(1), mpmath.mpf(2)], [mpmath.mpf(-1), mpmath.mpf("0.5")]
    everything = 1 + sum(mpmath.exp(s) for s in [*neg, *pos])
    listed = sum(mpmath.exp(s) for s in [pos[0], pos[0], pos[1]])
    expected = mpmath.log(everything - listed)
    assert_agree(formulas.zlpr_sparse_duplicate(pos, neg, [2, 1]), expected)
    a = sum(mpmath.exp(s) for s in neg)
    assert_agree(formulas.zlpr_sparse_duplicate(pos, neg, [1, 1]), mpmath.log(1 + a))


@pytest.mark.equation("zlpr-stable")
@high_precision
def test_stable_evaluation_is_an_identity_with_no_large_exponential():
    """The shifted form equals log(1 + sum exp), for small, mixed and only negative scores."""
    for values in (draw(4, seed=66), [mpmath.mpf(90), mpmath.mpf(-3)], [mpmath.mpf(-4)] * 2):
        direct = mpmath.log(1 + sum(mpmath.exp(x) for x in values))
        assert_agree(formulas.zlpr_stable(values), direct)


@pytest.mark.equation("zlpr-stable")
def test_stable_evaluation_survives_float64_where_the_direct_one_overflows():
    """At scores of 1e4 the shifted form is finite in float64 arithmetic, where exp overflows."""
    large = [torch.tensor(x, dtype=torch.float64) for x in (1e4, 1e4, -1e4)]
    assert torch.isinf(torch.log1p(torch.exp(torch.stack(large)).sum()))
    assert_agree(formulas.zlpr_stable(large).item(), 1e4 + float(mpmath.log(2)), 1e-12)
