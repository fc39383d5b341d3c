"""Checks of sampling outputs instead of parameters: policy gradient and Gumbel noise."""

import mpmath
import numpy as np
import pytest
import torch
from mpmath import mpf
from tests.equations.sampling_optimisation import formulas
from tests.equations.support import assert_agree, draw, high_precision

from scispaces.optim import policy_gradient_loss

NEAR = 1e-12
SCORES = draw(4, seed=41, spread=1.0)
COSTS = draw(4, seed=42, spread=1.0)


def softmax(scores):
    weights = [mpmath.exp(score) for score in scores]
    return [w / sum(weights) for w in weights]


def expected_cost(scores):
    return sum(p * c for p, c in zip(softmax(scores), COSTS, strict=True))


def moved(i, by):
    return [score + by * (k == i) for k, score in enumerate(SCORES)]


@pytest.mark.equation("sampling-optimisation-policy-gradient")
@high_precision
def test_policy_gradient_is_the_slope_of_the_expected_cost():
    """Against a difference quotient, for two baselines and every score."""
    h = mpf(10) ** -15
    for i in range(4):
        slant = (expected_cost(moved(i, h)) - expected_cost(moved(i, -h))) / (2 * h)
        probabilities = softmax(SCORES)
        slopes = [(y == i) - probabilities[i] for y in range(4)]
        for baseline in (mpf(0), mpf("1.3")):
            printed = formulas.sampling_optimisation_policy_gradient(
                probabilities, COSTS, slopes, baseline
            )
            assert_agree(printed, slant, 1e-25)


@pytest.mark.equation("sampling-optimisation-policy-gradient")
def test_library_surrogate_has_the_printed_terms():
    """The gradient of `policy_gradient_loss` at one sample of each output, baseline given."""
    scores = torch.tensor([float(s) for s in SCORES], dtype=torch.float64, requires_grad=True)
    costs = torch.tensor([float(c) for c in COSTS], dtype=torch.float64)
    # Every output once, weighted by its probability through the costs.
    shares = scores.detach().softmax(0)
    loss = policy_gradient_loss(scores.log_softmax(0), 4 * shares * (costs - 0.3), baseline=0.0)
    (slant,) = torch.autograd.grad(loss, scores)
    for i in range(4):
        slopes = [(y == i) - mpf(shares[i].item()) for y in range(4)]
        printed = formulas.sampling_optimisation_policy_gradient(
            [mpf(p) for p in shares.tolist()], COSTS, slopes, mpf("0.3")
        )
        assert_agree(slant[i].item(), printed, NEAR)


@pytest.mark.equation("sampling-optimisation-gumbel")
@high_precision
def test_smoothing_by_gumbel_noise_has_the_softmax_gradient():
    """The chance that score y plus noise is largest, integrated, is its softmax share."""
    with mpmath.workdps(15):

        def chance(y):
            def inner(z):
                others = sum(mpmath.exp(SCORES[k] - z) for k in range(4))
                return mpmath.exp(-(z - SCORES[y]) - others)

            return mpmath.quad(inner, [-10, -2, 0, 2, 6, 40])

        for y, share in enumerate(softmax(SCORES)):
            assert_agree(chance(y), share, 1e-10)
    h = mpf(10) ** -15
    for i in range(4):
        slant = (expected_cost(moved(i, h)) - expected_cost(moved(i, -h))) / (2 * h)
        assert_agree(formulas.sampling_optimisation_gumbel(SCORES, COSTS, i), slant, 1e-25)


@pytest.mark.equation("sampling-optimisation-gumbel-score")
@high_precision
def test_score_of_gumbel_noise():
    """Minus the slope of the logarithm of the density exp(-z - exp(-z)), and mean zero."""
    for z in (mpf("-1.5"), mpf("0.3"), mpf(4)):
        slant = mpmath.diff(lambda z: -z - mpmath.exp(-z), z)
        assert_agree(formulas.sampling_optimisation_gumbel_score(z), -slant, 1e-20)


def draws(count, seed):
    """Gumbel draws, the outputs they choose, and the printed score of each noise."""
    noise = np.random.default_rng(seed).gumbel(size=(count, 4))
    scores = np.array([float(s) for s in SCORES])
    return noise, (scores + noise).argmax(1), 1 - np.exp(-noise)


@pytest.mark.equation("sampling-optimisation-rao-blackwell")
def test_policy_gradient_varies_less_by_the_printed_amount():
    """The mean conditional variance by two exponential waiting times, in exact fractions."""
    probabilities = softmax(SCORES)
    total = sum(mpmath.exp(s) for s in SCORES)
    for i in range(4):
        # exp(-noise) = T is exponential. Score plus noise is largest where T exp(-score) is
        # least; that least is exponential of rate `total`, and by lack of memory the T of a
        # loser is the least times exp(score) plus a fresh exponential.
        least = 1 / total**2 * mpmath.exp(2 * SCORES[i])
        expected = sum(
            p * c**2 * (least if y == i else least + 1)
            for y, (p, c) in enumerate(zip(probabilities, COSTS, strict=True))
        )
        printed = formulas.sampling_optimisation_rao_blackwell(probabilities, COSTS, i)
        assert_agree(printed, expected, 1e-14)


@pytest.mark.equation("sampling-optimisation-rao-blackwell")
def test_variances_of_both_estimates_by_drawing():
    """Two hundred thousand draws: the variances differ by the printed amount."""
    _, chosen, score = draws(200_000, 7)
    probabilities = np.array([float(p) for p in softmax(SCORES)])
    costs = np.array([float(c) for c in COSTS])
    for i in range(4):
        in_noise = costs[chosen] * score[:, i]
        in_output = costs[chosen] * ((chosen == i) - probabilities[i])
        gap = in_noise.var() - in_output.var()
        printed = formulas.sampling_optimisation_rao_blackwell(
            [mpf(p) for p in probabilities], COSTS, i
        )
        assert abs(gap / float(printed) - 1) < 0.05
        assert abs(in_noise.mean() - in_output.mean()) < 0.02


@pytest.mark.equation("sampling-optimisation-gumbel-score")
def test_mean_score_given_the_output_is_that_of_the_softmax():
    """Averages of the printed score over the draws that choose each output."""
    noise, chosen, _ = draws(200_000, 8)
    probabilities = [float(p) for p in softmax(SCORES)]
    scores = np.array(
        [float(formulas.sampling_optimisation_gumbel_score(mpf(z))) for z in noise[:4000, 0]]
    )
    np.testing.assert_allclose(scores, 1 - np.exp(-noise[:4000, 0]), rtol=1e-10, atol=1e-12)
    for y in range(4):
        mean = (1 - np.exp(-noise[chosen == y])).mean(0)
        for i in range(4):
            assert abs(mean[i] - ((y == i) - probabilities[i])) < 0.05
