"""Checks of what flooding does near the level: shares of steps, drift, where the drift ends."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from tests.equations.flooding import formulas
from tests.equations.flooding.landscapes import (
    curved,
    double,
    penalty_slope,
    quarter,
    slope,
    to_level,
    valley,
    valley_gradient,
    wavy,
)

POINT = double([0.7, -0.4])
SLOPE, CURVED = slope(wavy, POINT), curved(wavy, POINT)
LEVEL = wavy(POINT).item()


@pytest.mark.equation("flooding-gradient-time")
def test_time_of_descent_to_the_level():
    """Its gradient, by differences of integrated gradient lines, has product one with g."""
    start = POINT + 0.2
    step = 1e-4
    moves = torch.eye(2, dtype=torch.float64) * step
    differences = [
        (to_level(wavy, start + m, LEVEL)[1] - to_level(wavy, start - m, LEVEL)[1]) / (2 * step)
        for m in moves
    ]
    found = formulas.flooding_gradient_time(slope(wavy, start).tolist(), differences)
    assert found == pytest.approx(1, abs=1e-5)
    assert min(map(abs, differences)) > 0.05


@pytest.mark.equation("flooding-curvature")
def test_curvature_along_the_gradient():
    """It is the second derivative of the loss along a line in the direction of the gradient."""
    direction = SLOPE / SLOPE.norm()
    step = 1e-4
    values = [wavy(POINT + move * direction).item() for move in (-step, 0.0, step)]
    expected = (values[0] - 2 * values[1] + values[2]) / step**2
    assert formulas.flooding_curvature(SLOPE, CURVED).item() == pytest.approx(expected, abs=1e-6)


STEPS = {
    (sign, rate): to_level(wavy, POINT - sign * rate * SLOPE, LEVEL)
    for sign in (1, -1)
    for rate in (0.02, 0.01)
}
KAPPA = (SLOPE @ CURVED @ SLOPE / (SLOPE @ SLOPE)).item()


@pytest.mark.equation("flooding-time-step")
def test_a_step_changes_the_time_by_the_rate_and_a_curvature_term():
    """The error, from integrated gradient lines, falls with the cube of the rate, both ways."""
    for sign in (1, -1):
        errors = [
            abs(formulas.flooding_time_step(0.0, sign, rate, KAPPA) - STEPS[sign, rate][1])
            for rate in (0.02, 0.01)
        ]
        assert quarter(errors) == pytest.approx(3, abs=0.15)
    # Not on the level but above it: there the time is not zero.
    there, time = STEPS[-1, 0.02]
    back = formulas.flooding_time_step(time, 1, 0.02, KAPPA)
    assert abs(back) < 1.5 * KAPPA * 0.02**2
    assert there is not None


@pytest.mark.equation("flooding-drift")
def test_a_step_moves_the_foot_of_its_gradient_line():
    """Up or down, the foot on the level moves as printed, up to the third power of the rate."""
    for sign in (1, -1):
        errors = [
            (formulas.flooding_drift(POINT, rate, SLOPE, CURVED) - STEPS[sign, rate][0])
            .norm()
            .item()
            for rate in (0.02, 0.01)
        ]
        assert quarter(errors) == pytest.approx(3, abs=0.15)


def path(rate, level, steps, start=(0.7, 1.3)):
    """A flooded descent in the valley: shares of ascent, curvatures and the points passed."""
    x, y = start
    points, signs, kappas = [], [], []
    for _ in range(steps):
        a, b = valley_gradient(x, y)
        sign = 1 if x * x * (1 + y * y) / 2 > level else -1
        along = a * a * (1 + y * y) + 4 * x * y * a * b + b * b * x * x
        points.append((x, y))
        signs.append(sign)
        kappas.append(along / (a * a + b * b))
        x, y = x - sign * rate * a, y - sign * rate * b
    return np.array(points), np.array(signs), np.array(kappas)


RUNS = {rate: path(rate, 0.05, 20_000) for rate in (0.1, 0.05)}


@pytest.mark.equation("flooding-share")
def test_share_of_ascents_in_the_valley():
    """Once at the level, the share of steps up agrees within the rate squared and 1 / steps."""
    for rate, (_, signs, kappas) in RUNS.items():
        measured = (signs[200:] < 0).mean()
        printed = formulas.flooding_share(rate, kappas[200:])
        assert abs(measured - printed) < rate**2 / 20 + 2 / len(signs)
        assert abs(measured - 0.5) > 10 * abs(measured - printed)


@pytest.mark.equation("flooding-valley")
def test_drift_in_the_valley():
    """The flow on the level agrees with the printed one, and flooded descent follows it."""
    level, rate = 0.05, 0.05
    points = RUNS[rate][0]
    for y in (1.1, 0.4):
        p = double([math.sqrt(2 * level / (1 + y**2)), y])
        g, h = slope(valley, p), curved(valley, p)
        across = h @ g - (g @ h @ g) / (g @ g) * g
        assert formulas.flooding_valley(level, y) == pytest.approx(-across[1].item() / 2, rel=1e-12)
    start, stop = 200, 15_000
    foot = to_level(valley, double(points[start]), level)[0][1].item()
    flow = solve_ivp(
        lambda _, y: formulas.flooding_valley(level, y),
        (0, rate**2 * (stop - start)),
        [foot],
        rtol=1e-9,
    )
    assert flow.y[0, -1] == pytest.approx(points[stop, 1], rel=0.01)


@pytest.mark.equation("flooding-flow")
def test_flow_keeps_to_the_level_and_is_the_projected_penalty():
    """At right angles to g, and minus half the Hessian times g but for a multiple of g."""
    flow = formulas.flooding_flow(SLOPE, penalty_slope(wavy, POINT))
    assert abs(flow @ SLOPE).item() < 1e-14
    rest = flow + CURVED @ SLOPE / 2
    torch.testing.assert_close(rest, (rest @ SLOPE) / (SLOPE @ SLOPE) * SLOPE)
    assert flow.norm() > 0.1


@pytest.mark.equation("flooding-decay")
def test_gradient_shrinks_along_the_flow():
    """The printed rate is the derivative of the squared gradient along the projected flow."""
    across = CURVED @ SLOPE - KAPPA * SLOPE
    step = 1e-5
    ends = [(slope(wavy, POINT - move * across / 2) ** 2).sum().item() for move in (-step, step)]
    expected = (ends[1] - ends[0]) / (2 * step)
    assert expected < -0.1
    assert formulas.flooding_decay(SLOPE, CURVED).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.equation("flooding-bend")
def test_bend_of_the_gradient_line():
    """The change of the unit tangent per unit of length along an integrated gradient line."""
    step = 1e-3
    tangents = []
    for change in (step, -step):
        place = to_level(wavy, POINT, LEVEL + change)[0]
        g = slope(wavy, place)
        tangents.append((g / g.norm(), place))
    length = (tangents[0][1] - tangents[1][1]).norm()
    expected = (tangents[0][0] - tangents[1][0]) / length
    torch.testing.assert_close(
        formulas.flooding_bend(SLOPE, CURVED), expected, rtol=1e-4, atol=1e-6
    )


def least_on_level(level):
    """The point of a level of `wavy` with the smallest gradient, on a fine piece of the level."""
    lines = [to_level(wavy, double([1.0, y]), level)[0] for y in np.linspace(-0.6, 0.2, 9)]
    sizes = [(slope(wavy, p) ** 2).sum().item() for p in lines]
    place = int(np.argmin(sizes))
    p = lines[place]
    for _ in range(300):  # the projected flow, with the loss put right after each step
        g, h = slope(wavy, p), curved(wavy, p)
        p = p - 0.2 * (h @ g - (g @ h @ g) / (g @ g) * g)
        p = p - (wavy(p) - level) * slope(wavy, p) / (slope(wavy, p) ** 2).sum()
    return p


LEAST = least_on_level(2.0)


@pytest.mark.equation("flooding-stationary")
def test_where_the_drift_ends_the_gradient_is_an_eigenvector():
    """At the smallest gradient on a level both sides agree; elsewhere on it they do not."""
    g, h = slope(wavy, LEAST), curved(wavy, LEAST)
    left, right = formulas.flooding_stationary(g, h)
    torch.testing.assert_close(left, right, rtol=1e-8, atol=1e-10)
    near = [to_level(wavy, LEAST + double([0.0, y]), 2.0)[0] for y in (-0.05, 0.05)]
    assert min((slope(wavy, p) ** 2).sum() for p in near) > (g**2).sum()
    left, right = formulas.flooding_stationary(SLOPE, CURVED)
    assert (left - right).norm() > 0.1
