"""Checks of the expected loss under random hard labels and of its exact minimisers."""

from itertools import combinations
from itertools import product as cartesian

import mpmath
import numpy as np
import pytest
import sympy
from tests.equations.support import assert_agree, draw, draw_unit, high_precision
from tests.equations.zlpr import formulas

from scispaces.studies import label_structures

NEAR = 1e-10


def _random_distribution(seed):
    """All eight outcomes of three labels with random probabilities, and their minimiser."""
    weights = draw_unit(8, seed=seed)
    total = sum(weights)
    outcomes = [
        (weight / total, labels)
        for weight, labels in zip(weights, cartesian((0, 1), repeat=3), strict=True)
    ]
    structure = label_structures.LabelStructure(
        sizes=np.ones(3),
        counts=np.asarray([labels for _, labels in outcomes], dtype=np.float64),
        probabilities=np.asarray([float(p) for p, _ in outcomes]),
    )
    return outcomes, [float(s) for s in label_structures.optimal_scores(structure)]


OUTCOMES, BEST = _random_distribution(seed=55)


def _sums(scores, labels):
    a = sum((1 - y) * mpmath.exp(s) for s, y in zip(scores, labels, strict=True))
    b = sum(y * mpmath.exp(-s) for s, y in zip(scores, labels, strict=True))
    return a, b


@pytest.mark.equation("zlpr-risk")
@high_precision
def test_risk_is_the_average_of_the_loss():
    """The printed risk equals the probability-weighted product form over all outcomes."""
    scores = draw(3, seed=56)
    expected = mpmath.mpf(0)
    for probability, labels in OUTCOMES:
        a, b = _sums(scores, labels)
        expected += probability * mpmath.log((1 + a) * (1 + b))
    assert_agree(formulas.zlpr_risk(OUTCOMES, scores), expected)


@pytest.mark.equation("zlpr-risk-gradient")
@high_precision
def test_risk_gradient_is_the_derivative_of_the_risk():
    """The printed gradient equals the numeric derivative of the risk for every label."""
    scores = draw(3, seed=57)

    def risk(values):
        total = mpmath.mpf(0)
        for probability, labels in OUTCOMES:
            a, b = _sums(values, labels)
            total += probability * mpmath.log((1 + a) * (1 + b))
        return total

    for i in range(3):

        def along(x, i=i):
            return risk([*scores[:i], x, *scores[i + 1 :]])

        expected = mpmath.diff(along, scores[i])
        assert_agree(formulas.zlpr_risk_gradient(OUTCOMES, scores, i), expected, 1e-20)
        assert_agree(formulas.zlpr_risk_gradient(OUTCOMES, BEST, i), 0, NEAR)


@pytest.mark.equation("zlpr-first-step")
@high_precision
def test_first_step_from_zero_scores():
    """With two of five labels on in every outcome, the derivative at zero is the printed one."""
    pairs = list(combinations(range(5), 2))
    weights = draw_unit(len(pairs), seed=77)
    outcomes = [(w / sum(weights), pair) for w, pair in zip(weights, pairs, strict=True)]

    def risk(values):
        total = mpmath.mpf(0)
        for probability, on in outcomes:
            a, b = _sums(values, [int(i in on) for i in range(5)])
            total += probability * mpmath.log((1 + a) * (1 + b))
        return total

    for i in range(5):
        p = sum(probability for probability, on in outcomes if i in on)
        slope = mpmath.diff(lambda x, i=i: risk([x if j == i else 0 for j in range(5)]), 0)
        assert_agree(formulas.zlpr_first_step(p, 2, 3), slope, 1e-20)


@pytest.mark.equation("zlpr-risk-stationary")
def test_optimal_score_is_half_the_log_odds_plus_half_a_log_ratio():
    """At the minimiser of a random distribution the printed right side returns the score."""
    for i in range(3):
        p = sum(probability for probability, labels in OUTCOMES if labels[i])
        on = off = 0
        for probability, labels in OUTCOMES:
            a, b = _sums(BEST, labels)
            if labels[i]:
                on += probability / p / (1 + b)
            else:
                off += probability / (1 - p) / (1 + a)
        assert_agree(formulas.zlpr_risk_stationary(p, on, off), BEST[i], NEAR)


@pytest.mark.equation("zlpr-risk-stationary")
def test_stationary_score_solves_the_stationarity_condition_symbolically():
    """At the printed score the two parts of the gradient, written with symbols, cancel."""
    p, on, off, odds = sympy.symbols("p on off odds", positive=True)
    score = formulas.zlpr_risk_stationary(p, on, off)
    slope = sympy.exp(score) * (1 - p) * off - sympy.exp(-score) * p * on
    # p is written through its odds, so that 1 - p is known to be positive.
    slope = (slope * sympy.exp(score)).subs(p, odds / (1 + odds))
    assert sympy.simplify(slope) == 0


@pytest.mark.equation("zlpr-risk-stationary")
@high_precision
def test_stationary_score_at_a_minimum_found_to_fifty_digits():
    """For two correlated labels, minimised by mpmath alone, the printed side gives the score."""
    outcomes = [
        (mpmath.mpf(weight) / 10, labels)
        for weight, labels in ((4, (0, 0)), (1, (0, 1)), (2, (1, 0)), (3, (1, 1)))
    ]

    def risk(first, second):
        total = mpmath.mpf(0)
        for probability, labels in outcomes:
            a, b = _sums((first, second), labels)
            total += probability * mpmath.log((1 + a) * (1 + b))
        return total

    def slopes(first, second):
        return (
            mpmath.diff(lambda x: risk(x, second), first),
            mpmath.diff(lambda x: risk(first, x), second),
        )

    best = list(mpmath.findroot(slopes, (0, 0), tol=1e-40))
    for i in range(2):
        p = sum(probability for probability, labels in outcomes if labels[i])
        on = off = mpmath.mpf(0)
        for probability, labels in outcomes:
            a, b = _sums(best, labels)
            if labels[i]:
                on += probability / p / (1 + b)
            else:
                off += probability / (1 - p) / (1 + a)
        assert_agree(formulas.zlpr_risk_stationary(p, on, off), best[i], 1e-18)


@pytest.mark.equation("zlpr-risk-sign")
def test_the_sign_of_the_optimum_is_a_vote_weighted_by_how_well_outcomes_are_explained():
    """The weighted votes compare as the sign of the score says, and their ratio is exp(2s)."""
    for seed in (55, 58, 59):
        outcomes, best = _random_distribution(seed)
        for i in range(3):
            on, off = formulas.zlpr_risk_sign(outcomes, best, i)
            assert (on > off) == (best[i] > 0)
            assert_agree(on / off, mpmath.exp(2 * best[i]), NEAR)


@pytest.mark.equation("zlpr-risk-balance")
def test_expected_masses_are_equal_at_the_optimum():
    """At the minimiser the two expected masses agree; away from it they are as computed."""
    negative, positive = formulas.zlpr_risk_balance(OUTCOMES, BEST)
    assert_agree(negative, positive, NEAR)
    scores = draw(3, seed=60)
    negative, positive = formulas.zlpr_risk_balance(OUTCOMES, scores)
    a_mean = b_mean = 0
    for probability, labels in OUTCOMES:
        a, b = _sums(scores, labels)
        a_mean += probability * (1 - 1 / (1 + a))
        b_mean += probability * (1 - 1 / (1 + b))
    assert_agree(negative, a_mean, NEAR)
    assert_agree(positive, b_mean, NEAR)


@pytest.mark.equation("zlpr-complementary")
@high_precision
def test_a_complementary_pair_gives_twice_the_binary_cross_entropy():
    """The printed risk is that of the pair at opposite scores, least at the log-odds."""
    p, s = mpmath.mpf("0.3"), mpmath.mpf("0.7")
    on = 2 * mpmath.log(1 + mpmath.exp(-s))
    off = 2 * mpmath.log(1 + mpmath.exp(s))
    assert_agree(formulas.zlpr_complementary(p, s), p * on + (1 - p) * off)
    best = label_structures.optimal_scores(label_structures.complementary(0.3))
    assert_agree(best[0], float(mpmath.log(p / (1 - p))), NEAR)
    assert_agree(
        formulas.zlpr_complementary(p, best[0]),
        label_structures.expected_loss(label_structures.complementary(0.3), best),
        NEAR,
    )


@pytest.mark.equation("zlpr-alike")
def test_sign_of_labels_that_are_alike():
    """The comparison gives the sign of the exact minimiser, its difference the slope at zero."""
    for counts in (
        [(0.01, 0), (0.99, 6)],
        [(0.5, 1), (0.5, 8)],
        [(0.1, 0), (0.7, 3), (0.2, 10)],
        [(0.02, 10), (0.98, 3)],
    ):
        structure = label_structures.LabelStructure(
            sizes=np.array([10.0]),
            counts=np.array([[float(k)] for _, k in counts]),
            probabilities=np.array([p for p, _ in counts]),
        )
        left, right = formulas.zlpr_alike(counts, 10)
        assert (left > right) == (label_structures.optimal_scores(structure)[0] > 0)
        slope = label_structures.expected_gradient(structure, np.zeros(1))[0]
        assert_agree(right - left, float(slope), NEAR)


@pytest.mark.equation("zlpr-exclusive-uniform")
def test_equally_likely_exclusive_labels_follow_the_soft_law():
    """The printed score is the exact minimiser for 2, 3, 10 and 100 exclusive labels."""
    for n in (2, 3, 10, 100):
        structure = label_structures.exclusive([1 / n], [n])
        best = label_structures.optimal_scores(structure)[0]
        assert_agree(formulas.zlpr_exclusive_uniform(n), best, NEAR)


def _threshold(m):
    """Probability at which the favourite's optimal score is zero, by bisection."""
    low, high = 1e-4, 0.5
    for _ in range(60):
        middle = (low + high) / 2
        structure = label_structures.exclusive([middle, (1 - middle) / m], [1, m])
        if label_structures.optimal_scores(structure)[0] > 0:
            high = middle
        else:
            low = middle
    structure = label_structures.exclusive([high, (1 - high) / m], [1, m])
    return high, float(np.exp(label_structures.optimal_scores(structure)[1]))


@pytest.mark.equation("zlpr-exclusive-threshold")
def test_threshold_of_a_favourite_against_equal_rivals():
    """At the probability where the favourite's score changes sign both equations hold."""
    for m in (2, 9, 99):
        theta, y = _threshold(m)
        for difference in formulas.zlpr_exclusive_threshold(theta, m, y):
            assert_agree(difference, 0, 1e-8)


@pytest.mark.equation("zlpr-exclusive-asymptote")
def test_threshold_falls_like_the_cube_root_of_the_number_of_rivals():
    """Solving the threshold equations for very many rivals approaches the printed law."""
    ratios = []
    for m in (1e6, 1e9, 1e12):

        def difference(theta, m=m):
            y = 2 * (1 - 2 * theta) / theta / (m - 1)
            return theta / (1 + m * y) - (1 - theta) * y / (1 + y)

        guess = (4 / m) ** (1 / 3)
        low, high = 0.5 * guess, 2 * guess
        for _ in range(80):
            middle = (low + high) / 2
            low, high = (low, middle) if difference(middle) > 0 else (middle, high)
        ratios.append(high / formulas.zlpr_exclusive_asymptote(m))
    distances = [abs(1 - ratio) for ratio in ratios]
    assert distances[0] > distances[1] > distances[2]
    assert distances[2] < 1e-3


@pytest.mark.equation("zlpr-block-quadratic")
def test_block_quadratic_vanishes_at_the_minimiser():
    """exp of the exact optimum of an all-or-none block is a root; elsewhere the sign is right."""
    for p, k in ((0.3, 5), (0.8, 10), (0.5, 3)):
        x = float(np.exp(label_structures.optimal_scores(label_structures.all_or_none(p, k))[0]))
        assert_agree(formulas.zlpr_block_quadratic(p, k, x), 0, NEAR)
        assert formulas.zlpr_block_quadratic(p, k, 2 * x) > 0
    # At x = 1 the value is (1 - 2p)(1 + k), so the sign rule is exact for every block size.
    assert_agree(formulas.zlpr_block_quadratic(0.25, 7, 1), 0.5 * 8, NEAR)


@pytest.mark.equation("zlpr-block-optimum")
def test_block_optimum_in_closed_form():
    """The printed score equals the exact minimiser for several blocks, and logit p for k = 1."""
    for p, k in ((0.3, 1), (0.3, 5), (0.8, 10), (0.5, 3), (0.6, 100)):
        best = label_structures.optimal_scores(label_structures.all_or_none(p, k))[0]
        assert_agree(formulas.zlpr_block_optimum(p, k), best, NEAR)


@pytest.mark.equation("zlpr-independent-limit")
def test_many_independent_labels_tend_to_the_soft_law():
    """The exact optimum of n like labels nears the limit, its distance falling like 1/n."""
    for p in (0.3, 0.8):
        distances = [
            abs(
                label_structures.optimal_scores(label_structures.independent([p], [n]))[0]
                - formulas.zlpr_independent_limit(p)
            )
            for n in (500, 1000)
        ]
        assert distances[1] < 2e-3
        assert 1.9 < distances[0] / distances[1] < 2.1
