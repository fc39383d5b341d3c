"""Checks of what the two weights of a loss decide: calibration, properness, threshold."""

import functools

import mpmath
import pytest
from tests.equations.imbalance_revisited import formulas
from tests.equations.imbalance_revisited.support import (
    ETAS,
    SCORES,
    SYMMETRIC,
    risk,
    sigmoid,
    weights_of,
)
from tests.equations.support import assert_agree, draw_unit, high_precision

DIFF = 1e-18
ORDINARY = {name: loss for name, loss in SYMMETRIC.items() if name != "accuracy"}


def _zero_of_risk_slope(positive, eta, a=1, b=1):
    """The score at which the risk of a symmetric loss is least, by bisection on its slope."""
    low, high = mpmath.mpf(-40), mpmath.mpf(40)
    for _ in range(60):
        middle = (low + high) / 2
        slope = mpmath.diff(lambda s: risk(eta, positive, s, a, b), middle)
        low, high = (low, middle) if slope > 0 else (middle, high)
    return (low + high) / 2


@pytest.mark.equation("imbalance-revisited-risk")
@high_precision
def test_risk_is_an_average_over_the_two_labels():
    """The printed risk equals a frequency-weighted mean of twenty outcomes."""
    for positives in (1, 7, 13):
        eta = mpmath.mpf(positives) / 20
        mean = (positives * mpmath.mpf(3) + (20 - positives) * mpmath.mpf(5)) / 20
        assert_agree(formulas.imbalance_revisited_risk(eta, 3, 5), mean)


@pytest.mark.equation("imbalance-revisited-risk-slope")
@high_precision
def test_slope_of_the_risk_in_terms_of_the_weights():
    """The printed slope equals a numeric derivative of the risk for six losses."""
    for loss in SYMMETRIC.values():
        for s, eta in zip(SCORES, ETAS, strict=False):
            printed = formulas.imbalance_revisited_risk_slope(eta, sigmoid(s), *weights_of(loss, s))
            assert_agree(printed, mpmath.diff(functools.partial(risk, eta, loss), s), DIFF)


@pytest.mark.equation("imbalance-revisited-calibration")
@high_precision
def test_log_odds_recovered_from_the_score_and_the_weights():
    """At the minimiser found by bisection the printed side gives the true log-odds back."""
    for loss in ORDINARY.values():
        for eta in ETAS:
            s = _zero_of_risk_slope(loss, eta)
            printed = formulas.imbalance_revisited_calibration(sigmoid(s), *weights_of(loss, s))
            assert_agree(printed, mpmath.log(eta / (1 - eta)), 1e-12)


@pytest.mark.equation("imbalance-revisited-proper")
@high_precision
def test_equal_weights_and_a_minimiser_at_the_true_probability_go_together():
    """The ratio is 1 for cross-entropy and Brier, whose minimiser is eta, and not for others."""
    eta = mpmath.mpf("0.8")
    for name, loss in ORDINARY.items():
        ratios = []
        for s in SCORES:
            on, off = weights_of(loss, s)
            ratio = formulas.imbalance_revisited_proper(
                sigmoid(s), lambda p, on=on: on, lambda p, off=off: off
            )
            ratios.append(abs(ratio - 1))
        minimiser = sigmoid(_zero_of_risk_slope(loss, eta))
        if name in ("cross-entropy", "Brier"):
            assert max(ratios) < DIFF
            assert_agree(minimiser, eta, 1e-15)
        else:
            assert min(ratios) > 0.05
            assert abs(minimiser - eta) > 0.02


@pytest.mark.equation("imbalance-revisited-threshold")
@high_precision
def test_threshold_is_decided_by_the_weights_at_one_half():
    """The minimiser of a loss with its own kind for each class is zero at the printed eta."""
    positive, negative = SYMMETRIC["focal, exponent 2"], SYMMETRIC["softened, sharpness 3"]
    on, off = weights_of(positive, mpmath.mpf(0))[0], weights_of(negative, mpmath.mpf(0))[1]
    eta = formulas.imbalance_revisited_threshold(on, off)

    def slope(share):
        return mpmath.diff(lambda s: share * positive(s) + (1 - share) * negative(-s), 0)

    assert_agree(slope(eta), 0, DIFF)
    assert slope(eta + mpmath.mpf("0.01")) < 0 < slope(eta - mpmath.mpf("0.01"))


def _truncated(s):
    """Hard truncation at one half of a positive."""
    return mpmath.log(1 + mpmath.exp(-s)) if s < 0 else mpmath.mpf(0)


@pytest.mark.equation("imbalance-revisited-symmetric-risk")
@high_precision
def test_risks_of_opposite_scores_differ_by_a_product():
    """Both sides agree for seven symmetric losses; a positive score wins above b/(a + b) only."""
    for loss in (*SYMMETRIC.values(), _truncated):
        for a, b, eta in zip(draw_unit(4, 7), draw_unit(4, 8), draw_unit(4, 9), strict=True):
            for s in SCORES:
                left, right = formulas.imbalance_revisited_symmetric_risk(
                    eta,
                    a,
                    b,
                    risk(eta, loss, s, a, b),
                    risk(eta, loss, -s, a, b),
                    loss(s),
                    loss(-s),
                )
                assert_agree(left, right)
                assert (left < 0) == ((s > 0) == (eta > b / (a + b)))


@pytest.mark.equation("imbalance-revisited-weighted-threshold")
@high_precision
def test_class_weights_alone_set_the_threshold_of_every_symmetric_loss():
    """For five symmetric losses the minimiser at the printed eta is zero, and moves with eta."""
    for loss in ORDINARY.values():
        for a, b in zip(draw_unit(2, 5), draw_unit(2, 6), strict=True):
            eta = formulas.imbalance_revisited_weighted_threshold(a, b)
            assert_agree(_zero_of_risk_slope(loss, eta, a, b), 0, 1e-12)
            assert _zero_of_risk_slope(loss, eta + (1 - eta) / 4, a, b) > 0.01


@pytest.mark.equation("imbalance-revisited-brier")
@high_precision
def test_brier_losses_and_their_common_weight():
    """The two values are squared errors, and their slopes have the printed weight in common."""
    for s in SCORES:
        p = sigmoid(s)
        on, off, weight = formulas.imbalance_revisited_brier(p)
        assert_agree(on, (p - 1) ** 2)
        assert_agree(off, (p - 0) ** 2)
        for found in weights_of(SYMMETRIC["Brier"], s):
            assert_agree(weight, found, DIFF)
