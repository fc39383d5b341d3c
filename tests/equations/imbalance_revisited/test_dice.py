"""Checks of the Dice losses: optimum, ends, slopes and threshold."""

import mpmath
import numpy as np
import pytest
from scipy import optimize
from tests.equations.imbalance_revisited import formulas
from tests.equations.imbalance_revisited.support import SCORES, sigmoid
from tests.equations.support import assert_agree, draw_unit, high_precision

DIFF = 1e-18
ALPHAS = [mpmath.mpf(x) for x in ("0.01", "0.5", "1", "2")]
SMOOTHINGS = [mpmath.mpf(x) for x in ("0.001", "1", "3")]


def _positive(p, alpha, smoothing):
    """Self-adjusting Dice loss of a positive, from the overlap of a one and a shrunken p."""
    shrunken = mpmath.exp(alpha * mpmath.log(1 - p)) * p
    return 1 - (shrunken + shrunken + smoothing) / (shrunken + 1 + smoothing)


def _negative(p, alpha, smoothing):
    shrunken = mpmath.exp(alpha * mpmath.log(1 - p)) * p
    return 1 - smoothing / (shrunken + smoothing)


@pytest.mark.equation("imbalance-revisited-dice")
@high_precision
def test_dice_loss_of_a_row():
    """For certain answers the printed loss is one less a smoothed Dice overlap of two sets."""
    smoothing = mpmath.mpf("0.5")
    printed = formulas.imbalance_revisited_dice([1, 1, 0, 0, 1], [1, 0, 1, 0, 1], smoothing)
    assert_agree(printed, 1 - (2 * 2 + smoothing) / (3 + 3 + smoothing))
    probabilities, labels = draw_unit(3, seed=31), [1, 0, 1]
    a, b, c = probabilities
    expected = (b + (1 - a) + (1 - c)) / (a + b + c + 2 + smoothing)
    assert_agree(formulas.imbalance_revisited_dice(probabilities, labels, smoothing), expected)


# Nine cells of feature space, their mass and the probability of a positive in each.
CELLS = np.random.default_rng(8)
MASSES, SHARES = CELLS.dirichlet(np.ones(9)), CELLS.uniform(0.02, 0.9, size=9)


def _squared(p):
    """Dice overlap with squares of a large sample: labels counted, and probabilities given."""
    labels = np.concatenate([np.ones(9), np.zeros(9)])
    counts = np.concatenate([MASSES * SHARES, MASSES * (1 - SHARES)])
    given = np.concatenate([p, p])
    return 2 * (counts * labels * given).sum() / (counts * (given**2 + labels**2)).sum()


@pytest.mark.equation("imbalance-revisited-squared-population")
def test_squared_overlap_of_a_population():
    """The printed overlap equals one summed over positives and negatives, for five answers."""
    for _ in range(5):
        p = CELLS.uniform(size=9)
        printed = formulas.imbalance_revisited_squared_population(
            list(zip(MASSES, SHARES, p, strict=True))
        )
        assert_agree(printed, _squared(p), 1e-12)


@pytest.mark.equation("imbalance-revisited-squared-optimum")
def test_best_probabilities_for_the_squared_overlap_are_clipped_multiples_of_the_true_ones():
    """They agree with a numerical maximum over nine free probabilities, two of them at one."""
    found = optimize.minimize(
        lambda p: -_squared(p),
        np.full(9, 0.5),
        bounds=[(0, 1)] * 9,
        method="L-BFGS-B",
        options={"ftol": 1e-15, "gtol": 1e-10},
    )
    printed = [formulas.imbalance_revisited_squared_optimum(eta, -found.fun) for eta in SHARES]
    assert 0 < sum(p == 1 for p in printed) < 9
    np.testing.assert_allclose(found.x, printed, atol=1e-5)


@pytest.mark.equation("imbalance-revisited-self-adjusting-dice")
@high_precision
def test_self_adjusting_dice_loss_of_both_labels():
    """For both labels the printed loss equals an overlap with the shrunken probability."""
    for p, alpha, smoothing in zip(draw_unit(3, 32), ALPHAS, SMOOTHINGS, strict=False):
        for y, expected in ((1, _positive), (0, _negative)):
            printed = formulas.imbalance_revisited_self_adjusting_dice(p, y, alpha, smoothing)
            assert_agree(printed, expected(p, alpha, smoothing))


@pytest.mark.equation("imbalance-revisited-dice-sides")
@high_precision
def test_both_sides_in_terms_of_the_shrunken_probability():
    """The two short forms equal the overlap form, the first falls in v and the second rises."""
    for p, alpha, smoothing in zip(draw_unit(3, 33), ALPHAS, SMOOTHINGS, strict=False):
        v = (1 - p) ** alpha * p
        on, off = formulas.imbalance_revisited_dice_sides(v, smoothing)
        assert_agree(on, _positive(p, alpha, smoothing))
        assert_agree(off, _negative(p, alpha, smoothing))
        higher = formulas.imbalance_revisited_dice_sides(v + mpmath.mpf("0.01"), smoothing)
        assert higher[0] < on
        assert higher[1] > off


@pytest.mark.equation("imbalance-revisited-dice-optimum")
@high_precision
def test_optimum_of_a_positive_is_inside():
    """The loss of a positive is least at the printed p: slope 0, and higher on both sides."""
    for alpha in ALPHAS:
        for smoothing in SMOOTHINGS:
            p = formulas.imbalance_revisited_dice_optimum(alpha)

            def loss(x, alpha=alpha, smoothing=smoothing):
                return _positive(x, alpha, smoothing)

            assert_agree(mpmath.diff(loss, p), 0, 1e-14)
            step = (1 - p) / 2
            assert loss(p - step) > loss(p) < loss(p + step)


@pytest.mark.equation("imbalance-revisited-dice-ends")
@high_precision
def test_certainty_costs_a_positive_the_same_whether_right_or_wrong():
    """The printed cost equals the loss of a positive at p = 0 and in the limit p = 1."""
    for smoothing in SMOOTHINGS:
        printed = formulas.imbalance_revisited_dice_ends(smoothing)
        assert_agree(printed, 1 - smoothing / (1 + smoothing))
        near_one = 1 - mpmath.mpf(10) ** -45
        assert_agree(printed, _positive(near_one, mpmath.mpf(1), smoothing))


@pytest.mark.equation("imbalance-revisited-dice-product-slope")
@high_precision
def test_slope_of_the_shrunken_probability():
    """The printed slope equals a numeric derivative of (1 - p)^alpha p."""
    for p in draw_unit(4, seed=34):
        for alpha in ALPHAS:
            expected = mpmath.diff(lambda x, a=alpha: (1 - x) ** a * x, p)
            printed = formulas.imbalance_revisited_dice_product_slope(p, alpha)
            assert_agree(printed, expected, DIFF)


@pytest.mark.equation("imbalance-revisited-dice-slope")
@high_precision
def test_slope_of_a_positive_in_the_score():
    """The printed slope equals a numeric derivative in the score, for twelve settings."""
    for s in SCORES:
        for alpha in ALPHAS:
            for smoothing in SMOOTHINGS[1:]:
                expected = mpmath.diff(
                    lambda x, a=alpha, c=smoothing: _positive(sigmoid(x), a, c), s
                )
                printed = formulas.imbalance_revisited_dice_slope(sigmoid(s), alpha, smoothing)
                assert_agree(printed, expected, DIFF)


@pytest.mark.equation("imbalance-revisited-dice-threshold")
@high_precision
def test_odds_at_which_the_best_shrunken_probability_jumps():
    """At the printed odds the risks of v = 0 and of the largest v agree, and none is below them."""
    for alpha in ALPHAS:
        for smoothing in SMOOTHINGS:
            top = 1 / (1 + alpha)
            largest = (1 - top) ** alpha * top
            odds = formulas.imbalance_revisited_dice_threshold(largest, smoothing)
            eta = odds / (1 + odds)

            def risk(p, eta=eta, alpha=alpha, smoothing=smoothing):
                on, off = _positive(p, alpha, smoothing), _negative(p, alpha, smoothing)
                return eta * on + (1 - eta) * off

            assert_agree(risk(top), eta / (1 + smoothing))
            for step in range(1, 8):
                assert risk(top * step / 8) > risk(top)


@pytest.mark.equation("imbalance-revisited-dice-squared")
@high_precision
def test_squared_form_and_its_published_value():
    """The printed loss equals an overlap with squares, and four classes sum to the known .0079."""
    smoothing, alpha = mpmath.mpf(1), mpmath.mpf("0.01")
    for v in draw_unit(3, seed=35):
        for y in (0, 1):
            printed = formulas.imbalance_revisited_dice_squared(v, y, smoothing)
            expected = 1 - (v * y + v * y + 1) / (v * v + y * y + 1)
            assert_agree(printed, expected)
            odd = formulas.imbalance_revisited_dice_squared(v, y, smoothing / 3)
            assert_agree(odd, (v - y) ** 2 / (v * v + y * y + smoothing / 3))
    total = mpmath.mpf(0)
    for p, y in (("0.9", 1), ("0.03", 0), ("0.03", 0), ("0.03", 0)):
        v = (1 - mpmath.mpf(p)) ** alpha * mpmath.mpf(p)
        total += formulas.imbalance_revisited_dice_squared(v, y, smoothing)
    assert abs(total - mpmath.mpf("0.0079")) < 5e-5
