"""Checks of hard truncation and of its softer forms."""

import mpmath
import pytest
from tests.equations.imbalance_revisited import formulas
from tests.equations.imbalance_revisited.support import (
    ETAS,
    SCORES,
    cross_entropy_of_score,
    focal_of_score,
    sigmoid,
    softened_of_score,
)
from tests.equations.support import assert_agree, assert_rising, high_precision

DIFF = 1e-20
SHARPNESSES = [mpmath.mpf(x) for x in ("1", "1.5", "2", "5")]


@pytest.mark.equation("imbalance-revisited-truncated")
@high_precision
def test_truncated_loss_is_cross_entropy_below_the_threshold_and_nothing_from_it_on():
    """Below the threshold the printed value is cross-entropy; at it and above it is zero."""
    for threshold in (mpmath.mpf("0.5"), mpmath.mpf("0.75")):
        below = threshold - mpmath.mpf("0.25")
        assert_agree(
            formulas.imbalance_revisited_truncated(below, threshold), mpmath.log(1 / below)
        )
        assert formulas.imbalance_revisited_truncated(threshold, threshold) == 0
        assert formulas.imbalance_revisited_truncated(threshold + below / 4, threshold) == 0


@pytest.mark.equation("imbalance-revisited-truncated-risk")
@high_precision
def test_slope_of_the_truncated_risk_points_to_one_half_from_both_sides():
    """The printed slope equals a derivative of the risk, negative below 1/2, positive above."""
    for eta in ETAS:

        def risk(s, eta=eta):
            on = cross_entropy_of_score(s) if s < 0 else mpmath.mpf(0)
            off = cross_entropy_of_score(-s) if s > 0 else mpmath.mpf(0)
            return eta * on + (1 - eta) * off

        for s in SCORES:
            printed = formulas.imbalance_revisited_truncated_risk(eta, sigmoid(s))
            assert_agree(printed, mpmath.diff(risk, s), DIFF)
            assert (printed > 0) == (s > 0)
        assert formulas.imbalance_revisited_truncated_risk(eta, mpmath.mpf("0.5")) == 0


@pytest.mark.equation("imbalance-revisited-truncated-window")
def test_descent_on_a_late_truncation_ends_at_the_true_probability_inside_a_window():
    """Bisection on the slope of the truncated risk ends at the printed p, for three thresholds."""
    for kappa in (0.5, 0.7, 0.95):
        for eta in (0.02, 0.2, 0.31, 0.5, 0.6, 0.97):
            low, high = 1e-6, 1 - 1e-6
            for _ in range(60):
                p = (low + high) / 2
                slope = (1 - eta) * p * (1 - p < kappa) - eta * (1 - p) * (p < kappa)
                low, high = (low, p) if slope > 0 else (p, high)
            assert_agree(formulas.imbalance_revisited_truncated_window(eta, kappa), low, 1e-12)


@pytest.mark.equation("imbalance-revisited-softened")
@high_precision
def test_softened_loss_fades_cross_entropy_out():
    """The printed value equals sigmoid(-Kx) times cross-entropy, and tends to the truncated one."""
    for x in SCORES:
        for sharpness in SHARPNESSES:
            printed = formulas.imbalance_revisited_softened(x, sharpness)
            expected = mpmath.log(1 + mpmath.exp(-x)) * (1 - sigmoid(sharpness * x))
            assert_agree(printed, expected)
        sharp = formulas.imbalance_revisited_softened(x, mpmath.mpf(400))
        truncated = mpmath.log(1 + mpmath.exp(-x)) if x < 0 else 0
        assert_agree(sharp, truncated, 1e-30)


@pytest.mark.equation("imbalance-revisited-softened-slope")
@high_precision
def test_slope_of_the_softened_loss_is_minus_the_derivative():
    """The printed size of the slope equals minus a numeric derivative for four sharpnesses."""
    for s in SCORES:
        for sharpness in SHARPNESSES:
            printed = formulas.imbalance_revisited_softened_slope(
                sigmoid(s), sharpness, sigmoid(-sharpness * s)
            )
            expected = -mpmath.diff(lambda x, k=sharpness: softened_of_score(x, k), s)
            assert_agree(printed, expected, DIFF)


@pytest.mark.equation("imbalance-revisited-softened-odds")
@high_precision
def test_fading_factor_in_terms_of_the_probability():
    """Both printed forms of the factor agree, and equal 1 - p for sharpness 1."""
    for x in SCORES:
        p = sigmoid(x)
        for sharpness in SHARPNESSES:
            left, right = formulas.imbalance_revisited_softened_odds(x, sharpness, p)
            assert_agree(left, right)
            assert_agree(left, sigmoid(-sharpness * x))
        assert_agree(formulas.imbalance_revisited_softened_odds(x, mpmath.mpf(1), p)[1], 1 - p)


@pytest.mark.equation("imbalance-revisited-softened-ratio")
@high_precision
def test_softened_loss_is_between_one_and_a_power_of_two_times_focal_loss():
    """The middle term is the true ratio; the bounds are reached at 1/2 and at the ends."""
    for sharpness in SHARPNESSES:
        for x in SCORES:
            low, ratio, high = formulas.imbalance_revisited_softened_ratio(sigmoid(x), sharpness)
            assert_rising(low, ratio, high)
            assert_agree(ratio, softened_of_score(x, sharpness) / focal_of_score(x, sharpness))
        low, ratio, high = formulas.imbalance_revisited_softened_ratio(mpmath.mpf("0.5"), sharpness)
        assert_agree(ratio, high)
        low, ratio, high = formulas.imbalance_revisited_softened_ratio(
            mpmath.mpf(10) ** -45, sharpness
        )
        assert_agree(ratio, low)
