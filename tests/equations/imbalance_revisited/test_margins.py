"""Checks of margins inside the logarithm against weights outside, and of the separable case."""

import itertools

import mpmath
import numpy as np
import pytest
from scipy import optimize
from tests.equations.imbalance_revisited import formulas
from tests.equations.imbalance_revisited.support import (
    ETAS,
    SCORES,
    cross_entropy_of_score,
    sigmoid,
)
from tests.equations.support import assert_agree, assert_rising, draw_unit, high_precision

DIFF = 1e-18
MARGINS = [mpmath.mpf(x) for x in ("-1", "0.5", "3")]

# Two classes apart, with a constant 1 as third feature: the intercept.
POINTS = np.array(
    [[1.5, 0.2, 1], [2.5, 1.0, 1], [2.0, -1.0, 1], [-1.0, 0.5, 1], [-2.0, -1.5, 1], [-0.8, -0.7, 1]]
)
SIGNS = np.array([1, 1, 1, -1, -1, -1])


def _shortest(scales):
    """The shortest direction with scale times signed score at least 1, by quadratic programming."""
    rows = POINTS * (SIGNS * scales)[:, None]
    found = optimize.minimize(
        lambda d: d @ d / 2,
        np.array([1.0, 0, 0]),
        jac=lambda d: d,
        constraints={"type": "ineq", "fun": lambda d: rows @ d - 1, "jac": lambda d: rows},
        options={"ftol": 1e-16, "maxiter": 500},
    )
    return found.x


@pytest.mark.equation("imbalance-revisited-margin")
@high_precision
def test_margin_loss_is_cross_entropy_of_a_lowered_score():
    """The printed value equals cross-entropy at u - m, and a two-class softmax with an offset."""
    for u, margin in itertools.product(SCORES, MARGINS):
        printed = formulas.imbalance_revisited_margin(u, margin)
        assert_agree(printed, cross_entropy_of_score(u - margin))
        right, wrong = mpmath.exp(u), mpmath.exp(margin)
        assert_agree(printed, -mpmath.log(right / (right + wrong)))


@pytest.mark.equation("imbalance-revisited-margin-weight")
@high_precision
def test_a_margin_is_a_weight_that_rises_from_one():
    """The printed weight is the ratio of slopes; it is 1 at p = 0 and exp(m) at p = 1."""
    for u, margin in itertools.product(SCORES, MARGINS):
        printed = formulas.imbalance_revisited_margin_weight(sigmoid(u), margin)
        slope = mpmath.diff(lambda x, m=margin: cross_entropy_of_score(x - m), u)
        assert_agree(printed, -slope / (1 - sigmoid(u)), DIFF)
        assert_agree(formulas.imbalance_revisited_margin_weight(0, margin), 1)
        assert_agree(formulas.imbalance_revisited_margin_weight(1, margin), mpmath.exp(margin))


@pytest.mark.equation("imbalance-revisited-margin-threshold")
@high_precision
def test_threshold_of_two_margins():
    """At the printed eta the risk with a margin for each class has no slope at score zero."""
    for on, off in itertools.product(MARGINS, MARGINS):

        def slope(eta, on=on, off=off):
            def risk(s):
                lost, false = cross_entropy_of_score(s - on), cross_entropy_of_score(-s - off)
                return eta * lost + (1 - eta) * false

            return mpmath.diff(risk, 0)

        eta = formulas.imbalance_revisited_margin_threshold(on, off)
        assert_agree(slope(eta), 0, DIFF)
        assert slope(eta + (1 - eta) / 10) < 0 < slope(eta - eta / 10)


# Nine cells of feature space, their mass and the probability of a positive in each.
CELLS = np.random.default_rng(5)
MASSES, SHARES = CELLS.dirichlet(np.ones(9)), CELLS.uniform(0.01, 0.5, size=9)


def _error_parts(decisions):
    """Share of positives, and the probabilities of a missed positive and of a false alarm."""
    chosen = np.array(decisions, dtype=bool)
    missed = float((MASSES * SHARES)[~chosen].sum())
    false = float((MASSES * (1 - SHARES))[chosen].sum())
    return float(MASSES @ SHARES), missed, false


@pytest.mark.equation("imbalance-revisited-balanced-error")
def test_balanced_error_is_the_mean_of_the_two_error_rates():
    """The printed value equals half the sum of the error rates of positives and of negatives."""
    for decisions in itertools.product((0, 1), repeat=9):
        share, missed, false = _error_parts(decisions)
        rates = [missed / float(MASSES @ SHARES), false / float(MASSES @ (1 - SHARES))]
        printed = formulas.imbalance_revisited_balanced_error(share, missed, false)
        assert_agree(printed, sum(rates) / 2, 1e-12)


@pytest.mark.equation("imbalance-revisited-balanced-threshold")
def test_no_decision_beats_the_threshold_at_the_share_of_positives():
    """The rule attains the least balanced error of all 512 decisions; an edge is left out."""

    def error(decisions):
        share, missed, false = _error_parts(decisions)
        return (missed / share + false / (1 - share)) / 2

    share = float(MASSES @ SHARES)
    rule = [formulas.imbalance_revisited_balanced_threshold(eta, share) for eta in SHARES]
    assert any(rule)
    assert not all(rule)
    best = min(error(decisions) for decisions in itertools.product((0, 1), repeat=9))
    assert_agree(error(rule), best, 1e-12)
    assert not formulas.imbalance_revisited_balanced_threshold(0.25, 0.25)


@pytest.mark.equation("imbalance-revisited-adjusted")
@high_precision
def test_logit_adjustment_of_two_classes_is_a_shift_of_the_score():
    """Both printed losses equal a two-class softmax whose scores have tau log prior added."""
    for s in SCORES:
        for share, tau in ((mpmath.mpf("0.05"), 1), (mpmath.mpf("0.3"), mpmath.mpf("1.5"))):
            on, off = mpmath.exp(s) * share**tau, (1 - share) ** tau
            printed = formulas.imbalance_revisited_adjusted(s, share, tau)
            assert_agree(printed[0], -mpmath.log(on / (on + off)))
            assert_agree(printed[1], -mpmath.log(off / (on + off)))


@pytest.mark.equation("imbalance-revisited-both")
@high_precision
def test_weights_and_margins_together_square_the_odds():
    """At the printed eta a risk with inverse-share weights and adjusted scores has no slope."""
    for share in (mpmath.mpf("0.05"), mpmath.mpf("0.4")):
        eta = formulas.imbalance_revisited_both(share)
        shift = mpmath.log((1 - share) / share)

        def risk(s, eta=eta, share=share, shift=shift):
            on = eta / share * cross_entropy_of_score(s - shift)
            return on + (1 - eta) / (1 - share) * cross_entropy_of_score(shift - s)

        assert_agree(mpmath.diff(risk, 0), 0, DIFF)


@pytest.mark.equation("imbalance-revisited-tail")
@high_precision
def test_far_out_a_margin_is_a_weight():
    """The bounds hold for margins above 0; middle and bound have the expected leading terms."""
    for u, margin in itertools.product(SCORES, MARGINS[1:]):
        assert_rising(*formulas.imbalance_revisited_tail(u, margin))
        far = mpmath.mpf(50)
        low, middle, high = formulas.imbalance_revisited_tail(far, margin)
        weight = mpmath.exp(margin)
        assert low == 0
        assert_agree(middle * mpmath.exp(2 * far), (weight**2 - weight) / 2, 1e-6)
        assert_agree(high * mpmath.exp(2 * far), weight**2 / 2)


@pytest.mark.equation("imbalance-revisited-tail-negative")
@high_precision
def test_far_out_a_negative_margin_is_a_small_weight():
    """The bounds hold for margins below 0; middle and bound have the expected leading terms."""
    for u, margin in itertools.product([*SCORES, mpmath.mpf(-5)], (MARGINS[0], mpmath.mpf(-4))):
        assert_rising(*formulas.imbalance_revisited_tail_negative(u, margin))
        far = mpmath.mpf(50)
        low, middle, high = formulas.imbalance_revisited_tail_negative(far, margin)
        weight = mpmath.exp(margin)
        assert low == 0
        assert_agree(middle * mpmath.exp(2 * far), (weight - weight**2) / 2, 1e-6)
        assert_agree(high * mpmath.exp(2 * far), weight / 2)


@pytest.mark.equation("imbalance-revisited-boundary")
@high_precision
def test_intercepts_of_a_weight_and_of_adjusted_scores_for_two_points():
    """Both printed intercepts make the slope of their loss in the intercept zero."""
    for a in (mpmath.mpf(0), mpmath.mpf(1), mpmath.mpf(6)):
        for weight in (mpmath.mpf(3), mpmath.mpf(100)):
            by_weight, by_margin = formulas.imbalance_revisited_boundary(a, weight)
            assert_agree(weight * sigmoid(-a - by_weight), sigmoid(by_weight - a))
            shift = mpmath.log(weight)
            assert_agree(sigmoid(shift - a - by_margin), sigmoid(by_margin - shift - a))


@pytest.mark.equation("imbalance-revisited-max-margin")
def test_largest_margin_is_reached_in_the_direction_of_the_support_vector_machine():
    """The printed value is one over the length of the shortest separating vector, and largest."""
    best = _shortest(np.ones(6))
    printed = formulas.imbalance_revisited_max_margin(best, POINTS, SIGNS)
    assert_agree(printed, 1 / np.sqrt(best @ best), 1e-7)
    for turn in np.random.default_rng(1).normal(size=(200, 3)):
        other = best + 0.3 * turn
        assert formulas.imbalance_revisited_max_margin(other, POINTS, SIGNS) < printed + 1e-9


@pytest.mark.equation("imbalance-revisited-scaled")
@high_precision
def test_scaled_loss_has_a_faster_tail_and_the_same_slope_far_below():
    """The slope of the printed loss is sigmoid(-k u); its tail falls like exp(-k u)/k."""
    for u, scale in itertools.product(SCORES, (mpmath.mpf("0.5"), mpmath.mpf(3))):
        slope = mpmath.diff(lambda x, k=scale: formulas.imbalance_revisited_scaled(x, k), u)
        assert_agree(slope, -sigmoid(-scale * u), DIFF)
        far = formulas.imbalance_revisited_scaled(mpmath.mpf(20), scale)
        assert_agree(far * mpmath.exp(20 * scale) * scale, 1, 1e-4)


@pytest.mark.equation("imbalance-revisited-scaled-margin")
def test_scaled_margins_have_another_best_direction():
    """The printed value is largest in the direction of the scaled quadratic programme."""
    scales = np.where(SIGNS > 0, 0.25, 1.0)
    best, plain = _shortest(scales), _shortest(np.ones(6))
    printed = formulas.imbalance_revisited_scaled_margin(best, POINTS, SIGNS, scales)
    assert_agree(printed, 1 / np.sqrt(best @ best), 1e-7)
    assert formulas.imbalance_revisited_scaled_margin(plain, POINTS, SIGNS, scales) < 0.9 * printed
    for turn in np.random.default_rng(1).normal(size=(200, 3)):
        other = best + 0.3 * turn
        value = formulas.imbalance_revisited_scaled_margin(other, POINTS, SIGNS, scales)
        assert value < printed + 1e-9
    # A scale below 1 keeps its class further from the boundary.
    assert (POINTS @ best)[SIGNS > 0].min() > 3.9 * -(POINTS @ best)[SIGNS < 0].max()


@pytest.mark.equation("imbalance-revisited-cost-threshold")
@high_precision
def test_decision_of_least_cost():
    """At the printed eta both answers cost the same; above it yes is cheaper, below it no."""
    for weight in (mpmath.mpf("0.5"), mpmath.mpf(1), mpmath.mpf(99)):
        edge = formulas.imbalance_revisited_cost_threshold(weight)

        def advantage_of_yes(eta, weight=weight):
            return eta * weight - (1 - eta)

        assert_agree(advantage_of_yes(edge), 0)
        assert advantage_of_yes(edge * 2) > 0 > advantage_of_yes(edge / 2)


@pytest.mark.equation("imbalance-revisited-cost-shift")
@high_precision
def test_a_weight_on_positives_shifts_the_best_score_by_its_logarithm():
    """At the printed score the weighted cross-entropy risk has no slope."""
    for eta, weight in zip(ETAS, draw_unit(5, seed=41), strict=True):
        s = formulas.imbalance_revisited_cost_shift(eta, 9 * weight)

        def risk(x, eta=eta, weight=weight):
            on = eta * 9 * weight * cross_entropy_of_score(x)
            return on + (1 - eta) * cross_entropy_of_score(-x)

        assert_agree(mpmath.diff(risk, s), 0, DIFF)


@pytest.mark.equation("imbalance-revisited-prior-shift")
@high_precision
def test_another_share_of_positives_shifts_the_log_odds():
    """Both sides agree for eta from Bayes' rule with two class densities, at two shares."""
    for on, off, share in zip(draw_unit(4, 51), draw_unit(4, 52), draw_unit(4, 53), strict=True):
        in_use = share / 3
        eta = in_use * on / (in_use * on + (1 - in_use) * off)
        trained = share * on / (share * on + (1 - share) * off)
        s = mpmath.log(trained / (1 - trained))
        assert_agree(*formulas.imbalance_revisited_prior_shift(eta, s, in_use, share))


@pytest.mark.equation("imbalance-revisited-calibration-error")
def test_calibration_error_of_a_small_table():
    """Three bins of 2, 3 and 5 examples give the mean gap, weighted by their size."""
    bins = [(2, 0.1, 0.5), (3, 0.4, 1 / 3), (5, 0.9, 0.8)]
    expected = 0.2 * 0.4 + 0.3 * (0.4 - 1 / 3) + 0.5 * 0.1
    assert_agree(formulas.imbalance_revisited_calibration_error(bins), expected, 1e-12)
