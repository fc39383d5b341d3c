"""Checks of gradient flows, of what they conserve, and of steps of finite size."""

import math

import mpmath
import pytest
import torch
from tests.equations.support import assert_agree, high_precision
from tests.equations.weight_scale_shift import formulas
from tests.equations.weight_scale_shift.chains import NEAR, Network, log_norms

from scispaces.optim import weight_scale_penalty

FIRST = 0.4
WITH = Network(40, bias=True)
WITHOUT = Network(41, bias=False)


def _lists(parts):
    return [part.tolist() for part in parts]


@pytest.mark.equation("weight-scale-shift-noether")
def test_neighbouring_layers_share_the_radial_slope():
    """For each pair of neighbours both sides agree; neither is zero."""
    by_weight, by_bias = WITH.gradients()
    for layer in range(3):
        left, right = formulas.weight_scale_shift_noether(
            *_lists([by_weight[layer], WITH.weights[layer], by_bias[layer], WITH.biases[layer]]),
            *_lists([by_weight[layer + 1], WITH.weights[layer + 1]]),
        )
        assert_agree(left, right, NEAR)
        assert abs(left) > 1e-3


@pytest.mark.equation("weight-scale-shift-conserved")
def test_flow_of_the_loss_conserves_the_difference():
    """Its rate of change is zero, with and without the log-norm; that of one square is not."""

    def log_norm(weights):
        return FIRST * log_norms(weights)

    for network, extra in ((WITH, None), (WITH, log_norm), (WITHOUT, None), (WITHOUT, log_norm)):
        for layer in range(3):
            rate = network.change(
                lambda w, b, at=layer: formulas.weight_scale_shift_conserved(w, b, at), extra
            )
            assert rate == pytest.approx(0, abs=1e-11)
            single = network.change(
                lambda w, b, at=layer: sum(v**2 for row in w[at] for v in row), extra
            )
            assert abs(single) > 1e-3


@pytest.mark.equation("weight-scale-shift-difference-decay")
def test_decay_of_all_parameters_shrinks_the_difference_exponentially():
    """Under loss and L2 on weights and biases the rate of change is the printed slope at time 0."""
    strength = 0.3
    for layer in range(3):

        def difference(w, b, at=layer):
            own = sum(v**2 for row in w[at] for v in row) + sum(v**2 for v in b[at])
            return own - sum(v**2 for row in w[at + 1] for v in row)

        start = difference(_lists(WITH.weights), _lists(WITH.biases))
        rate = WITH.change(difference, decay=strength)
        slope = mpmath.diff(
            lambda t, s=start: formulas.weight_scale_shift_difference_decay(s, strength, t), 0
        )
        assert rate == pytest.approx(float(slope), rel=1e-9)
        assert formulas.weight_scale_shift_difference_decay(start, strength, 0) == start
        later = formulas.weight_scale_shift_difference_decay(start, strength, 2)
        assert later == pytest.approx(start * math.exp(-1.2))


@pytest.mark.equation("weight-scale-shift-log-flow")
def test_squared_norms_under_loss_and_log_norm():
    """Every layer's square changes at the printed rate, with the pull measured at the scores."""
    for layer in range(4):
        rate = WITHOUT.change(
            lambda w, b, at=layer: sum(v**2 for row in w[at] for v in row),
            lambda weights: FIRST * log_norms(weights),
        )
        printed = formulas.weight_scale_shift_log_flow(WITHOUT.pull(), FIRST)
        assert rate == pytest.approx(printed, rel=1e-9)


@pytest.mark.equation("weight-scale-shift-pure-log-flow")
def test_pure_decay_flow_by_small_steps():
    """Runge-Kutta steps of w' = -lambda w/|w|^2 end at the printed square."""

    def slope(w):
        return -FIRST * w / w.square().sum()

    w, step = torch.tensor([1.0, -0.5, 0.7], dtype=torch.float64), 0.01
    start = w.square().sum().item()
    for _ in range(80):
        one = slope(w)
        two = slope(w + step / 2 * one)
        three = slope(w + step / 2 * two)
        w = w + step / 6 * (one + 2 * two + 2 * three + slope(w + step * three))
    printed = formulas.weight_scale_shift_pure_log_flow(start, FIRST, 0.8)
    assert w.square().sum().item() == pytest.approx(printed, rel=1e-9)


@pytest.mark.equation("weight-scale-shift-drift")
def test_one_step_of_descent_breaks_the_law_by_the_printed_amount():
    """The difference after a step less the one before, without biases, for a large rate."""
    by_weight, _ = WITHOUT.gradients()
    for layer in range(3):
        before, after = (
            [
                (w - rate * g).square().sum().item()
                for w, g in zip(WITHOUT.weights, by_weight, strict=True)
            ]
            for rate in (0.0, 0.8)
        )
        change = after[layer] - after[layer + 1] - before[layer] + before[layer + 1]
        printed = formulas.weight_scale_shift_drift(0.8, *_lists(by_weight[layer : layer + 2]))
        assert_agree(change, printed, NEAR)
        assert abs(change) > 1e-3


@pytest.mark.equation("weight-scale-shift-drift-decay")
def test_one_step_of_descent_with_l2():
    """The new difference from the old one, with L2 in the gradient."""
    rate, strength = 0.6, 0.5
    by_weight, _ = WITHOUT.gradients()
    new = [
        ((1 - rate * strength) * w - rate * g).square().sum().item()
        for w, g in zip(WITHOUT.weights, by_weight, strict=True)
    ]
    old = [w.square().sum().item() for w in WITHOUT.weights]
    for layer in range(3):
        printed = formulas.weight_scale_shift_drift_decay(
            old[layer] - old[layer + 1], rate, strength, *_lists(by_weight[layer : layer + 2])
        )
        assert_agree(new[layer] - new[layer + 1], printed, NEAR)


def _library_step(weight, rate, first):
    leaf = weight.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(weight_scale_penalty([leaf], log_norm=first), leaf)
    return weight - rate * gradient


@pytest.mark.equation("weight-scale-shift-log-step")
def test_square_after_a_step_on_the_package_penalty():
    """A long and a short weight after one step of descent on the log-norm alone."""
    for size in (2.0, 0.1):
        weight = size * WITHOUT.weights[0]
        square = weight.square().sum().item()
        after = _library_step(weight, 0.3, 0.2).square().sum().item()
        assert_agree(after, formulas.weight_scale_shift_log_step(square, 0.3, 0.2), NEAR)


@pytest.mark.equation("weight-scale-shift-overshoot")
def test_below_the_threshold_a_step_lengthens_the_weight():
    """At the printed norm a step only turns the weight round; below it grows, above it shrinks."""
    direction = WITHOUT.weights[0] / WITHOUT.weights[0].norm()
    norm = float(formulas.weight_scale_shift_overshoot(0.3, 0.2))
    turned = _library_step(norm * direction, 0.3, 0.2)
    torch.testing.assert_close(turned, -norm * direction)
    assert _library_step(0.99 * norm * direction, 0.3, 0.2).norm() > 0.99 * norm
    assert _library_step(1.01 * norm * direction, 0.3, 0.2).norm() < 1.01 * norm


@pytest.mark.equation("weight-scale-shift-boole")
def test_steps_on_the_log_norm_are_booles_map():
    """The signed length over sqrt(rate lambda) moves as printed, for several steps."""
    unit = math.sqrt(0.3 * 0.2)
    direction = WITHOUT.weights[0] / WITHOUT.weights[0].norm()
    weight, place = 1.7 * unit * direction, 1.7
    for _ in range(6):
        weight = _library_step(weight, 0.3, 0.2)
        place = formulas.weight_scale_shift_boole(place)
        assert (weight * direction).sum().item() / unit == pytest.approx(place, rel=1e-9)


@pytest.mark.equation("weight-scale-shift-boole")
@high_precision
def test_booles_map_keeps_lengths_of_sets():
    """The two points that are sent to y have slopes whose inverses add up to one."""
    for y in (mpmath.mpf("-2.3"), mpmath.mpf("0.4")):
        places = [(y + way * mpmath.sqrt(y**2 + 4)) / 2 for way in (1, -1)]
        for place in places:
            assert_agree(formulas.weight_scale_shift_boole(place), y)
        slopes = [mpmath.diff(formulas.weight_scale_shift_boole, place) for place in places]
        assert_agree(mpmath.fsum(1 / s for s in slopes), 1, 1e-20)


@pytest.mark.equation("weight-scale-shift-floor")
def test_no_overshoot_above_the_floor():
    """From the printed norm on, a step never turns the weight round; just below it does."""
    direction = WITHOUT.weights[0] / WITHOUT.weights[0].norm()
    floor = float(formulas.weight_scale_shift_floor(0.3, 0.2))
    for factor in (1.0001, 1.5, 20.0):
        kept = (_library_step(factor * floor * direction, 0.3, 0.2) * direction).sum().item()
        assert 0 <= kept < factor * floor
    turned = (_library_step(0.999 * floor * direction, 0.3, 0.2) * direction).sum().item()
    assert turned < 0
