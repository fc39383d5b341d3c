"""Checks of the loss for soft targets."""

import mpmath
import pytest
import sympy
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.equations.support import (
    assert_agree,
    assert_rising,
    brief,
    draw,
    draw_unit,
    high_precision,
)
from tests.equations.zlpr import formulas

three_scores = st.lists(st.floats(-20, 20), min_size=3, max_size=3)
three_targets = st.lists(st.floats(0, 1), min_size=3, max_size=3)


def _loss(scores, targets):
    positive = sum(t * mpmath.exp(-s) for s, t in zip(scores, targets, strict=True))
    negative = sum((1 - t) * mpmath.exp(s) for s, t in zip(scores, targets, strict=True))
    return mpmath.log(1 + positive) + mpmath.log(1 + negative)


@pytest.mark.equation("zlpr-soft-loss")
@high_precision
def test_soft_loss_reduces_to_the_hard_loss():
    """With targets 0 and 1 the soft loss is the hard one; a half enters both sums by a half."""
    scores = draw(4, seed=45)
    a = mpmath.exp(scores[1]) + mpmath.exp(scores[3])
    b = mpmath.exp(-scores[0]) + mpmath.exp(-scores[2])
    hard = mpmath.log(1 + a) + mpmath.log(1 + b)
    assert_agree(formulas.zlpr_soft_loss(scores, [1, 0, 1, 0]), hard)
    half = mpmath.mpf(1) / 2
    assert_agree(formulas.zlpr_soft_loss([mpmath.mpf(0)], [half]), 2 * mpmath.log(3 * half))


@pytest.mark.equation("zlpr-soft-gradient")
def test_soft_gradient_against_autograd():
    """The printed gradient equals autograd's for every label to 1e-12."""
    scores, targets = draw(4, seed=46), draw_unit(4, seed=47)
    s = torch.tensor([float(x) for x in scores], dtype=torch.float64, requires_grad=True)
    t = torch.tensor([float(x) for x in targets], dtype=torch.float64)
    (
        torch.log1p((t * torch.exp(-s)).sum()) + torch.log1p(((1 - t) * torch.exp(s)).sum())
    ).backward()
    for i in range(4):
        assert_agree(formulas.zlpr_soft_gradient(scores, targets, i), s.grad[i].item(), 1e-12)


@pytest.mark.equation("zlpr-soft-ratio")
@high_precision
def test_the_ratio_of_the_two_sums_can_only_be_one():
    """The two sides meet at c = 1 and, because left minus right is c - 1, nowhere else."""
    targets = draw_unit(4, seed=48)
    for c in (mpmath.mpf(1) / 3, mpmath.mpf(1), mpmath.mpf(7)):
        left, right = formulas.zlpr_soft_ratio(targets, c)
        assert_agree(left - right, c - 1)
    # The sides come from N = sqrt(c) R and P = R / sqrt(c) with R the sum of roots.
    root = sum(mpmath.sqrt(t - t**2) for t in targets)
    left, right = formulas.zlpr_soft_ratio(targets, mpmath.mpf(4))
    assert_agree(right, 1 + 2 * root)
    assert_agree(left, 4 + 2 * root)


@pytest.mark.equation("zlpr-soft-stationary")
@high_precision
def test_the_two_weights_of_a_label_meet_at_its_optimum():
    """At the score with sigma(2s) = t both weights are sqrt(t(1 - t)), and only there."""
    for t in draw_unit(3, seed=49):
        s = mpmath.log(t / (1 - t)) / 2
        left, right = formulas.zlpr_soft_stationary(s, t)
        assert_agree(left, mpmath.sqrt(t * (1 - t)))
        assert_agree(right, left)
        left, right = formulas.zlpr_soft_stationary(s + mpmath.mpf("0.1"), t)
        assert right > left
    left, right = formulas.zlpr_soft_stationary(mpmath.mpf(0), mpmath.mpf("0.25"))
    assert (left, right) == (0.25, 0.75)


@pytest.mark.equation("zlpr-soft-optimum")
@high_precision
def test_soft_optimum_has_zero_gradient_and_the_smallest_value():
    """At the printed scores the derivatives vanish, and moving any score raises the loss."""
    targets = draw_unit(4, seed=50)
    best = [formulas.zlpr_soft_optimum(t) for t in targets]
    lowest = _loss(best, targets)
    for i in range(4):
        for step in (mpmath.mpf("0.01"), mpmath.mpf("-0.01")):
            moved = [*best[:i], best[i] + step, *best[i + 1 :]]
            assert _loss(moved, targets) > lowest
        assert_agree(1 / (1 + mpmath.exp(-2 * best[i])), targets[i])


@pytest.mark.equation("zlpr-soft-optimum")
def test_symbolic_gradient_vanishes_at_the_soft_optimum():
    """With three symbolic targets the derivatives of the loss cancel at the printed scores."""
    # Targets are written as 1 / (1 + w^2), so that every square root is a rational function.
    roots = sympy.symbols("w1:4", positive=True)
    targets = [1 / (1 + w**2) for w in roots]
    scores = sympy.symbols("s1:4", real=True)
    pairs = list(zip(scores, targets, strict=True))
    loss = sympy.log(1 + sum(t * sympy.exp(-s) for s, t in pairs)) + sympy.log(
        1 + sum((1 - t) * sympy.exp(s) for s, t in pairs)
    )
    best = {s: formulas.zlpr_soft_optimum(sympy.cancel(t)) for s, t in pairs}
    for s in scores:
        slope = sympy.powdenest(sympy.simplify(sympy.diff(loss, s).subs(best)), force=True)
        assert sympy.simplify(slope) == 0


@pytest.mark.equation("zlpr-soft-minimum")
@high_precision
def test_minimum_value_of_the_soft_loss():
    """The printed minimum equals the loss at the scores with sigma(2s) = t."""
    targets = draw_unit(5, seed=51)
    best = [mpmath.log(t / (1 - t)) / 2 for t in targets]
    assert_agree(formulas.zlpr_soft_minimum(targets), _loss(best, targets))


@pytest.mark.equation("zlpr-smoothing-floor")
@high_precision
def test_smoothed_labels_leave_a_floor_whatever_the_number_of_positives():
    """With targets eps and 1 - eps the loss at the best scores is the printed floor."""
    epsilon = mpmath.mpf("0.05")
    for positives, negatives in ((1, 9), (5, 5), (0, 10)):
        targets = [1 - epsilon] * positives + [epsilon] * negatives
        best = [mpmath.log(t / (1 - t)) / 2 for t in targets]
        assert_agree(formulas.zlpr_smoothing_floor(10, epsilon), _loss(best, targets))


@pytest.mark.equation("zlpr-soft-concave")
@brief
@given(three_scores, three_targets, three_targets, st.floats(0, 1))
@high_precision
def test_mixing_labels_costs_at_least_as_much_as_mixing_losses(scores, first, second, mix):
    """The inequality holds on draws, is strict in an example and matches direct values."""
    numbers = [[mpmath.mpf(x) for x in values] for values in (scores, first, second)]
    assert_rising(*formulas.zlpr_soft_concave(*numbers, mpmath.mpf(mix)))
    scores, first, second = draw(3, seed=52), draw_unit(3, seed=53), draw_unit(3, seed=54)
    mix = mpmath.mpf("0.3")
    losses, labels = formulas.zlpr_soft_concave(scores, first, second, mix)
    assert_agree(losses, mix * _loss(scores, first) + (1 - mix) * _loss(scores, second))
    blended = [mix * a + (1 - mix) * b for a, b in zip(first, second, strict=True)]
    assert_agree(labels, _loss(scores, blended))
    assert labels > losses
