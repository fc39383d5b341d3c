"""Checks of the flooded loss, its gradient, its relatives and its least value."""

import pytest
import torch
from tests.equations.flooding import formulas
from tests.equations.flooding.landscapes import double

from scispaces.losses import flood

LOSSES = [0.02, 0.1, 0.25, 0.3, 0.75, 1.5]
LEVEL = 0.25


def derivative(function, loss, slope=1.0):
    """The derivative by autograd of function(L) with L = loss + slope (theta - 0) at theta = 0."""
    theta = double(0.0).requires_grad_()
    return torch.autograd.grad(function(loss + slope * theta), theta)[0].item()


@pytest.mark.equation("flooding-loss")
def test_the_library_computes_the_printed_loss():
    """`flood` equals the formula on both sides of the level and on it."""
    for loss in LOSSES:
        assert flood(double(loss), LEVEL).item() == formulas.flooding_loss(loss, LEVEL)


@pytest.mark.equation("flooding-gradient")
def test_the_library_has_the_printed_gradient():
    """Autograd through `flood` gives the formula, zero on the level included."""
    for loss in LOSSES:
        for slope in (0.7, -1.3):
            found = derivative(lambda value: flood(value, LEVEL), double(loss), slope)
            assert found == formulas.flooding_gradient(loss, LEVEL, slope)


@pytest.mark.equation("flooding-subgradient")
def test_the_segment_of_subgradients_on_the_level():
    """Its ends are the two one-sided derivatives, its middle is what torch and the library take."""
    for slope in (0.7, -1.3):
        step = 1e-6
        sides = [
            (abs(slope * move) - 0) / move  # |L - b| along a line that crosses the level at 0
            for move in (-step, step)
        ]
        ends = [formulas.flooding_subgradient(slope, share) for share in (0, 1)]
        assert sorted(ends) == pytest.approx(sorted(sides), rel=1e-9)
        assert ends[1] == slope
        middle = formulas.flooding_subgradient(slope, 0.5)
        assert middle == derivative(lambda value: flood(value, LEVEL), double(LEVEL), slope) == 0


@pytest.mark.equation("flooding-clamp")
def test_the_maximum_and_the_minimum_are_flat_on_one_side():
    """The slopes of max(L, b) and min(L, b), with the slope zero that `relu` has at its corner."""
    for loss in LOSSES:
        above = derivative(lambda v: torch.relu(v - LEVEL) + LEVEL, double(loss), 0.7)
        below = derivative(lambda v: LEVEL - torch.relu(LEVEL - v), double(loss), 0.7)
        assert (above, below) == formulas.flooding_clamp(loss, LEVEL, 0.7)


@pytest.mark.equation("flooding-reflection")
def test_flooding_is_the_mirror_image_of_the_loss_in_its_clamp():
    """Twice the maximum less the loss is the library's flooded loss."""
    for loss in LOSSES:
        expected = flood(double(loss), LEVEL).item()
        assert formulas.flooding_reflection(loss, LEVEL) == pytest.approx(expected, rel=1e-15)


@pytest.mark.equation("flooding-minimum")
def test_the_least_flooded_value_of_a_loss_that_reaches_far_up():
    """On a fine grid of lowest + x^2 the least flooded loss is the larger of level and lowest."""
    grid = torch.linspace(-1, 1, 20_001, dtype=torch.float64)
    for lowest in (0.0, 0.1, 0.4):
        least = flood(lowest + grid**2, LEVEL).min().item()
        assert least == pytest.approx(formulas.flooding_minimum(lowest, LEVEL), abs=1e-4)


@pytest.mark.equation("flooding-step")
def test_a_step_of_the_optimiser_on_the_library_loss():
    """One step of torch.optim.SGD on the flooded loss is the printed step, on the level none."""
    for start in (0.2, 0.5, 0.9):  # the loss 2 start^2 is below, on and above the level 0.5
        theta = double(start).requires_grad_()
        optimiser = torch.optim.SGD([theta], lr=0.3)
        loss = 2 * theta**2
        flood(loss, 0.5).backward()
        optimiser.step()
        expected = formulas.flooding_step(start, 0.3, loss.item(), 0.5, 4 * start)
        assert theta.item() == pytest.approx(expected, rel=1e-15)
