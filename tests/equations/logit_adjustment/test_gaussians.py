"""Checks of the two Gaussians, of sampling corrections and of the variance of priors."""

from itertools import product as cartesian
from math import comb

import mpmath
import numpy as np
import pytest
import torch
from scipy import stats
from tests.equations.logit_adjustment import formulas
from tests.equations.logit_adjustment.worlds import World, adjusted_margins, risk_slope, tensor
from tests.equations.support import assert_agree, draw, high_precision

NEAR = 1e-12


@pytest.mark.equation("logit-adjustment-gaussian-odds")
@high_precision
def test_log_odds_of_two_gaussians():
    """The printed line equals the logarithm of the ratio of prior times density."""
    mean, prior = [mpmath.mpf("0.7"), mpmath.mpf("-1.1")], mpmath.mpf("0.05")
    for seed in range(5):
        x = draw(2, seed=seed)
        density = [
            mpmath.npdf(x[0], sign * mean[0]) * mpmath.npdf(x[1], sign * mean[1])
            for sign in (1, -1)
        ]
        expected = mpmath.log(prior * density[0] / ((1 - prior) * density[1]))
        assert_agree(formulas.logit_adjustment_gaussian_odds(x, mean, prior), expected)


@pytest.mark.equation("logit-adjustment-gaussian-offset")
@high_precision
def test_offset_is_where_the_probability_reaches_the_threshold():
    """At twice mean times x equal to the offset, Bayes' formula gives the threshold."""
    for prior in (mpmath.mpf("0.05"), mpmath.mpf("0.4")):
        for threshold in (mpmath.mpf("0.1"), mpmath.mpf("0.5")):
            offset = formulas.logit_adjustment_gaussian_offset(threshold, prior)
            # In one dimension with mean 1 the densities at x differ by exp(2 x).
            x = offset / 2
            positive = prior * mpmath.npdf(x, 1)
            negative = (1 - prior) * mpmath.npdf(x, -1)
            assert_agree(positive / (positive + negative), threshold)


@pytest.mark.equation("logit-adjustment-gaussian-errors")
def test_errors_of_a_shifted_line_against_counts():
    """Miss rate and false alarms agree with 200 000 simulated points along the means."""
    generator = np.random.default_rng(5)
    length, offset = 2**0.5, 1.2
    noise = generator.normal(size=200_000)
    miss, alarm = formulas.logit_adjustment_gaussian_errors(offset, mpmath.mpf(length))
    measured = (
        float(np.mean(2 * length * (noise + length) <= offset)),
        float(np.mean(2 * length * (noise - length) > offset)),
    )
    assert abs(miss - measured[0]) < 4e-3
    assert abs(alarm - measured[1]) < 4e-3


@pytest.mark.equation("logit-adjustment-gaussian-errors")
@high_precision
def test_errors_of_a_shifted_line_by_integration():
    """The printed errors are the normal integrals below and above the decision point."""
    length, offset = mpmath.sqrt(3), mpmath.mpf("-0.8")
    point = offset / (2 * length)
    miss, alarm = formulas.logit_adjustment_gaussian_errors(offset, length)
    with mpmath.workdps(20):
        assert_agree(
            miss, mpmath.quad(lambda z: mpmath.npdf(z, length), [-mpmath.inf, point]), 1e-15
        )
        assert_agree(
            alarm, mpmath.quad(lambda z: mpmath.npdf(z, -length), [point, mpmath.inf]), 1e-15
        )


@pytest.mark.equation("logit-adjustment-gaussian-bayes")
@high_precision
def test_least_balanced_error_of_all_lines():
    """Among shifted lines the balanced error is least without shift, with the printed value."""

    def balanced(offset):
        point = offset / (2 * length)
        return (mpmath.ncdf(point - length) + 1 - mpmath.ncdf(point + length)) / 2

    for length in (mpmath.sqrt(2), mpmath.mpf("0.8")):
        value = formulas.logit_adjustment_gaussian_bayes(length)
        assert_agree(balanced(0), value)
        assert min(balanced(mpmath.mpf(t) / 10) for t in (-9, -3, -1, 1, 3, 9)) > value


@pytest.mark.equation("logit-adjustment-gaussian-excess")
@high_precision
def test_small_offsets_cost_their_square():
    """Excess balanced error over the printed one tends to 1 as the offset shrinks."""
    length = mpmath.sqrt(2)
    gaps = []
    for offset in (mpmath.mpf("1e-3"), mpmath.mpf("1e-6")):
        point = offset / (2 * length)
        balanced = (mpmath.ncdf(point - length) + 1 - mpmath.ncdf(point + length)) / 2
        excess = balanced - mpmath.ncdf(-length)
        gaps.append(abs(excess / formulas.logit_adjustment_gaussian_excess(offset, length) - 1))
    assert gaps[0] < 1e-5
    assert gaps[1] < 1e-11


# --- Samples that are not the data ----------------------------------------------------------

WORLD = World(220)


@pytest.mark.equation("logit-adjustment-batch-prior")
def test_best_scores_when_batches_have_another_prior():
    """Under re-sampled batches the expected adjusted loss has zero gradient at the scores."""
    batch = [mpmath.mpf(b) / 10 for b in (2, 5, 3)]
    for tau in (mpmath.mpf("0.5"), mpmath.mpf(1), mpmath.mpf("1.5")):
        margins = adjusted_margins(WORLD.prior, tau)
        for x in WORLD.points:
            weights = [b * p for b, p in zip(batch, WORLD.likelihood[x], strict=True)]
            posterior = [w / sum(weights) for w in weights]
            best = [
                formulas.logit_adjustment_batch_prior(
                    WORLD.likelihood[x], batch, WORLD.prior, tau, y
                )
                for y in range(3)
            ]
            slope = risk_slope(posterior, [1, 1, 1], margins, best)
            assert max(map(abs, slope)) < NEAR


@pytest.mark.equation("logit-adjustment-sampled-softmax")
@high_precision
def test_corrected_sample_sum_is_unbiased():
    """Averaged over all pairs and triples drawn from the proposal it is the full sum."""
    scores, proposal = draw(3, seed=221), WORLD.prior
    full = sum(mpmath.exp(f) for f in scores)
    for size in (2, 3):
        mean = mpmath.mpf(0)
        for drawn in cartesian(range(3), repeat=size):
            chance = mpmath.fprod(proposal[i] for i in drawn)
            mean += chance * formulas.logit_adjustment_sampled_softmax(scores, proposal, drawn)
        assert_agree(mean, full)


@pytest.mark.equation("logit-adjustment-negative-sampling")
def test_best_scores_of_negative_sampling():
    """At the printed scores the expected logistic loss with k negatives has zero gradient."""
    negatives, proposal = 5, [mpmath.mpf(p) / 10 for p in (6, 3, 1)]
    for x in WORLD.points:
        best = [
            formulas.logit_adjustment_negative_sampling(p, q, negatives)
            for p, q in zip(WORLD.posterior[x], proposal, strict=True)
        ]
        scores = tensor(best).requires_grad_()
        risk = -(tensor(WORLD.posterior[x]) * torch.nn.functional.logsigmoid(scores)).sum()
        risk = risk - (negatives * tensor(proposal) * torch.nn.functional.logsigmoid(-scores)).sum()
        (slope,) = torch.autograd.grad(risk, scores)
        assert slope.abs().max().item() < NEAR


# --- Estimated priors -----------------------------------------------------------------------


@pytest.mark.equation("logit-adjustment-prior-variance")
def test_variance_of_the_log_of_a_frequency():
    """Exact variance over the binomial, given a count above zero, tends to the printed one."""
    for prior in (0.05, 0.3):
        ratios = []
        for examples in (2_000, 50_000):
            n = np.arange(1, examples + 1)
            chances = stats.binom.pmf(n, examples, prior)
            chances = chances / chances.sum()
            mean = (chances * np.log(n / examples)).sum()
            variance = (chances * (np.log(n / examples) - mean) ** 2).sum()
            ratios.append(variance / formulas.logit_adjustment_prior_variance(prior, examples))
        assert abs(ratios[0] - 1) < 0.05
        assert abs(ratios[1] - 1) < 1e-3


def _trinomial(examples, first, second):
    """Exact variance of log(n_1 / n_2), given that neither count is zero."""
    table = []
    for a in range(1, examples):
        for b in range(1, examples - a + 1):
            rest = examples - a - b
            chance = (
                comb(examples, a)
                * comb(examples - a, b)
                * first**a
                * second**b
                * (1 - first - second) ** rest
            )
            table.append((chance, np.log(a / b)))
    chances, values = np.array(table).T
    chances = chances / chances.sum()
    mean = (chances * values).sum()
    return float((chances * (values - mean) ** 2).sum())


EXACT = _trinomial(120, 0.25, 0.45)


@pytest.mark.equation("logit-adjustment-prior-difference")
def test_variance_of_a_log_odds_of_two_frequencies():
    """The exact variance over the trinomial of 120 examples is within a tenth of the printed."""
    value = formulas.logit_adjustment_prior_difference(0.25, 0.45, 120)
    assert abs(EXACT / value - 1) < 0.1
