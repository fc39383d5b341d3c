"""Checks of what the shift does to L2, and of what L2 has to do with the invariant regulariser."""

import math

import mpmath
import pytest
import torch
from tests.equations.support import assert_agree, assert_rising, draw, draw_unit, high_precision
from tests.equations.weight_scale_shift import formulas
from tests.equations.weight_scale_shift.chains import NEAR, Network, chain, factors, tensor
from tests.equations.weight_scale_shift.matrices import frobenius, inner, scale

STRENGTH = mpmath.mpf("0.3")


def norms_of(seed, count=4):
    """Positive numbers that are not alike."""
    return [4 * value + mpmath.mpf("0.1") for value in draw_unit(count, seed=seed)]


def geometric_mean(values):
    return mpmath.exp(mpmath.fsum(mpmath.log(v) for v in values) / len(values))


@pytest.mark.equation("weight-scale-shift-shifted-penalty")
@high_precision
def test_shifted_penalty_is_the_penalty_of_the_shifted_weights():
    """Scaling the matrices and adding the squares of their entries gives the printed sum."""
    weights, _ = chain(20)
    gamma = factors(4, 21)
    entries = [
        entry**2
        for g, w in zip(gamma, weights, strict=True)
        for row in scale(g, w)
        for entry in row
    ]
    printed = formulas.weight_scale_shift_shifted_penalty(
        [frobenius(w) for w in weights], gamma, STRENGTH
    )
    assert_agree(printed, STRENGTH / 2 * mpmath.fsum(entries))


@pytest.mark.equation("weight-scale-shift-balance")
@high_precision
def test_no_shift_has_less_and_the_balanced_one_attains_it():
    """The terms rise for random shifts; with equal norms both are equal."""
    for seed in range(5):
        norms = norms_of(seed)
        gamma = factors(4, seed + 30)
        least, value = formulas.weight_scale_shift_balance(norms, gamma, STRENGTH)
        assert_rising(least, value)
        assert_agree(
            value,
            STRENGTH / 2 * mpmath.fsum((g * n) ** 2 for g, n in zip(gamma, norms, strict=True)),
        )
        balanced = [geometric_mean(norms) / n for n in norms]
        assert_agree(*formulas.weight_scale_shift_balance(norms, balanced, STRENGTH), 1e-15)


@pytest.mark.equation("weight-scale-shift-balanced-factor")
@high_precision
def test_balanced_factors_have_product_one_and_make_norms_equal():
    """Both properties, which together leave no other choice."""
    norms = norms_of(6)
    gamma = [formulas.weight_scale_shift_balanced_factor(norms, layer) for layer in range(4)]
    assert_agree(mpmath.fprod(gamma), 1, 1e-15)
    for factor, norm in zip(gamma, norms, strict=True):
        assert_agree(factor * norm, gamma[0] * norms[0], 1e-15)


@pytest.mark.equation("weight-scale-shift-general-balance")
@high_precision
def test_balance_with_other_powers_and_strengths():
    """The terms rise for random shifts and are equal where all terms of the sum are alike."""
    for seed, power in enumerate((1, 2, mpmath.mpf("3.5"))):
        norms, strengths = norms_of(seed + 7, 3), norms_of(seed + 11, 3)
        gamma = factors(3, seed + 40)
        assert_rising(*formulas.weight_scale_shift_general_balance(norms, gamma, strengths, power))
        weighted = [a * n**power for a, n in zip(strengths, norms, strict=True)]
        gamma = [(geometric_mean(weighted) / w) ** (1 / mpmath.mpf(power)) for w in weighted]
        assert_agree(mpmath.fprod(gamma), 1)
        least, value = formulas.weight_scale_shift_general_balance(norms, gamma, strengths, power)
        assert_agree(least, value, 1e-15)
        assert_agree(value, 3 * geometric_mean(weighted), 1e-15)


@pytest.mark.equation("weight-scale-shift-excess")
@high_precision
def test_excess_is_what_balancing_saves():
    """A value by hand, zero for equal norms, and the difference of two sums of squares."""
    assert formulas.weight_scale_shift_excess([1, 2, 4]) == pytest.approx(9)
    assert formulas.weight_scale_shift_excess([3, 3, 3]) == pytest.approx(0, abs=1e-12)
    norms = norms_of(15)
    saved = mpmath.fsum(n**2 for n in norms) - 4 * geometric_mean(norms) ** 2
    assert_agree(formulas.weight_scale_shift_excess(norms), saved, 1e-15)


@pytest.mark.equation("weight-scale-shift-euler")
def test_every_layer_feels_the_same_radial_slope():
    """Without biases the gradient of a layer, times the layer, is the slope along the scores."""
    network = Network(3, bias=False, rows=1)
    scores = network.outputs(network.weights, network.biases).requires_grad_()
    loss = torch.nn.functional.cross_entropy(scores, network.y)
    (slopes,) = torch.autograd.grad(loss, scores)
    by_weight, _ = network.gradients()
    for gradient, weight in zip(by_weight, network.weights, strict=True):
        left, right = formulas.weight_scale_shift_euler(
            gradient.tolist(), weight.tolist(), slopes[0].tolist(), scores[0].tolist()
        )
        assert abs(left) > 1e-3
        assert_agree(left, right, NEAR)


@pytest.mark.equation("weight-scale-shift-pull")
@high_precision
def test_pull_is_minus_the_slope_of_cross_entropy_along_the_scores():
    """Minus the derivative of cross-entropy at t times the scores, at t = 1."""
    for seed in range(3):
        scores = draw(4, seed=seed)
        probabilities = [mpmath.exp(f) / mpmath.fsum(map(mpmath.exp, scores)) for f in scores]
        for label in (0, 2):

            def entropy(t, f=scores, y=label):
                return mpmath.log(mpmath.fsum(mpmath.exp(t * v) for v in f)) - t * f[y]

            printed = formulas.weight_scale_shift_pull(probabilities, scores, label)
            assert_agree(printed, -mpmath.diff(entropy, 1), 1e-20)


@pytest.mark.equation("weight-scale-shift-orbit")
def test_slope_along_a_shift():
    """The derivative of L2 and of the loss along exp(s a), with the gradients at s = 0."""
    network = Network(4, bias=False)
    directions = [0.7, -1.1, 0.9, -0.5]

    def along(extra):
        s = torch.zeros((), dtype=torch.float64, requires_grad=True)
        moved = [(s * a).exp() * w for a, w in zip(directions, network.weights, strict=True)]
        (slope,) = torch.autograd.grad(extra(moved), s)
        return slope.item()

    def l2(weights):
        return 0.5 * sum(w.square().sum() for w in weights)

    by_weight, _ = network.gradients()
    weights = [w.tolist() for w in network.weights]
    of_loss = formulas.weight_scale_shift_orbit(
        [g.tolist() for g in by_weight], weights, directions
    )
    of_l2 = formulas.weight_scale_shift_orbit(weights, weights, directions)
    assert of_loss == pytest.approx(
        along(lambda moved: network.loss(moved, network.biases)), abs=1e-12
    )
    assert of_loss == pytest.approx(0, abs=1e-12)
    assert of_l2 == pytest.approx(along(l2), rel=1e-12)
    assert abs(of_l2) > 0.1


@pytest.mark.equation("weight-scale-shift-harmonic")
def test_harmonic_mean_of_the_squared_norms():
    """By hand: 1/1, 1/4 and 1/4 have the mean one half, so the harmonic mean is 2."""
    assert formulas.weight_scale_shift_harmonic([1, 2, 2]) == pytest.approx(2)


def _harmonic(weights):
    squares = [inner(w, w) for w in weights]
    return len(squares) / mpmath.fsum(1 / s for s in squares)


@pytest.mark.equation("weight-scale-shift-split")
@high_precision
def test_l2_is_log_norm_and_a_shift():
    """The parts add up to L2's gradient; the second is tangent to a shift, the first orthogonal."""
    weights, _ = chain(22)
    harmonic = _harmonic(weights)
    parts = [formulas.weight_scale_shift_split(w, STRENGTH, harmonic) for w in weights]
    for weight, (part, rest) in zip(weights, parts, strict=True):
        assert_agree(part[1][2] + rest[1][2], STRENGTH * weight[1][2])
        # The gradient of log |W|, times one number for all layers.
        assert_agree(part[1][2], STRENGTH * harmonic * weight[1][2] / inner(weight, weight))
    # rest = a W with a sum of zero over the layers, so it moves along a shift.
    shares = [rest[0][0] / weight[0][0] for weight, (_, rest) in zip(weights, parts, strict=True)]
    assert_agree(mpmath.fsum(shares), 0)
    for weight, (_, rest), share in zip(weights, parts, shares, strict=True):
        assert_agree(rest[1][1], share * weight[1][1])
    assert_agree(mpmath.fsum(inner(part, rest) for part, rest in parts), 0)


@pytest.mark.equation("weight-scale-shift-share")
@high_precision
def test_share_of_the_gradient_that_only_shifts():
    """Squared length of the shifting part over that of the whole gradient; zero for equal norms."""
    weights, _ = chain(23)
    harmonic = _harmonic(weights)
    squares = [inner(w, w) for w in weights]
    rest = mpmath.fsum((1 - harmonic / s) ** 2 * s for s in squares)
    norms = [frobenius(w) for w in weights]
    assert_agree(formulas.weight_scale_shift_share(norms), rest / mpmath.fsum(squares))
    assert formulas.weight_scale_shift_share([2.0, 2.0, 2.0]) == pytest.approx(0, abs=1e-15)


def _stationary_chain(strength, layers=3):
    """Three numbers in a chain with log(1 + exp(-product)) and L2: a stationary point."""

    def slopes(*w):
        z = mpmath.fprod(w)
        push = 1 / (1 + mpmath.exp(z))
        return [strength * own - push * z / own for own in w]

    found = mpmath.findroot(slopes, [mpmath.mpf("1.1"), mpmath.mpf("1.3"), mpmath.mpf("1.2")])
    return list(found)[:layers]


@pytest.mark.equation("weight-scale-shift-stationary")
@high_precision
def test_stationary_points_of_l2_are_balanced():
    """A point found by Newton from unequal weights has equal squares, the printed ones."""
    for strength in (mpmath.mpf("0.05"), mpmath.mpf("0.1")):
        weights = _stationary_chain(strength)
        z = mpmath.fprod(weights)
        pull = z / (1 + mpmath.exp(z))
        for weight in weights:
            assert_agree(weight**2, formulas.weight_scale_shift_stationary(pull, strength), 1e-12)


@pytest.mark.equation("weight-scale-shift-same-points")
@high_precision
def test_stationary_point_of_l2_is_one_of_the_log_norm():
    """With the printed strength all slopes of loss plus log-norm vanish, also after a shift."""
    strength = mpmath.mpf("0.07")
    weights = _stationary_chain(strength)
    first = formulas.weight_scale_shift_same_points(weights, strength)
    for gamma in ([1, 1, 1], [2, mpmath.mpf("0.25"), 2]):
        moved = [g * w for g, w in zip(gamma, weights, strict=True)]
        z = mpmath.fprod(moved)
        for weight in moved:
            slope = first / weight - z / (1 + mpmath.exp(z)) / weight
            assert_agree(slope, 0, 1e-12)


@pytest.mark.equation("weight-scale-shift-touching")
@high_precision
def test_l2_lies_above_the_log_norm_and_touches_it():
    """The terms rise for random norms; both are equal where the squared norm is the ratio."""
    first = mpmath.mpf("0.8")
    for norm in norms_of(18, 6):
        assert_rising(*formulas.weight_scale_shift_touching(norm, STRENGTH, first))
    norm = mpmath.sqrt(first / STRENGTH)
    left, right = formulas.weight_scale_shift_touching(norm, STRENGTH, first)
    assert_agree(left, right)
    assert_agree(right, first / 2)


@pytest.mark.equation("weight-scale-shift-product-penalty")
@high_precision
def test_product_penalty_is_l2_at_its_balance():
    """It equals L2 of the balanced weights and does not change under a shift."""
    norms = norms_of(16)
    balanced = [geometric_mean(norms)] * 4
    value = formulas.weight_scale_shift_product_penalty(norms, STRENGTH)
    assert_agree(value, STRENGTH / 2 * mpmath.fsum(n**2 for n in balanced), 1e-15)
    moved = [g * n for g, n in zip(factors(4, 17), norms, strict=True)]
    assert_agree(value, formulas.weight_scale_shift_product_penalty(moved, STRENGTH), 1e-15)


@pytest.mark.equation("weight-scale-shift-product-gradient")
def test_gradient_of_the_product_penalty():
    """Autograd of L/2 times the product of the norms to the power 2/L, for every layer."""
    weights = [w.clone().requires_grad_() for w in Network(5, bias=False).weights]
    value = 0.3 * len(weights) / 2 * math.prod(w.norm() for w in weights) ** (2 / len(weights))
    gradients = torch.autograd.grad(value, weights)
    listed = [w.tolist() for w in weights]
    for layer, gradient in enumerate(gradients):
        printed = formulas.weight_scale_shift_product_gradient(listed, layer, 0.3)
        torch.testing.assert_close(tensor(printed), gradient)
