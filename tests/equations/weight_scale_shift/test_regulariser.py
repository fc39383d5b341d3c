"""Checks of the invariant regulariser: why a logarithm, its gradient, where it has no floor."""

import mpmath
import pytest
import torch
from tests.equations.support import assert_agree, assert_rising, draw, high_precision
from tests.equations.weight_scale_shift import formulas
from tests.equations.weight_scale_shift.chains import (
    NEAR,
    Network,
    chain,
    factors,
    log_norms,
    matrix,
    tensor,
)
from tests.equations.weight_scale_shift.matrices import frobenius, scale

from scispaces.optim import weight_scale_penalty

FIRST, SECOND = 0.7, 0.2


def bound_of(classes):
    return mpmath.lambertw((classes - 1) / mpmath.e).real


@pytest.mark.equation("weight-scale-shift-functional")
@high_precision
def test_slope_of_the_logarithm_solves_the_equation_and_that_of_a_square_does_not():
    """Both sides agree for the slope a/x at all c and x; for 2x they differ."""
    for c in (mpmath.mpf("0.3"), 5):
        for x in (mpmath.mpf("0.2"), mpmath.mpf(3)):
            assert_agree(*formulas.weight_scale_shift_functional(lambda t: 4 / t, c, x))
            left, right = formulas.weight_scale_shift_functional(lambda t: 2 * t, c, x)
            assert abs(left / right - c**2) < 1e-30


@pytest.mark.equation("weight-scale-shift-logarithm")
@high_precision
def test_solution_has_the_slope_at_one_for_a_factor():
    """Its values at 1 and e, and the derivatives of phi(x) and phi(cx) agree."""
    a, b = mpmath.mpf("1.7"), mpmath.mpf("0.4")
    assert_agree(formulas.weight_scale_shift_logarithm(a, b, mpmath.mpf(1)), b)
    assert_agree(formulas.weight_scale_shift_logarithm(a, b, mpmath.e), a + b)
    for c in (mpmath.mpf("0.2"), mpmath.mpf(6)):
        slopes = [
            mpmath.diff(lambda x, s=s: formulas.weight_scale_shift_logarithm(a, b, s * x), 3)
            for s in (1, c)
        ]
        assert_agree(*slopes, 1e-20)


@pytest.mark.equation("weight-scale-shift-log-norm")
def test_penalty_by_hand_by_the_library_and_under_a_shift():
    """The package's value, and no change when layers pass scale among themselves."""
    weights, _ = chain(30)
    printed = formulas.weight_scale_shift_log_norm(weights, FIRST, SECOND)
    listed = [tensor(w) for w in weights]
    value = weight_scale_penalty(listed, log_norm=FIRST, direction_l1=SECOND).item()
    assert_agree(printed, value, NEAR)
    gamma = factors(4, 31)
    moved = [scale(g, w) for g, w in zip(gamma, weights, strict=True)]
    assert_agree(printed, formulas.weight_scale_shift_log_norm(moved, FIRST, SECOND), NEAR)
    by_hand = formulas.weight_scale_shift_log_norm([[[3, -4]], [[mpmath.e, 0]]], 2, 5)
    assert_agree(by_hand, 2 * (mpmath.log(5) + 1) + 5 * (mpmath.mpf(7) / 5 + 1), NEAR)


@pytest.mark.equation("weight-scale-shift-log-gradient")
def test_gradient_of_the_log_norm():
    """Autograd of the logarithm of the norm, through the package's penalty."""
    weight = Network(6, bias=False).weights[0].requires_grad_()
    (gradient,) = torch.autograd.grad(weight_scale_penalty([weight], log_norm=FIRST), weight)
    printed = formulas.weight_scale_shift_log_gradient(weight.tolist(), FIRST)
    torch.testing.assert_close(tensor(printed), gradient)


@pytest.mark.equation("weight-scale-shift-direction-range")
@high_precision
def test_range_of_the_direction_term_and_both_ends():
    """Rising for random matrices; one entry attains the left end, equal sizes the right one."""
    for seed in range(4):
        assert_rising(*formulas.weight_scale_shift_direction_range(matrix(3, 4, seed)))
    low, value, _ = formulas.weight_scale_shift_direction_range([[0, -3], [0, 0]])
    assert_agree(low, value)
    _, value, high = formulas.weight_scale_shift_direction_range([[2, -2, 2], [-2, -2, 2]])
    assert_agree(value, high)


@pytest.mark.equation("weight-scale-shift-direction-gradient")
def test_gradient_of_the_direction_term():
    """Autograd of the package's second term; it is orthogonal to the weight."""
    weight = Network(7, bias=False).weights[1].requires_grad_()
    value = weight_scale_penalty([weight], log_norm=0.0, direction_l1=SECOND)
    (gradient,) = torch.autograd.grad(value, weight)
    printed = formulas.weight_scale_shift_direction_gradient(weight.tolist(), SECOND)
    torch.testing.assert_close(tensor(printed), gradient)
    assert (tensor(printed) * weight).sum().item() == pytest.approx(0, abs=1e-13)


@pytest.mark.equation("weight-scale-shift-gradient-shift")
def test_gradient_of_the_penalty_after_a_shift():
    """At gamma W the gradient of both terms is the one at W over gamma."""
    weight = Network(8, bias=False).weights[1]

    def gradient(at):
        leaf = at.clone().requires_grad_()
        value = weight_scale_penalty([leaf], log_norm=FIRST, direction_l1=SECOND)
        return torch.autograd.grad(value, leaf)[0]

    for factor in (0.2, 4.0):
        printed = formulas.weight_scale_shift_gradient_shift(gradient(weight).tolist(), factor)
        torch.testing.assert_close(tensor(printed), gradient(factor * weight))


@pytest.mark.equation("weight-scale-shift-unbounded")
def test_total_loss_of_a_network_scaled_down():
    """Loss plus log-norm of t times all weights is as printed, and passes any bound."""
    network = Network(12, bias=False, rows=1)
    logits = network.outputs(network.weights, network.biases)[0].tolist()
    assert max(logits) - min(logits) > 0.3
    label, total = int(network.y[0]), log_norms(network.weights).item()
    for t in (1.0, 0.5, 0.01):
        weights = [t * w for w in network.weights]
        value = network.loss(weights, network.biases) + FIRST * log_norms(weights)
        printed = formulas.weight_scale_shift_unbounded(logits, label, t, 4, FIRST, total)
        assert_agree(printed, value.item(), NEAR)
    assert formulas.weight_scale_shift_unbounded(logits, label, 1e-60, 4, FIRST, total) < -300


@pytest.mark.equation("weight-scale-shift-pull-bound")
@high_precision
def test_pull_of_cross_entropy_is_bounded():
    """No random scores exceed the bound, and equal wrong scores at the right distance attain it."""
    for classes in (2, 3, 10):
        for seed in range(20):
            spread = mpmath.mpf("0.2") * (seed + 1)
            scores = [spread * f for f in draw(classes, seed=seed)]
            label = max(range(classes), key=lambda i: scores[i])
            total = mpmath.fsum(map(mpmath.exp, scores))
            pull = scores[label] - mpmath.fsum(f * mpmath.exp(f) for f in scores) / total
            terms = formulas.weight_scale_shift_pull_bound(
                pull, lambda v: mpmath.lambertw(v).real, classes
            )
            assert_rising(*terms)
            assert_agree(terms[1], bound_of(classes))
        distance = 1 + bound_of(classes)
        chance = mpmath.exp(distance) / (mpmath.exp(distance) + classes - 1)
        terms = formulas.weight_scale_shift_pull_bound(
            distance * (1 - chance), lambda v: mpmath.lambertw(v).real, classes
        )
        assert_agree(*terms)


@pytest.mark.equation("weight-scale-shift-pull-square")
@high_precision
def test_pull_of_the_squared_error_is_bounded():
    """Minus the radial slope of half the squared error; half the target attains the bound."""
    target = draw(3, seed=32)
    for seed in range(4):
        output = draw(3, seed=seed)
        left, right = formulas.weight_scale_shift_pull_square(target, output)
        assert_rising(left, right)

        def error(t, f=output):
            return mpmath.fsum((t * a - y) ** 2 for a, y in zip(f, target, strict=True)) / 2

        assert_agree(left, -mpmath.diff(error, 1), 1e-20)
    assert_agree(*formulas.weight_scale_shift_pull_square(target, [y / 2 for y in target]))


@pytest.mark.equation("weight-scale-shift-collapse-time")
@high_precision
def test_collapse_with_the_largest_pull():
    """Squares that fall at twice the strength less the bound reach zero first at this time."""
    norms, bound, first = [mpmath.mpf(4), mpmath.mpf(3), mpmath.mpf(5)], bound_of(10), 2
    time = formulas.weight_scale_shift_collapse_time(norms, first, bound)
    left = [n**2 - 2 * (first - bound) * time for n in norms]
    assert_agree(min(left), 0)
    assert sorted(left)[1] > 1


@pytest.mark.equation("weight-scale-shift-ceiling")
@high_precision
def test_ceiling_of_the_stationary_norm_is_attained():
    """Three numbers in a chain, with the margin of largest pull, stand at the ceiling."""
    bound = bound_of(2)
    z = 1 + bound
    weight = mpmath.cbrt(z)
    strength = z / (1 + mpmath.exp(z)) / weight**2
    slope = strength * weight - z / weight / (1 + mpmath.exp(z))
    assert_agree(slope, 0)
    assert_agree(weight**2, formulas.weight_scale_shift_ceiling(bound, strength))


def test_frobenius_is_the_norm_of_all_entries():
    """The helper of the formulas against torch."""
    weight = Network(10, bias=False).weights[0]
    assert_agree(frobenius(weight.tolist()), weight.norm().item(), 1e-15)
