"""Checks of the symmetric divergence and of several m-way choices."""

import mpmath
import pytest
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


def _sigmoid(x):
    return 1 / (1 + mpmath.exp(-x))


@pytest.mark.equation("zlpr-divergence")
def test_divergence_against_torch_bernoulli_divergences():
    """The printed sum equals both Kullback-Leibler divergences of torch, added up."""
    first, second = draw(4, seed=67), draw(4, seed=68)
    p, q = (
        torch.distributions.Bernoulli(
            logits=torch.tensor([float(x) for x in v], dtype=torch.float64)
        )
        for v in (first, second)
    )
    both = torch.distributions.kl_divergence(p, q) + torch.distributions.kl_divergence(q, p)
    assert_agree(formulas.zlpr_divergence(first, second), both.sum().item(), 1e-12)


@pytest.mark.equation("zlpr-divergence-kl")
@high_precision
def test_two_divergences_of_one_label_add_up_to_a_product():
    """Both sides agree for several pairs of probabilities, in either order."""
    for p, q in zip(draw_unit(4, seed=69), draw_unit(4, seed=70), strict=True):
        left, right = formulas.zlpr_divergence_kl(p, q)
        assert_agree(left, right)
        assert_agree(left, formulas.zlpr_divergence_kl(q, p)[0])
        cross = -(p * mpmath.log(q) + (1 - p) * mpmath.log(1 - q))
        entropy = -(p * mpmath.log(p) + (1 - p) * mpmath.log(1 - p))
        cross_back = -(q * mpmath.log(p) + (1 - q) * mpmath.log(1 - p))
        entropy_back = -(q * mpmath.log(q) + (1 - q) * mpmath.log(1 - q))
        assert_agree(left, cross - entropy + cross_back - entropy_back)


@pytest.mark.equation("zlpr-divergence-bound")
@brief
@given(three_scores, three_scores)
@high_precision
def test_divergence_is_at_most_a_quarter_of_the_squared_distance(first, second):
    """The bound holds on draws and is approached by two predictions near zero."""
    first, second = ([mpmath.mpf(x) for x in v] for v in (first, second))
    value = sum((_sigmoid(s) - _sigmoid(r)) * (s - r) for s, r in zip(first, second, strict=True))
    assert_rising(value, formulas.zlpr_divergence_bound(first, second))
    s, r = mpmath.mpf("1e-12"), mpmath.mpf("-2e-12")
    two_labels = 2 * (_sigmoid(s) - _sigmoid(r)) * (s - r)
    ratio = two_labels / formulas.zlpr_divergence_bound([s, r], [r, s])
    assert_agree(ratio, 1, 1e-20)


def _choices(seed, n, m):
    """n choices among m options: scores and the softmax of other scores as targets."""
    values = draw(2 * n * m, seed=seed, spread=1.0)
    scores = [values[i * m : (i + 1) * m] for i in range(n)]
    targets = []
    for i in range(n, 2 * n):
        weights = [mpmath.exp(x) for x in values[i * m : (i + 1) * m]]
        targets.append([w / sum(weights) for w in weights])
    return scores, targets


def _soft_zlpr(scores, targets):
    positive = sum(t * mpmath.exp(-s) for s, t in zip(scores, targets, strict=True))
    negative = sum((1 - t) * mpmath.exp(s) for s, t in zip(scores, targets, strict=True))
    return mpmath.log(1 + positive) + mpmath.log(1 + negative)


@pytest.mark.equation("zlpr-choices-hard")
@high_precision
def test_first_generalisation_is_the_loss_itself_for_two_options():
    """For m = 2 it is the soft-target loss of the differences; for one hard choice, softmax."""
    scores, targets = _choices(71, n=3, m=2)
    differences, positives = [s[0] - s[1] for s in scores], [t[0] for t in targets]
    assert_agree(
        formulas.zlpr_choices_hard(scores, targets), _soft_zlpr(differences, positives), 1e-40
    )
    choice = draw(4, seed=72)
    softmax = mpmath.exp(choice[2]) / sum(mpmath.exp(s) for s in choice)
    assert_agree(formulas.zlpr_choices_hard([choice], [[0, 0, 1, 0]]), -mpmath.log(softmax))


@pytest.mark.equation("zlpr-choices-soft")
@high_precision
def test_second_generalisation_is_minimised_by_the_softmax():
    """At scores log t it is below every neighbour; for m = 2 it is the loss at half differences."""
    scores, targets = _choices(73, n=3, m=2)
    halves, positives = [(s[0] - s[1]) / 2 for s in scores], [t[0] for t in targets]
    assert_agree(formulas.zlpr_choices_soft(scores, targets), _soft_zlpr(halves, positives), 1e-40)
    _, targets = _choices(74, n=2, m=3)
    best = [[mpmath.log(t) for t in row] for row in targets]
    lowest = formulas.zlpr_choices_soft(best, targets)
    for i in range(2):
        for k in range(3):
            for step in (mpmath.mpf("0.01"), mpmath.mpf("-0.01")):
                moved = [list(row) for row in best]
                moved[i][k] += step
                assert formulas.zlpr_choices_soft(moved, targets) > lowest


@pytest.mark.equation("zlpr-choices-minimum")
@high_precision
def test_minimum_of_the_second_generalisation():
    """The printed minimum equals the value at scores log t, for two and for three options."""
    for m, seed in ((2, 75), (3, 76)):
        _, targets = _choices(seed, n=2, m=m)
        value = mpmath.mpf(0)
        for j in range(m):
            total = mpmath.mpf(0)
            for row in targets:
                mean = sum(mpmath.log(t) for t in row) / m
                total += row[j] * mpmath.exp(mean - mpmath.log(row[j]))
            value += mpmath.log(1 + total)
        assert_agree(formulas.zlpr_choices_minimum(targets), value, 1e-14)
