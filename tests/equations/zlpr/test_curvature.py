"""Checks of convexity, smoothness and the Lipschitz constants."""

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.equations.support import assert_agree, assert_rising, brief, draw, high_precision
from tests.equations.zlpr import formulas

four_numbers = st.lists(st.floats(-8, 8), min_size=4, max_size=4)


def _hessian(neg):
    """Hessian of log(1 + A) by double autograd in float64."""
    values = torch.tensor([float(s) for s in neg], dtype=torch.float64)
    return torch.autograd.functional.hessian(lambda q: torch.log1p(torch.exp(q).sum()), values)


def _numbers(values):
    return [mpmath.mpf(x) for x in values]


@pytest.mark.equation("zlpr-hessian")
def test_hessian_entries_against_double_autograd():
    """Every entry of the printed Hessian equals the one of double autograd to 1e-12."""
    neg = draw(4, seed=34)
    expected = _hessian(neg)
    for i in range(4):
        for k in range(4):
            assert_agree(formulas.zlpr_hessian(neg, i, k), expected[i, k].item(), 1e-12)


@pytest.mark.equation("zlpr-convexity")
@brief
@given(four_numbers, four_numbers)
@high_precision
def test_curvature_is_at_least_the_printed_positive_number(neg, v):
    """The quadratic form exceeds its bound on draws; both sides match independent values."""
    neg, v = _numbers(neg), _numbers(v)
    assert_rising(*formulas.zlpr_convexity(neg, v))
    neg = draw(4, seed=35)
    direction = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64)
    lower, form = formulas.zlpr_convexity(neg, _numbers(direction.tolist()))
    assert_agree(form, (direction @ _hessian(neg) @ direction).item(), 1e-12)
    # Along the all-ones direction the form is Var = (1 - p0) p0, which is the bound itself.
    lower, form = formulas.zlpr_convexity(neg, _numbers([1, 1, 1, 1]))
    assert_agree(lower, form)
    a = sum(mpmath.exp(s) for s in neg)
    assert_agree(lower, a / (1 + a) ** 2)
    # Cauchy-Schwarz is an equality for any constant direction, so its length must enter squared.
    assert_agree(formulas.zlpr_convexity(neg, _numbers([3, 3, 3, 3]))[0], 9 * lower)
    lower, form = formulas.zlpr_convexity(neg, _numbers([-1, -1, -1, -1]))
    assert_agree(lower, form)


@pytest.mark.equation("zlpr-smoothness")
@brief
@given(four_numbers, four_numbers)
@high_precision
def test_curvature_never_exceeds_one_half(neg, v):
    """The bound holds on draws and is approached by two equal, very high scores."""
    neg, v = _numbers(neg), _numbers(v)
    assert_rising(*formulas.zlpr_smoothness(neg, v))
    form, bound = formulas.zlpr_smoothness(_numbers([200, 200]), _numbers([1, -1]))
    assert_agree(form, bound)
    assert_agree(bound, 1)
    neg = draw(4, seed=36)
    direction = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64)
    form, bound = formulas.zlpr_smoothness(neg, _numbers(direction.tolist()))
    assert_agree(form, (direction @ _hessian(neg) @ direction).item(), 1e-12)
    assert_agree(bound, (direction @ direction).item() / 2, 1e-12)


def _loss_change(pos, neg, difference):
    def loss(p, q):
        a, b = sum(mpmath.exp(s) for s in q), sum(mpmath.exp(-s) for s in p)
        return mpmath.log(1 + a) + mpmath.log(1 + b)

    k = len(pos)
    moved_pos = [s + d for s, d in zip(pos, difference[:k], strict=True)]
    moved_neg = [s + d for s, d in zip(neg, difference[k:], strict=True)]
    return abs(loss(moved_pos, moved_neg) - loss(pos, neg))


@pytest.mark.equation("zlpr-lipschitz-max")
@brief
@given(four_numbers, four_numbers)
@high_precision
def test_moving_no_score_by_more_than_d_changes_the_loss_by_at_most_two_d(values, difference):
    """The bound holds on draws and is reached by wrong scores that get worse together."""
    values, difference = _numbers(values), _numbers(difference)
    change = _loss_change(values[:2], values[2:], difference)
    assert_rising(change, formulas.zlpr_lipschitz_max(difference))
    worst = _numbers([-1, -1, 1, 1])
    change = _loss_change(_numbers([-200, -200]), _numbers([200, 200]), worst)
    assert_agree(change, formulas.zlpr_lipschitz_max(worst))
    assert formulas.zlpr_lipschitz_max(_numbers([-3, 1])) == 6


@pytest.mark.equation("zlpr-lipschitz-euclidean")
@brief
@given(four_numbers, four_numbers)
@high_precision
def test_loss_changes_by_at_most_root_two_times_the_distance(values, difference):
    """The bound holds on draws and is reached with one positive and one negative, both wrong."""
    values, difference = _numbers(values), _numbers(difference)
    change = _loss_change(values[:2], values[2:], difference)
    assert_rising(change, formulas.zlpr_lipschitz_euclidean(difference))
    worst = _numbers([-3, 3])
    change = _loss_change(_numbers([-200]), _numbers([200]), worst)
    assert_agree(change, formulas.zlpr_lipschitz_euclidean(worst))


@pytest.mark.equation("zlpr-lipschitz-bce")
@brief
@given(four_numbers, four_numbers)
@high_precision
def test_the_sum_of_binary_cross_entropies_changes_by_up_to_n_times_as_much(values, difference):
    """The bound holds on draws and is reached when every score is far on the wrong side."""

    def bce(neg):
        return sum(mpmath.log(1 + mpmath.exp(s)) for s in neg)

    values, difference = _numbers(values), _numbers(difference)
    moved = [s + d for s, d in zip(values, difference, strict=True)]
    assert_rising(abs(bce(moved) - bce(values)), formulas.zlpr_lipschitz_bce(difference))
    change = bce(_numbers([302] * 3)) - bce(_numbers([300] * 3))
    assert_agree(change, formulas.zlpr_lipschitz_bce(_numbers([2, 2, 2])))
    assert formulas.zlpr_lipschitz_bce(_numbers([-3, 1])) == 6
