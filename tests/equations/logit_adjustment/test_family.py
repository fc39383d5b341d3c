"""Checks of the pairwise margins, of Theorem 1 and of the two-class lemma."""

import mpmath
import pytest
from tests.equations.logit_adjustment import formulas
from tests.equations.logit_adjustment.worlds import (
    World,
    adjusted_margins,
    best_class,
    risk_slope,
    tensor,
)
from tests.equations.support import assert_agree, assert_rising, draw, draw_unit, high_precision

NEAR = 1e-12
WORLDS = [World(seed) for seed in range(180, 184)]


@pytest.mark.equation("logit-adjustment-margin-family")
def test_family_with_log_odds_as_margins_is_the_adjusted_cross_entropy():
    """With margins tau log(pi'/pi) it is cross-entropy of shifted scores, weighted."""
    tau, weights = mpmath.mpf("1.6"), draw_unit(3, seed=185)
    for world in WORLDS:
        scores = draw(3, seed=186)
        shifted = tensor(scores) + float(tau) * tensor(world.prior).log()
        expected = -shifted.log_softmax(0)
        margins = adjusted_margins(world.prior, tau)
        for y in range(3):
            value = formulas.logit_adjustment_margin_family(scores, margins, weights, y)
            assert_agree(value, float(weights[y]) * expected[y].item(), NEAR)


@pytest.mark.equation("logit-adjustment-ldam")
@high_precision
def test_margins_fall_with_the_fourth_root_of_the_count():
    """Counts 16 : 1 give margins 1 : 2, and the rarest class has the largest."""
    counts = [mpmath.mpf(n) for n in (1600, 100, 256)]
    largest = mpmath.mpf("0.7")
    values = [formulas.logit_adjustment_ldam(counts, largest, y) for y in range(3)]
    assert_agree(values[1], largest)
    assert_agree(values[0], largest / 2)
    assert_agree(values[2] ** 4, largest**4 * 100 / 256)


@pytest.mark.equation("logit-adjustment-equalised")
def test_equalised_margin_multiplies_each_rival_by_its_prior():
    """With these margins a rival's exponential is multiplied by a power of its prior."""
    world, scores = WORLDS[0], draw(3, seed=187)
    power = mpmath.mpf("0.7")
    for y in range(3):
        others = [i for i in range(3) if i != y]
        with_margin = sum(
            mpmath.exp(
                formulas.logit_adjustment_equalised(world.prior, power, i) + scores[i] - scores[y]
            )
            for i in others
        )
        expected = sum(
            world.prior[i] ** power * mpmath.exp(scores[i]) / mpmath.exp(scores[y]) for i in others
        )
        assert_agree(with_margin, expected, 1e-12)


@pytest.mark.equation("logit-adjustment-inverse-frequency")
@high_precision
def test_inverse_weights_give_each_class_the_same_total():
    """Weight times count is the same for all classes, and the total weight is that of the data."""
    counts = [mpmath.mpf(n) for n in (900, 90, 10)]
    weights = [formulas.logit_adjustment_inverse_frequency(counts, y) for y in range(3)]
    totals = [n * w for n, w in zip(counts, weights, strict=True)]
    for total in totals:
        assert_agree(total, mpmath.mpf(1000) / 3)


@pytest.mark.equation("logit-adjustment-effective-number")
@high_precision
def test_effective_number_lies_between_no_weights_and_inverse_frequency():
    """Ratios follow the geometric sums 1 + b + ... ; b = 0 and b near 1 are the known ends."""
    counts = [5, 3, 1]
    beta = mpmath.mpf("0.6")
    weights = [formulas.logit_adjustment_effective_number(counts, beta, y) for y in range(3)]
    effective = [sum(beta**j for j in range(n)) for n in counts]
    assert_agree(sum(n * w for n, w in zip(counts, weights, strict=True)), sum(counts))
    for weight, number in zip(weights, effective, strict=True):
        assert_agree(weight * number, weights[0] * effective[0])
    flat = [
        formulas.logit_adjustment_effective_number(counts, mpmath.mpf("1e-60"), y) for y in range(3)
    ]
    for weight in flat:
        assert_agree(weight, 1)
    nearly_one = 1 - mpmath.mpf("1e-30")
    for y, n in enumerate(counts):
        value = formulas.logit_adjustment_effective_number(counts, nearly_one, y)
        assert_agree(value, mpmath.mpf(9) / (3 * n), 1e-15)


@pytest.mark.equation("logit-adjustment-family-optimum")
def test_margins_that_are_differences_shift_the_best_scores():
    """The expected loss has zero gradient at the printed scores for random weights and margins."""
    weights, offsets = draw_unit(3, seed=188), draw(3, seed=189)
    margins = [[b - a for b in offsets] for a in offsets]
    for world in WORLDS:
        for x in world.points:
            best = [
                formulas.logit_adjustment_family_optimum(world.posterior[x], weights, offsets, y)
                for y in range(3)
            ]
            slope = risk_slope(world.posterior[x], weights, margins, best)
            assert max(map(abs, slope)) < NEAR


@pytest.mark.equation("logit-adjustment-weighted-optimum")
def test_weights_and_adjustment_add_up_in_the_best_scores():
    """The weighted expected adjusted loss has zero gradient at the printed scores."""
    weights = draw_unit(3, seed=190)
    for tau in (mpmath.mpf("0.5"), mpmath.mpf(1), mpmath.mpf(2)):
        for world in WORLDS:
            margins = adjusted_margins(world.prior, tau)
            for x in world.points:
                best = [
                    formulas.logit_adjustment_weighted_optimum(
                        world.posterior[x], weights, world.prior, tau, y
                    )
                    for y in range(3)
                ]
                slope = risk_slope(world.posterior[x], weights, margins, best)
                assert max(map(abs, slope)) < NEAR


@pytest.mark.equation("logit-adjustment-theorem")
def test_theorem_for_random_deltas():
    """With the printed weights and margins log p(x | y) is the minimum, for random delta > 0."""
    for seed, world in enumerate(WORLDS):
        deltas = [d * 10 ** (k - 1) for k, d in enumerate(draw_unit(3, seed=200 + seed))]
        pairs = [
            [formulas.logit_adjustment_theorem(deltas, world.prior, y, i) for i in range(3)]
            for y in range(3)
        ]
        weights = [pairs[y][y][0] for y in range(3)]
        margins = [[pair[1] for pair in row] for row in pairs]
        for x in world.points:
            best = [mpmath.log(p) for p in world.likelihood[x]]
            slope = risk_slope(world.posterior[x], weights, margins, best)
            assert max(map(abs, slope)) < NEAR * float(max(weights))
            wrong = [*best[:2], best[2] + mpmath.mpf("0.01")]
            slope = risk_slope(world.posterior[x], weights, margins, wrong)
            assert max(map(abs, slope)) > 1e-6


LDAM = [mpmath.mpf("0.1"), mpmath.mpf("0.3"), mpmath.mpf("0.8")]


def _stationary_posterior(shares, margins):
    """The class probabilities for which given softmax shares minimise LDAM's expected loss.

    The gradient is linear in the probabilities; two of its equations and the sum fix them.
    """
    rows = [[margins[y]] * 3 for y in range(3)]
    scores = [mpmath.log(s) for s in shares]
    columns = [
        risk_slope([int(k == y) for k in range(3)], [1, 1, 1], rows, scores) for y in range(3)
    ]
    matrix = mpmath.matrix([[columns[y][i] for y in range(3)] for i in range(2)] + [[1, 1, 1]])
    return list(mpmath.lu_solve(matrix, mpmath.matrix([0, 0, 1])))


@pytest.mark.equation("logit-adjustment-ldam-stationary")
def test_quantity_that_is_equal_for_all_classes_at_the_minimum():
    """Where autograd's gradient vanishes the printed quantity is the same for every class."""
    for shares in ([0.2, 0.3, 0.5], [0.7, 0.2, 0.1]):
        shares = [mpmath.mpf(s) for s in shares]
        posterior = _stationary_posterior(shares, LDAM)
        values = [
            formulas.logit_adjustment_ldam_stationary(p, m, s)
            for p, m, s in zip(posterior, LDAM, shares, strict=True)
        ]
        assert_agree(values[0], values[1], NEAR)
        assert_agree(values[0], values[2], NEAR)


@pytest.mark.equation("logit-adjustment-ldam-tie")
def test_odds_at_which_two_scores_tie():
    """When two shares are equal at the minimum, the odds are the printed ones and vary with it."""
    ratios = []
    for share in (0.1, 0.3, 0.45):
        share = mpmath.mpf(share)
        posterior = _stationary_posterior([share, 1 - 2 * share, share], LDAM)
        value = formulas.logit_adjustment_ldam_tie(share, LDAM[0], LDAM[2])
        assert_agree(value, posterior[0] / posterior[2], NEAR)
        ratios.append(value)
    assert ratios[0] < ratios[1] < ratios[2]


@pytest.mark.equation("logit-adjustment-ldam-bound")
@high_precision
def test_no_margins_move_a_tie_by_more_than_a_factor_of_two():
    """Random margins keep the tie inside the bounds; one zero and one huge margin reach them."""
    for seed, share in enumerate((mpmath.mpf("0.1"), mpmath.mpf("0.3"), mpmath.mpf("0.45"))):
        half, lower, upper, two = formulas.logit_adjustment_ldam_bound(share)
        assert_rising(half, lower, upper, two)
        margins = [10 * m for m in draw_unit(3, seed=230 + seed)]
        posterior = _stationary_posterior([share, 1 - 2 * share, share], margins)
        assert_rising(lower, posterior[0] / posterior[2], upper)
        for small, large, bound in ((0, 2, upper), (2, 0, lower)):
            extreme = [mpmath.mpf("0.5")] * 3
            extreme[small], extreme[large] = mpmath.mpf(0), mpmath.mpf(40)
            posterior = _stationary_posterior([share, 1 - 2 * share, share], extreme)
            assert_agree(posterior[0] / posterior[2], bound, 1e-9)
    # At the largest share of a tie the inner bounds are the outer ones.
    half, lower, upper, two = formulas.logit_adjustment_ldam_bound(mpmath.mpf(1) / 2)
    assert_agree(half, lower)
    assert_agree(upper, two)


# --- Two classes ----------------------------------------------------------------------------

SETTINGS = [
    ((1.0, 1.0), (0.0, 0.0), 1.0),
    ((0.5, 3.0), (0.0, 0.0), 1.0),
    ((1.0, 1.0), (-1.3, 0.4), 1.0),
    ((2.0, 0.7), (0.9, -0.2), 2.5),
    ((1.0, 1.5), (0.2, 0.6), 0.4),
]


@pytest.mark.equation("logit-adjustment-binary-loss")
def test_two_classes_are_the_family_with_half_scores():
    """For scale 1 it is the pairwise loss with scores f/2 and -f/2; scale c rescales it."""
    for (negative, positive), (lower, upper), scale in SETTINGS:
        for score in (-2.0, 0.3, 1.7):
            for sign, weight, margin in ((1, positive, upper), (-1, negative, lower)):
                value = formulas.logit_adjustment_binary_loss(sign, score, weight, margin, scale)
                halves = [-score / 2 * scale, score / 2 * scale]
                own = (sign + 1) // 2
                gap = halves[1 - own] - halves[own] + scale * margin
                assert_agree(value, weight * mpmath.log1p(mpmath.exp(gap)) / scale, NEAR)


def _slope_at_zero(eta, weights, margins, scale):
    """Derivative at f = 0 of the expected two-class loss, by mpmath."""

    def risk(score):
        total = mpmath.mpf(0)
        for sign, chance, weight, margin in zip(
            (-1, 1), (1 - eta, eta), weights, margins, strict=True
        ):
            total += (
                chance * weight / scale * mpmath.log1p(mpmath.exp(scale * (margin - sign * score)))
            )
        return total

    return mpmath.diff(risk, 0)


@pytest.mark.equation("logit-adjustment-binary-threshold")
@high_precision
def test_minimiser_changes_sign_at_the_printed_probability():
    """At the threshold the expected loss is flat at f = 0, above it the minimiser is positive."""
    for weights, margins, scale in SETTINGS:
        threshold = formulas.logit_adjustment_binary_threshold(weights, margins, scale)
        assert 0 < threshold < 1
        assert abs(_slope_at_zero(threshold, weights, margins, scale)) < 1e-15
        assert _slope_at_zero(threshold + 0.01, weights, margins, scale) < 0
        assert _slope_at_zero(threshold - 0.01, weights, margins, scale) > 0


@pytest.mark.equation("logit-adjustment-binary-consistency")
def test_sides_agree_exactly_where_the_threshold_is_the_prior():
    """With the prior put at the zero of the slope the sides agree; moved away they do not."""
    for weights, margins, scale in SETTINGS:
        flat = mpmath.findroot(
            lambda eta, w=weights, m=margins, s=scale: _slope_at_zero(eta, w, m, s),
            (mpmath.mpf("0.01"), mpmath.mpf("0.99")),
            solver="anderson",
        )
        left, right = formulas.logit_adjustment_binary_consistency(weights, margins, scale, flat)
        assert_agree(left, right, 1e-10)
        left, right = formulas.logit_adjustment_binary_consistency(
            weights, margins, scale, flat * mpmath.mpf("0.9")
        )
        assert abs(left - right) > 0.01


@pytest.mark.equation("logit-adjustment-implied-prior")
@high_precision
def test_a_threshold_is_the_best_rule_for_the_printed_prior():
    """Where p(+ | x) equals the threshold, q p(x | +) and (1 - q) p(x | -) are equal."""
    for prior in (mpmath.mpf("0.05"), mpmath.mpf("0.3")):
        for threshold in (mpmath.mpf("0.02"), mpmath.mpf("0.5"), mpmath.mpf("0.8")):
            q = formulas.logit_adjustment_implied_prior(prior, threshold)
            positive, negative = threshold / prior, (1 - threshold) / (1 - prior)
            assert_agree(q * positive, (1 - q) * negative)


@pytest.mark.equation("logit-adjustment-theorem")
def test_theorem_decides_as_the_balanced_rule():
    """The scores that minimise the expected loss choose the class of largest p(x | y)."""
    for world in WORLDS:
        for x in world.points:
            deltas = draw_unit(3, seed=210 + x)
            weight = [
                formulas.logit_adjustment_theorem(deltas, world.prior, y, 0)[0] for y in range(3)
            ]
            shift = [
                formulas.logit_adjustment_theorem(deltas, world.prior, 0, i)[1] for i in range(3)
            ]
            # Every margin from class 0 is the difference of the shifts.
            scores = [
                mpmath.log(w * p) - s
                for w, p, s in zip(weight, world.posterior[x], shift, strict=True)
            ]
            assert best_class(scores) == best_class(world.likelihood[x])
