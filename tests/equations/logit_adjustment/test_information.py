"""Checks of pointwise mutual information, its normaliser and the value of the best loss."""

import mpmath
import pytest
from tests.equations.logit_adjustment import formulas
from tests.equations.logit_adjustment.worlds import World, adjusted_margins, risk_slope
from tests.equations.support import assert_agree, assert_rising, draw, high_precision

WORLDS = [World(seed) for seed in range(110, 113)]
TAUS = [mpmath.mpf(t) for t in ("0.4", "1", "2.5")]


def _entropy(probabilities):
    return -sum(p * mpmath.log(p) for p in probabilities)


def _information(world):
    """I = H(X) + H(Y) - H(X, Y), from entropies alone."""
    joint = [p for row in world.joint for p in row]
    return _entropy(world.marginal) + _entropy(world.prior) - _entropy(joint)


@pytest.mark.equation("logit-adjustment-pmi")
@high_precision
def test_three_forms_of_pointwise_mutual_information():
    """The printed forms agree with log p(x, y) - log p(x) - log p(y) in random worlds."""
    for world in WORLDS:
        for x in world.points:
            for y in world.classes:
                joint, marginal, prior = world.joint[x][y], world.marginal[x], world.prior[y]
                expected = mpmath.log(joint) - mpmath.log(marginal) - mpmath.log(prior)
                for value in formulas.logit_adjustment_pmi(
                    joint, marginal, prior, joint / marginal, joint / prior
                ):
                    assert_agree(value, expected)


@pytest.mark.equation("logit-adjustment-posterior")
@high_precision
def test_posterior_of_scores_is_bayes_formula():
    """With scores log p(x | y) the printed ratio is p(y | x), summed from the joint."""
    for world in WORLDS:
        for x in world.points:
            scores = [mpmath.log(p) for p in world.likelihood[x]]
            for y in world.classes:
                value = formulas.logit_adjustment_posterior(scores, world.prior, y)
                assert_agree(value, world.joint[x][y] / sum(world.joint[x]))


@pytest.mark.equation("logit-adjustment-normaliser")
@high_precision
def test_normaliser_of_exact_scores_is_one():
    """The sum over classes is 1 for exact PMI, and e^c for PMI shifted by c."""
    for world in WORLDS:
        for x in world.points:
            assert_agree(formulas.logit_adjustment_normaliser(world.pmi[x], world.prior), 1)
            shifted = [m + mpmath.mpf("0.7") for m in world.pmi[x]]
            value = formulas.logit_adjustment_normaliser(shifted, world.prior)
            assert_agree(value, mpmath.exp(mpmath.mpf("0.7")))


@pytest.mark.equation("logit-adjustment-pmi-recovered")
@high_precision
def test_subtracting_the_normaliser_recovers_pmi():
    """From PMI plus a random function of x the printed difference returns PMI."""
    for world in WORLDS:
        for x, shift in zip(world.points, draw(4, seed=8), strict=True):
            scores = [m + shift for m in world.pmi[x]]
            for y in world.classes:
                value = formulas.logit_adjustment_pmi_recovered(scores, world.prior, y)
                assert_agree(value, world.pmi[x][y])


@pytest.mark.equation("logit-adjustment-mutual-information")
@high_precision
def test_mutual_information_is_the_mean_of_pmi():
    """The printed mean equals H(X) + H(Y) - H(X, Y)."""
    for world in WORLDS:
        value = formulas.logit_adjustment_mutual_information(world.joint, world.pmi)
        assert_agree(value, _information(world))


@pytest.mark.equation("logit-adjustment-information-bound")
@high_precision
def test_mean_of_normalised_scores_is_at_most_the_information():
    """Random scores stay below the information by the mean divergence; exact ones reach it."""
    for number, world in enumerate(WORLDS):
        information = _information(world)
        exact = formulas.logit_adjustment_information_bound(world.joint, world.pmi, world.prior)
        assert_agree(exact, information)
        numbers = draw(12, seed=number)
        scores = [numbers[3 * x : 3 * x + 3] for x in world.points]
        value = formulas.logit_adjustment_information_bound(world.joint, scores, world.prior)
        assert_rising(value, information)
        loss = 0
        for x in world.points:
            total = sum(b * mpmath.exp(f) for f, b in zip(scores[x], world.prior, strict=True))
            for y in world.classes:
                chance = world.prior[y] * mpmath.exp(scores[x][y]) / total
                loss -= world.joint[x][y] * mpmath.log(chance)
        assert_agree(value, _entropy(world.prior) - loss)


@pytest.mark.equation("logit-adjustment-information-gap")
@high_precision
def test_gap_is_the_mean_divergence_of_the_modelled_posterior():
    """The printed gap is information less the mean normalised score, for random scores."""
    for number, world in enumerate(WORLDS):
        numbers = draw(12, seed=20 + number)
        models, mean = [], 0
        for x in world.points:
            scores = numbers[3 * x : 3 * x + 3]
            total = sum(b * mpmath.exp(f) for f, b in zip(scores, world.prior, strict=True))
            models.append(
                [b * mpmath.exp(f) / total for f, b in zip(scores, world.prior, strict=True)]
            )
            mean += sum(world.joint[x][y] * (scores[y] - mpmath.log(total)) for y in world.classes)
        gap = formulas.logit_adjustment_information_gap(world.joint, world.posterior, models)
        assert_agree(gap, _information(world) - mean)
        assert gap > 0


@pytest.mark.equation("logit-adjustment-optimum-value")
@high_precision
def test_least_loss_is_the_entropy_that_features_leave():
    """The printed value is the mean of -log p(y | x) over the joint distribution."""
    for world in WORLDS:
        left = -sum(
            world.joint[x][y] * mpmath.log(world.joint[x][y] / world.marginal[x])
            for x in world.points
            for y in world.classes
        )
        value = formulas.logit_adjustment_optimum_value(world.prior, _information(world))
        assert_agree(value, left)


@pytest.mark.equation("logit-adjustment-optimum")
def test_risk_is_flat_at_the_printed_scores():
    """The autograd gradient of the expected adjusted loss vanishes there, and not elsewhere."""
    for world in WORLDS:
        for x in world.points:
            for tau in TAUS:
                best = [
                    formulas.logit_adjustment_optimum(world.posterior[x], world.prior, tau, y)
                    for y in world.classes
                ]
                margins = adjusted_margins(world.prior, tau)
                slope = risk_slope(world.posterior[x], [1, 1, 1], margins, best)
                assert max(map(abs, slope)) < 1e-12


@pytest.mark.equation("logit-adjustment-tau-prior")
@high_precision
def test_trained_scores_rank_by_a_tempered_prior():
    """log p(y | x) - tau log pi is log q + log p(x | y) up to a constant; q sums to one."""
    for world in WORLDS:
        for tau in TAUS:
            priors = [formulas.logit_adjustment_tau_prior(world.prior, tau, y) for y in range(3)]
            assert_agree(sum(priors), 1)
            rest = [
                world.posterior[1][y]
                / mpmath.exp(tau * mpmath.log(world.prior[y]))
                / (priors[y] * world.likelihood[1][y])
                for y in world.classes
            ]
            assert_agree(rest[0], rest[1])
            assert_agree(rest[0], rest[2])
