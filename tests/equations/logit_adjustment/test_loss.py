"""Checks of the adjusted loss: its forms, gradient, first step, curvature and bounds."""

import mpmath
import pytest
import torch
from tests.equations.logit_adjustment import formulas
from tests.equations.logit_adjustment.worlds import World, tensor
from tests.equations.support import assert_agree, assert_rising, draw, draw_unit, high_precision
from torch.nn.functional import cross_entropy

NEAR = 1e-12
WORLD = World(120)
PRIOR = WORLD.prior
SCORES = [draw(3, seed=seed) for seed in range(130, 134)]
TAUS = [mpmath.mpf(t) for t in ("0.4", "1", "1.6")]


def _loss(scores, tau, y, prior=PRIOR):
    """torch's cross-entropy of shifted scores, in float64."""
    logits = tensor(list(scores)) + float(tau) * tensor(prior).log()
    return cross_entropy(logits, torch.tensor(y)).item()


def _slopes(scores, tau, y, prior=PRIOR):
    logits = tensor(list(scores)).requires_grad_()
    value = cross_entropy(logits + float(tau) * tensor(prior).log(), torch.tensor(y))
    return torch.autograd.grad(value, logits)[0].tolist()


@pytest.mark.equation("logit-adjustment-loss")
def test_loss_is_cross_entropy_of_shifted_scores():
    """The printed loss equals torch's cross-entropy of f + tau log pi for every class."""
    for scores in SCORES:
        for tau in TAUS:
            for y in range(3):
                value = formulas.logit_adjustment_loss(scores, PRIOR, tau, y)
                assert_agree(value, _loss(scores, tau, y), NEAR)


@pytest.mark.equation("logit-adjustment-loss-pairwise")
def test_pairwise_form_is_cross_entropy_of_shifted_scores():
    """The printed form with odds of priors equals torch's cross-entropy of f + tau log pi."""
    for scores in SCORES:
        for tau in TAUS:
            for y in range(3):
                value = formulas.logit_adjustment_loss_pairwise(scores, PRIOR, tau, y)
                assert_agree(value, _loss(scores, tau, y), NEAR)


@pytest.mark.equation("logit-adjustment-offset")
@high_precision
def test_at_the_offset_two_classes_cost_log_two():
    """With two classes and a lead equal to the offset, the loss is log 2; a rare one needs more."""
    for y, i in ((0, 1), (1, 0)):
        prior = [mpmath.mpf("0.9"), mpmath.mpf("0.1")]
        lead = formulas.logit_adjustment_offset(prior, TAUS[2], y, i)
        assert (lead > 0) == (prior[y] < prior[i])
        # The pair's term is the odds of the priors to the power tau, times exp(-lead).
        term = mpmath.exp(TAUS[2] * (mpmath.log(prior[i]) - mpmath.log(prior[y])) - lead)
        assert_agree(mpmath.log(1 + term), mpmath.log(2))


@pytest.mark.equation("logit-adjustment-gradient")
def test_gradient_against_autograd():
    """The printed gradient in every score equals autograd's for every class and tau."""
    for scores in SCORES:
        for tau in TAUS:
            for y in range(3):
                for i, slope in enumerate(_slopes(scores, tau, y)):
                    value = formulas.logit_adjustment_gradient(scores, PRIOR, tau, y, i)
                    assert_agree(value, slope, NEAR)


@pytest.mark.equation("logit-adjustment-gradient-mass")
def test_mass_of_the_gradient_is_a_function_of_the_loss():
    """Autograd's gradient sums to 0, its absolute values to the printed function of the loss."""
    for scores in SCORES:
        for y in range(3):
            slopes = _slopes(scores, TAUS[2], y)
            loss = _loss(scores, TAUS[2], y)
            total, mass = formulas.logit_adjustment_gradient_mass(slopes, loss)
            assert_agree(total, 0, NEAR)
            assert_agree(mass, sum(map(abs, slopes)), NEAR)
    # The first part is a plain sum of whatever gradient it is given.
    assert formulas.logit_adjustment_gradient_mass([1, 2, 4], mpmath.mpf(1))[0] == 7


@pytest.mark.equation("logit-adjustment-first-step")
def test_expected_gradient_at_zero_scores():
    """The average of autograd's gradients over the classes is the printed one, 0 for tau = 1."""
    zeros = [mpmath.mpf(0)] * 3
    for tau in [mpmath.mpf(0), *TAUS]:
        slopes = [_slopes(zeros, tau, y) for y in range(3)]
        for i in range(3):
            mean = sum(float(b) * slope[i] for b, slope in zip(PRIOR, slopes, strict=True))
            assert_agree(formulas.logit_adjustment_first_step(PRIOR, tau, i), mean, NEAR)
    for i in range(3):
        assert_agree(formulas.logit_adjustment_first_step(PRIOR, mpmath.mpf(1), i), 0, NEAR)


@pytest.mark.equation("logit-adjustment-pull-ratio")
def test_pulls_and_pushes_on_a_class_at_zero_scores():
    """Total pull down over total push up, from autograd on each class, is the printed ratio."""
    slopes = [_slopes([mpmath.mpf(0)] * 3, 0, y) for y in range(3)]
    for i in range(3):
        down = sum(float(PRIOR[y]) * slopes[y][i] for y in range(3) if y != i)
        up = -float(PRIOR[i]) * slopes[i][i]
        assert_agree(formulas.logit_adjustment_pull_ratio(PRIOR[i], 3), down / up, NEAR)


@pytest.mark.equation("logit-adjustment-curvature")
def test_second_derivatives_against_autograd():
    """The printed second derivatives equal autograd's Hessian, whatever the class."""
    for scores in SCORES[:2]:
        logits = tensor(list(scores))
        shift = 1.6 * tensor(PRIOR).log()
        shares = (logits + shift).softmax(0).tolist()
        for y in range(2):
            hessian = torch.autograd.functional.hessian(
                lambda f, y=y, s=shift: cross_entropy(f + s, torch.tensor(y)), logits
            )
            for i in range(3):
                for k in range(3):
                    value = formulas.logit_adjustment_curvature(shares, i, k)
                    assert_agree(value, hessian[i, k].item(), NEAR)


@pytest.mark.equation("logit-adjustment-surrogate")
@high_precision
def test_loss_over_log_two_bounds_the_plain_error():
    """A wrong decision by f + tau log pi costs at least log 2; a tie of two costs just that."""
    for scores in [draw(3, seed=seed) for seed in range(140, 160)]:
        for tau in TAUS:
            for y in range(3):
                wrong, bound = formulas.logit_adjustment_surrogate(scores, PRIOR, tau, y)
                adjusted = [f + tau * mpmath.log(b) for f, b in zip(scores, PRIOR, strict=True)]
                assert wrong == (adjusted[y] != max(adjusted))
                assert wrong <= bound
                total = sum(mpmath.exp(a - adjusted[y]) for a in adjusted)
                assert_agree(bound * mpmath.log(2), mpmath.log(total))
    tie = formulas.logit_adjustment_surrogate([0, 0], [mpmath.mpf(1) / 2] * 2, 1, 0)
    assert tie[0]
    assert_agree(tie[1], 1)


@pytest.mark.equation("logit-adjustment-surrogate-balanced")
@high_precision
def test_mean_loss_bounds_the_balanced_error():
    """The bound holds for random scores and tau up to 1, and two even classes at zero reach it."""
    for seed in range(10):
        world = World(160 + seed, classes=2, tilt=seed % 3)
        numbers = draw(8, seed=seed)
        for tau in (mpmath.mpf(0), mpmath.mpf("0.5"), mpmath.mpf(1)):
            mean, errors = mpmath.mpf(0), [mpmath.mpf(0)] * 2
            for x in world.points:
                scores = numbers[2 * x : 2 * x + 2]
                for y in world.classes:
                    lead = scores[y] - scores[1 - y]
                    odds = mpmath.exp(tau * mpmath.log(world.prior[1 - y] / world.prior[y]) - lead)
                    mean += world.joint[x][y] * mpmath.log(1 + odds)
                    errors[y] += world.likelihood[x][y] * (lead <= 0)
            bound = formulas.logit_adjustment_surrogate_balanced(mean, world.prior)
            assert_rising(sum(errors) / 2, bound)
    even = [mpmath.mpf(1) / 2] * 2
    assert_agree(formulas.logit_adjustment_surrogate_balanced(mpmath.log(2), even), 1)
    # One wrong decision of a rare class among sure ones: the printed constant is the price of it.
    skew = [mpmath.mpf(3) / 4, mpmath.mpf(1) / 8, mpmath.mpf(1) / 8]
    value = formulas.logit_adjustment_surrogate_balanced(mpmath.log(2) / 8, skew)
    assert_agree(value, mpmath.mpf(1) / 3)


@pytest.mark.equation("logit-adjustment-surrogate-sharp")
@high_precision
def test_sharp_constant_is_met_by_the_cheapest_wrong_answer():
    """A tie of one class with one other, the rest far behind: the cheapest one meets the bound.

    Random scores never fall below it, and it differs from that for tau = 0 by at most 1 / log 2.
    """
    for numbers in ((6, 3, 1), (8, 1, 1), (90, 9, 1)):
        prior = [mpmath.mpf(n) / sum(numbers) for n in numbers]
        for tau in (mpmath.mpf(0), mpmath.mpf("0.5"), mpmath.mpf(1)):
            prices = []
            for y in range(3):
                for i in range(3):
                    if i != y:
                        scores = [0 if k in (y, i) else -300 for k in range(3)]
                        adjusted = [
                            f + tau * mpmath.log(b) for f, b in zip(scores, prior, strict=True)
                        ]
                        loss = mpmath.log(sum(mpmath.exp(a - adjusted[y]) for a in adjusted))
                        # Class y is always wrong, the others never and at no cost.
                        prices.append(prior[y] * loss)
            bounds = [formulas.logit_adjustment_surrogate_sharp(p, prior, tau) for p in prices]
            assert_agree(min(bounds), mpmath.mpf(1) / 3)
    for seed in range(10):
        world, numbers = World(160 + seed, tilt=seed % 3), draw(12, seed=seed)
        mean, errors = mpmath.mpf(0), [mpmath.mpf(0)] * 3
        for x in world.points:
            scores = numbers[3 * x : 3 * x + 3]
            for y in world.classes:
                adjusted = [f + mpmath.log(b) for f, b in zip(scores, world.prior, strict=True)]
                total = sum(mpmath.exp(a - adjusted[y]) for a in adjusted)
                mean += world.joint[x][y] * mpmath.log(total)
                errors[y] += world.likelihood[x][y] * (scores[y] != max(scores))
        bound = formulas.logit_adjustment_surrogate_sharp(mean, world.prior, mpmath.mpf(1))
        assert_rising(sum(errors) / 3, bound)
        flat = formulas.logit_adjustment_surrogate_sharp(mean, world.prior, mpmath.mpf(0))
        assert_rising(bound, flat, bound / mpmath.log(2))


@pytest.mark.equation("logit-adjustment-regret")
@high_precision
def test_excess_loss_bounds_the_excess_balanced_error():
    """Random models keep the bound; a vanishing error that hits both classes alike shows its size.

    With p = pi + d at one x, pi - d at the other, and a model that always says pi, the decision can
    be wrong at both; the ratio of the two sides tends to sqrt(smaller prior / larger prior).
    """
    for seed in range(20):
        world, numbers = World(220 + seed, tilt=seed % 4), draw(12, seed=seed, spread=1.0)
        excess, regret = mpmath.mpf(0), mpmath.mpf(0)
        for x in world.points:
            scores = [
                mpmath.log(p) + s
                for p, s in zip(world.likelihood[x], numbers[3 * x : 3 * x + 3], strict=True)
            ]
            total = sum(b * mpmath.exp(f) for f, b in zip(scores, world.prior, strict=True))
            for y in world.classes:
                modelled = world.prior[y] * mpmath.exp(scores[y]) / total
                excess += world.joint[x][y] * mpmath.log(world.posterior[x][y] / modelled)
            chosen = scores.index(max(scores))
            regret += (max(world.likelihood[x]) - world.likelihood[x][chosen]) / 3
        assert_rising(regret, formulas.logit_adjustment_regret(excess, world.prior))
    small = mpmath.mpf("1e-20")
    for rare in (mpmath.mpf(1) / 2, mpmath.mpf(1) / 4):
        prior, excess, regret = [1 - rare, rare], mpmath.mpf(0), mpmath.mpf(0)
        for sign in (1, -1):
            posterior = [prior[0] + sign * small, prior[1] - sign * small]
            excess += sum(p * mpmath.log(p / b) for p, b in zip(posterior, prior, strict=True)) / 2
            ratios = [p / b for p, b in zip(posterior, prior, strict=True)]
            regret += (max(ratios) - min(ratios)) / 4
        bound = formulas.logit_adjustment_regret(excess, prior)
        assert_agree(regret / bound, mpmath.sqrt(rare / (1 - rare)), 1e-8)


@pytest.mark.equation("logit-adjustment-change-of-variables")
@high_precision
def test_adjusted_loss_is_plain_cross_entropy_of_other_scores():
    """Both printed sides agree with minus the logarithm of a normalised exponential."""
    for scores in SCORES:
        for tau in TAUS:
            for y in range(3):
                left, right = formulas.logit_adjustment_change_of_variables(scores, PRIOR, tau, y)
                g = [f + tau * mpmath.log(b) for f, b in zip(scores, PRIOR, strict=True)]
                expected = mpmath.log(sum(mpmath.exp(v - g[y]) for v in g))
                assert_agree(left, expected)
                assert_agree(right, expected)


@pytest.mark.equation("logit-adjustment-bias-flow")
def test_bias_moves_against_the_gradient_of_the_expected_loss():
    """The printed velocity is minus autograd's gradient of the expected cross-entropy."""
    for bias in SCORES:
        leaf = tensor(list(bias)).requires_grad_()
        expected = -(tensor(PRIOR) * leaf.log_softmax(0)).sum()
        (slope,) = torch.autograd.grad(expected, leaf)
        for y in range(3):
            velocity = formulas.logit_adjustment_bias_flow(bias, PRIOR, y)
            assert_agree(velocity, -slope[y].item(), NEAR)


@pytest.mark.equation("logit-adjustment-bias-rate")
@high_precision
def test_velocity_near_the_log_priors_is_linear():
    """The derivative of the velocity at log pi along a direction is the printed one."""
    direction = draw(3, seed=170)
    for y in range(3):

        def velocity(step, y=y):
            bias = [mpmath.log(b) + step * d for b, d in zip(PRIOR, direction, strict=True)]
            return PRIOR[y] - mpmath.exp(bias[y]) / sum(mpmath.exp(b) for b in bias)

        expected = mpmath.diff(velocity, 0)
        assert_agree(formulas.logit_adjustment_bias_rate(direction, PRIOR, y), expected, 1e-20)


@pytest.mark.equation("logit-adjustment-prior-estimate")
@high_precision
def test_smoothed_prior_is_the_mean_of_a_dirichlet_posterior():
    """The estimate is that of counts with pseudo-counts added, sums to one and is positive."""
    counts, smoothing = [5, 0, 2], mpmath.mpf("0.5")
    padded = [n + smoothing for n in counts]
    values = [formulas.logit_adjustment_prior_estimate(counts, smoothing, y) for y in range(3)]
    for value, number in zip(values, padded, strict=True):
        assert_agree(value, number / sum(padded))
    assert min(values) > 0


@pytest.mark.equation("logit-adjustment-absent-class")
def test_pull_on_a_class_without_examples():
    """At zero scores and tau = 1 autograd's pull on a class of tiny prior is the printed one."""
    for constant in (0.25, 1e-3, 1e-8):
        prior = [mpmath.mpf("0.7"), mpmath.mpf("0.3"), mpmath.mpf(constant)]
        slopes = [_slopes([mpmath.mpf(0)] * 3, 1, y, prior) for y in range(2)]
        pull = 0.7 * slopes[0][2] + 0.3 * slopes[1][2]
        assert_agree(formulas.logit_adjustment_absent_class(mpmath.mpf(constant)), pull, NEAR)
        relative = formulas.logit_adjustment_absent_class(mpmath.mpf(constant)) / pull
        assert_agree(relative, 1, 1e-6)


@pytest.mark.equation("logit-adjustment-regularised-bias")
@high_precision
def test_penalty_in_the_plain_bias_is_centred_at_the_log_priors():
    """A penalty on the adjusted model's bias, rewritten for the plain one, is the printed sum."""
    bias, strength = draw_unit(3, seed=171), mpmath.mpf("0.3")
    plain = [b + TAUS[2] * mpmath.log(p) for b, p in zip(bias, PRIOR, strict=True)]
    value = formulas.logit_adjustment_regularised_bias(plain, PRIOR, TAUS[2], strength)
    assert_agree(value, strength / 2 * sum(b**2 for b in bias))
