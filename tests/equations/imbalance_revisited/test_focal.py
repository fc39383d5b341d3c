"""Checks of the focal loss: slope, weight, calibration, confidence, threshold."""

import mpmath
import pytest
import torch
from tests.equations.imbalance_revisited import formulas
from tests.equations.imbalance_revisited.support import SCORES, focal_of_score, sigmoid
from tests.equations.support import assert_agree, assert_rising, draw_unit, high_precision

DIFF = 1e-18
GAMMAS = [mpmath.mpf(x) for x in ("0.5", "1", "2", "5")]


@pytest.mark.equation("imbalance-revisited-focal")
@high_precision
def test_focal_loss_of_both_labels():
    """Both printed values equal a form written with logarithms of the score alone."""
    for s in SCORES:
        for gamma in GAMMAS:
            alpha = mpmath.mpf("0.3")
            on, off = formulas.imbalance_revisited_focal(sigmoid(s), alpha, gamma)
            assert_agree(on, alpha * focal_of_score(s, gamma))
            assert_agree(off, (1 - alpha) * focal_of_score(-s, gamma))


@pytest.mark.equation("imbalance-revisited-focal-slope")
@high_precision
def test_slope_of_focal_loss_is_the_derivative():
    """The printed slope equals a numeric derivative in the score for four exponents."""
    for s in SCORES:
        for gamma in GAMMAS:
            expected = mpmath.diff(lambda x, g=gamma: focal_of_score(x, g), s)
            assert_agree(
                formulas.imbalance_revisited_focal_slope(sigmoid(s), gamma), expected, DIFF
            )


@pytest.mark.equation("imbalance-revisited-focal-weight")
@high_precision
def test_weight_of_focal_loss_is_its_slope_over_that_of_cross_entropy():
    """The printed weight equals a numeric slope divided by 1 - p."""
    for s in SCORES:
        for gamma in GAMMAS:
            slope = mpmath.diff(lambda x, g=gamma: focal_of_score(x, g), s)
            printed = formulas.imbalance_revisited_focal_weight(sigmoid(s), gamma)
            assert_agree(printed, -slope / (1 - sigmoid(s)), DIFF)


@pytest.mark.equation("imbalance-revisited-focal-calibration")
@high_precision
def test_true_probability_recovered_from_a_focal_probability():
    """At the printed eta the focal risk has no slope at p, and increases on the right of p."""
    for s in SCORES:
        for gamma in GAMMAS:
            eta = formulas.imbalance_revisited_focal_calibration(sigmoid(s), gamma)

            def risk(x, eta=eta, gamma=gamma):
                return eta * focal_of_score(x, gamma) + (1 - eta) * focal_of_score(-x, gamma)

            assert_agree(mpmath.diff(risk, s), 0, DIFF)
            assert 0 < eta < 1
            assert mpmath.diff(risk, s + 0.5) > 0


@pytest.mark.equation("imbalance-revisited-focal-excess")
@high_precision
def test_excess_is_bounded():
    """On a grid the excess lies between its bounds, and equals 1 + p(1 - p) w'/w + gamma p - 1."""
    for gamma in GAMMAS:
        for step in range(1, 40):
            p = mpmath.mpf(step) / 40
            low, excess, high = formulas.imbalance_revisited_focal_excess(p, gamma)
            assert_rising(low, excess, high)
        for s in SCORES:
            p = sigmoid(s)

            def log_weight(x, gamma=gamma):
                return mpmath.log(
                    -mpmath.diff(lambda v: focal_of_score(v, gamma), x) * (1 + mpmath.exp(x))
                )

            _, excess, high = formulas.imbalance_revisited_focal_excess(p, gamma)
            assert_agree(excess, mpmath.diff(log_weight, s) + gamma * p, 1e-9)
            # The bound is what the excess becomes if -log p is replaced by (1 - p)/p.
            top = gamma * p * ((1 - p) / p - (1 - p)) / ((1 - p) + gamma * (1 - p))
            assert_agree(high, top)
        near_zero = formulas.imbalance_revisited_focal_excess(mpmath.mpf(10) ** -48, gamma)
        assert near_zero[0] == 0
        assert_agree(near_zero[0], near_zero[1], 1e-40)


@pytest.mark.equation("imbalance-revisited-focal-stretch")
@high_precision
def test_log_odds_move_faster_than_the_focal_score():
    """The printed rate equals the numeric derivative of the recovered log-odds in the score."""

    def log_odds(s, gamma):
        on = -mpmath.diff(lambda x: focal_of_score(x, gamma), s)
        off = -mpmath.diff(lambda x: focal_of_score(x, gamma), -s)
        return mpmath.log(off / on)

    for s in SCORES:
        for gamma in GAMMAS:
            expected = mpmath.diff(lambda x, g=gamma: log_odds(x, g), s)
            printed = formulas.imbalance_revisited_focal_stretch(sigmoid(s), gamma)
            assert_agree(printed, expected, 1e-9)


@pytest.mark.equation("imbalance-revisited-focal-bounds")
@high_precision
def test_rate_of_the_log_odds_is_bounded():
    """The rate lies between the bounds on a grid; the upper is its limit, the lower as derived."""

    def rate(p, gamma):
        def part(v):
            return gamma * v * (v - 1 - mpmath.log(v)) / (1 - v - gamma * v * mpmath.log(v))

        return 1 + gamma - part(p) - part(1 - p)

    for gamma in [*GAMMAS, mpmath.mpf("0.01"), mpmath.mpf(30)]:
        for step in range(1, 40):
            stretch = rate(mpmath.mpf(step) / 40, gamma)
            low, middle, high = formulas.imbalance_revisited_focal_bounds(gamma, stretch)
            assert_rising(low, middle, high)
            assert middle == stretch
        assert low > 1
        # Both excesses are at most gamma (1 - p)/(1 + gamma) and gamma p/(1 + gamma).
        assert_agree(low, 1 + gamma - gamma / (1 + gamma))
        _, middle, high = formulas.imbalance_revisited_focal_bounds(
            gamma, rate(mpmath.mpf(10) ** -30, gamma)
        )
        assert_agree(middle, high, 1e-25)


@pytest.mark.equation("imbalance-revisited-focal-threshold")
@high_precision
def test_alpha_moves_the_threshold_of_focal_loss_to_one_minus_alpha():
    """For four exponents the slope of the risk at score zero changes sign at the printed eta."""
    for alpha in draw_unit(3, seed=21):
        for gamma in GAMMAS:

            def slope(eta, alpha=alpha, gamma=gamma):
                def risk(x):
                    on, off = focal_of_score(x, gamma), focal_of_score(-x, gamma)
                    return eta * alpha * on + (1 - eta) * (1 - alpha) * off

                return mpmath.diff(risk, 0)

            eta = formulas.imbalance_revisited_focal_threshold(alpha)
            assert_agree(slope(eta), 0, DIFF)
            assert slope(eta + (1 - eta) / 10) < 0 < slope(eta - eta / 10)


PROBABILITIES = [0.5, 0.2, 0.18, 0.12]


@pytest.mark.equation("imbalance-revisited-softmax-focal")
def test_softmax_focal_loss_of_every_target():
    """The printed value equals one written with torch's log-softmax, for each of four classes."""
    log_p = torch.tensor(PROBABILITIES, dtype=torch.float64).log().log_softmax(0)
    for target in range(4):
        for gamma in (0.5, 2.0):
            expected = (-torch.expm1(log_p[target])) ** gamma * -log_p[target]
            printed = formulas.imbalance_revisited_softmax_focal(
                [mpmath.mpf(p) for p in PROBABILITIES], target, mpmath.mpf(gamma)
            )
            assert_agree(printed, expected.item(), 1e-12)


@pytest.mark.equation("imbalance-revisited-softmax-recover")
def test_true_probabilities_recovered_from_a_softmax_focal_minimiser():
    """With the printed probabilities the focal risk has no gradient, and they sum to 1."""

    def weight(p):
        return (1 - p) ** 2 * (1 - 2 * p * float(mpmath.log(p)) / (1 - p))

    eta = formulas.imbalance_revisited_softmax_recover(PROBABILITIES, weight)
    assert sum(eta) == pytest.approx(1, abs=1e-12)
    logits = torch.tensor(PROBABILITIES, dtype=torch.float64).log().requires_grad_()
    log_p = logits.log_softmax(0)
    risk = (torch.tensor(eta, dtype=torch.float64) * (1 - log_p.exp()) ** 2 * -log_p).sum()
    (gradient,) = torch.autograd.grad(risk, logits)
    assert gradient.abs().max().item() < 1e-14
    assert max(abs(e - p) for e, p in zip(eta, PROBABILITIES, strict=True)) > 0.05
