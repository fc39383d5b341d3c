"""Checks of smooth recall, precision and F1, and of the threshold that F1 wants."""

import itertools

import mpmath
import numpy as np
import pytest
import torch
from tests.equations.imbalance_revisited import formulas
from tests.equations.imbalance_revisited.support import sigmoid
from tests.equations.support import assert_agree, draw, draw_unit, high_precision

PROBABILITIES, LABELS = draw_unit(6, seed=11), [1, 0, 0, 1, 0, 0]

# A small world: cells of feature space with their mass and the probability of a positive there.
GENERATOR = np.random.default_rng(3)
MASSES = GENERATOR.dirichlet(np.ones(9)).tolist()
ETAS = GENERATOR.uniform(0.02, 0.7, size=9).tolist()
# A large one, as fine as an interval, for the iteration.
FINE_MASSES = np.full(2000, 1 / 2000)
FINE_ETAS = np.linspace(0, 1, 2001)[1:] ** 4


def _f_one(decisions):
    """Population F1 by counting true and false positives and false negatives."""
    true = sum(m * e for m, e, d in zip(MASSES, ETAS, decisions, strict=True) if d)
    false = sum(m * (1 - e) for m, e, d in zip(MASSES, ETAS, decisions, strict=True) if d)
    missed = sum(m * e for m, e, d in zip(MASSES, ETAS, decisions, strict=True) if not d)
    return 2 * true / (2 * true + false + missed)


EVERY = list(itertools.product((0, 1), repeat=9))
BEST = max(_f_one(decisions) for decisions in EVERY)


def _cells(decisions):
    return list(zip(MASSES, ETAS, decisions, strict=True))


def _gradient(function):
    p = torch.tensor([float(x) for x in PROBABILITIES], dtype=torch.float64, requires_grad=True)
    function(p, torch.tensor(LABELS, dtype=torch.float64)).backward()
    return p.grad.tolist()


@pytest.mark.equation("imbalance-revisited-soft-counts")
def test_soft_precision_and_recall_are_the_counts_for_certain_answers():
    """For probabilities 0 and 1 the printed ratios are the usual ones, 2/3 and 2/4."""
    precision, recall = formulas.imbalance_revisited_soft_counts(
        [1, 1, 1, 0, 0, 0], [1, 1, 0, 1, 1, 0]
    )
    assert_agree(precision, 2 / 3, 1e-15)
    assert_agree(recall, 2 / 4, 1e-15)


@pytest.mark.equation("imbalance-revisited-soft-f-one")
@high_precision
def test_soft_f_one_is_the_harmonic_mean_of_soft_precision_and_recall():
    """The printed F1 equals 2PR/(P + R), and is 4/7 for certain answers."""
    pairs = list(zip(PROBABILITIES, LABELS, strict=True))
    true = sum(p for p, y in pairs if y)
    precision, recall = true / sum(PROBABILITIES), true / sum(LABELS)
    printed = formulas.imbalance_revisited_soft_f_one(PROBABILITIES, LABELS)
    assert_agree(printed, 2 * precision * recall / (precision + recall))
    counted = formulas.imbalance_revisited_soft_f_one([1, 1, 1, 0, 0, 0], [1, 1, 0, 1, 1, 0])
    assert_agree(counted, mpmath.mpf(4) / 7, 1e-15)


@pytest.mark.equation("imbalance-revisited-soft-counts-slope")
def test_slopes_of_soft_precision_and_recall_against_autograd():
    """Both printed slopes equal autograd's for every example, to 1e-12."""
    precision = _gradient(lambda p, y: (p * y).sum() / p.sum())
    recall = _gradient(lambda p, y: (p * y).sum() / y.sum())
    value = sum(p for p, y in zip(PROBABILITIES, LABELS, strict=True) if y) / sum(PROBABILITIES)
    for i in range(6):
        first, second = formulas.imbalance_revisited_soft_counts_slope(
            value, PROBABILITIES, LABELS, i
        )
        assert_agree(first, precision[i], 1e-12)
        assert_agree(second, recall[i], 1e-12)


@pytest.mark.equation("imbalance-revisited-soft-f-one-slope")
def test_slope_of_soft_f_one_against_autograd():
    """The printed slope equals autograd's for every example, to 1e-12."""
    expected = _gradient(lambda p, y: 2 * (p * y).sum() / (p + y).sum())
    true = sum(p for p, y in zip(PROBABILITIES, LABELS, strict=True) if y)
    f_one = 2 * true / (sum(PROBABILITIES) + sum(LABELS))
    for i in range(6):
        printed = formulas.imbalance_revisited_soft_f_one_slope(f_one, PROBABILITIES, LABELS, i)
        assert_agree(printed, expected[i], 1e-12)


@pytest.mark.equation("imbalance-revisited-f-one-weights")
@high_precision
def test_weighted_cross_entropy_keeps_the_slopes_of_f_one_and_drops_their_decay():
    """Slopes of the printed sum are those of -F1, times a constant, over p or 1 - p."""
    scores = draw(6, seed=12)
    f_one = mpmath.mpf("0.37")
    total = mpmath.mpf("4.2")

    def printed(values):
        pairs = list(zip(values, LABELS, strict=True))
        return formulas.imbalance_revisited_f_one_weights(
            f_one, [sigmoid(s) for s, y in pairs if y], [sigmoid(s) for s, y in pairs if not y]
        )

    for i, s in enumerate(scores):
        slope = mpmath.diff(lambda x, i=i: printed([*scores[:i], x, *scores[i + 1 :]]), s)
        p = sigmoid(s)
        of_f_one = (2 * LABELS[i] - f_one) / total * p * (1 - p)
        assert_agree(slope, -of_f_one * total / 2 / (p if LABELS[i] else 1 - p), 1e-20)


@pytest.mark.equation("imbalance-revisited-f-one-own-threshold")
@high_precision
def test_f_one_weights_put_the_threshold_at_half_of_f_one():
    """Both sides agree, and at this eta the weighted risk has no slope at score zero."""
    for f_one in draw_unit(5, seed=13):
        left, right = formulas.imbalance_revisited_f_one_own_threshold(f_one)
        assert_agree(left, right)
        on, off = 1 - f_one / 2, f_one / 2

        def risk(s, eta=right, on=on, off=off):
            lost, false = mpmath.log(1 + mpmath.exp(-s)), mpmath.log(1 + mpmath.exp(s))
            return eta * on * lost + (1 - eta) * off * false

        assert_agree(mpmath.diff(risk, 0), 0, 1e-20)


@pytest.mark.equation("imbalance-revisited-f-one-population")
def test_population_f_one_equals_the_counted_one():
    """For all 511 non-empty decisions on nine cells the printed F1 equals a count of errors."""
    for decisions in EVERY[1:]:
        printed = formulas.imbalance_revisited_f_one_population(_cells(decisions))
        assert_agree(printed, _f_one(decisions), 1e-12)


@pytest.mark.equation("imbalance-revisited-f-one-compare")
def test_f_one_reaches_a_level_exactly_if_the_linear_inequality_holds():
    """For every decision and several levels the comparison has the same outcome; ties agree."""
    for decisions in EVERY[1:]:
        f_one = _f_one(decisions)
        for level in (0.2, 0.45, 0.6):
            left, right = formulas.imbalance_revisited_f_one_compare(_cells(decisions), level)
            assert (left >= right) == (f_one >= level)
        left, right = formulas.imbalance_revisited_f_one_compare(_cells(decisions), f_one)
        assert_agree(left, right, 1e-12)


@pytest.mark.equation("imbalance-revisited-f-one-threshold")
def test_no_decision_beats_the_threshold_at_half_of_the_best_f_one():
    """The rule attains the largest F1 of all 512 decisions; a cell on the edge is left out."""
    rule = [formulas.imbalance_revisited_f_one_threshold(eta, BEST) for eta in ETAS]
    assert_agree(_f_one(rule), BEST, 1e-12)
    assert any(rule)
    assert not all(rule)
    assert not formulas.imbalance_revisited_f_one_threshold(0.25, 0.5)
    assert formulas.imbalance_revisited_f_one_threshold(0.26, 0.5)


@pytest.mark.equation("imbalance-revisited-f-one-iteration")
def test_halving_f_one_again_and_again_finds_the_best_f_one():
    """From the F1 of threshold 1/2 the iteration rises and settles at the best F1 there is."""

    def f_one(threshold):
        chosen = threshold < FINE_ETAS
        true = (FINE_MASSES * FINE_ETAS)[chosen].sum()
        return 2 * true / ((FINE_MASSES * FINE_ETAS).sum() + FINE_MASSES[chosen].sum())

    best = max(f_one(threshold) for threshold in FINE_ETAS[:-1])
    levels = [f_one(0.5)]
    for _ in range(8):
        levels.append(formulas.imbalance_revisited_f_one_iteration(levels[-1], f_one))
    assert all(first <= second for first, second in itertools.pairwise(levels))
    assert levels[0] < best - 0.01
    assert_agree(levels[-1], best, 1e-12)


@pytest.mark.equation("imbalance-revisited-empty-batch")
@high_precision
def test_chance_of_a_batch_without_positives():
    """The printed chance equals the empty outcome of all draws of a batch of three."""
    share = mpmath.mpf("0.2")
    total = mpmath.mpf(0)
    for draws in itertools.product((0, 1), repeat=3):
        chance = mpmath.mpf(1)
        for y in draws:
            chance *= share if y else 1 - share
        total += chance * (sum(draws) == 0)
    assert_agree(formulas.imbalance_revisited_empty_batch(share, 3), total)
