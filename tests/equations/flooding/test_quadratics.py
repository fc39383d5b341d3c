"""Checks on quadratic losses, where every step of flooding is a multiplication."""

import math

import mpmath
import numpy as np
import pytest
from tests.equations.flooding import formulas
from tests.equations.flooding.landscapes import double, quarter
from tests.equations.support import assert_agree, high_precision


def ellipse(rate, eigenvalues, steps, level=0.05, start=0.3, up=None):
    """Flooded descent on sum(eigenvalue x^2) / 2: logs of |x|, share of steps up, losses."""
    eigenvalues = np.array(eigenvalues)
    logs = np.full(len(eigenvalues), math.log(start))
    down_log = np.log(np.abs(1 - rate * eigenvalues))
    up_log = np.log(1 + (rate if up is None else up) * eigenvalues)
    losses, ups = [], 0
    for _ in range(steps):
        loss = float((eigenvalues * np.exp(2 * logs)).sum() / 2)
        losses.append(loss)
        ups += loss < level
        logs = logs + (down_log if loss > level else up_log)
    return logs, ups / steps, losses


@pytest.mark.equation("flooding-line-step")
def test_name_of_a_gradient_line_changes_alike_up_and_down():
    """On an ellipse the name log x / a - log y / b moves as printed, with a cubic error."""
    first, second = 3.0, 1.0
    x, y = 0.4, 0.7
    name = math.log(x) / first - math.log(y) / second
    product = double([first**2 * x, second**2 * y])
    name_slope = double([1 / (first * x), -1 / (second * y)])
    for sign in (1, -1):
        errors = []
        for rate in (0.02, 0.01):
            there = (
                math.log(x * (1 - sign * rate * first)) / first
                - math.log(y * (1 - sign * rate * second)) / second
            )
            printed = formulas.flooding_line_step(name, rate, product, name_slope).item()
            errors.append(abs(there - printed))
        assert quarter(errors) == pytest.approx(3, abs=0.1)


LONG = ellipse(0.02, (3.0, 1.0), 20_000)


@pytest.mark.equation("flooding-ellipse")
def test_drift_on_an_ellipse():
    """After 20 000 steps the name of the gradient line has moved as printed, within 2 per cent."""
    logs, _, _ = LONG
    start = math.log(0.3) * (1 / 3 - 1)
    moved = logs[0] / 3 - logs[1] - start
    printed = formulas.flooding_ellipse(0.02, 3.0, 1.0, 20_000)
    assert printed == pytest.approx(moved, rel=0.02)
    assert moved < -5


@pytest.mark.equation("flooding-flattest")
def test_gradients_on_an_ellipse_lie_between_its_axes():
    """Random points of a level keep to the bounds; the axes attain them."""
    level, eigenvalues = 0.3, np.array([0.5, 1.0, 4.0])
    low, high = formulas.flooding_flattest(level, eigenvalues.tolist())
    generator = np.random.default_rng(1)
    u = generator.normal(size=(2000, 3))
    u *= np.sqrt(2 * level / (eigenvalues * u**2).sum(axis=1, keepdims=True))
    sizes = ((eigenvalues * u) ** 2).sum(axis=1)
    assert low <= sizes.min()
    assert sizes.max() <= high
    ends = [
        eigenvalue**2 * (2 * level / eigenvalue) for eigenvalue in (eigenvalues[0], eigenvalues[2])
    ]
    assert [low, high] == pytest.approx(ends, rel=1e-12)


@pytest.mark.equation("flooding-bounded")
def test_loss_of_a_flooded_quadratic_is_bounded():
    """No loss passes the bound while rate times eigenvalue is at most two, and one attains it."""
    for start in (0.1, 0.5):
        for rate in (0.05, 0.4, 0.66):
            losses = ellipse(rate, (3.0, 1.0), 500, start=start)[2]
            bound = formulas.flooding_bounded(losses[0], 0.05, rate, 3.0)
            assert max(losses) <= bound * (1 + 1e-12)
    start = math.sqrt(2 * 0.05 / 3) * (1 - 1e-9)  # just below the level, then up
    losses = ellipse(0.4, (3.0,), 50, start=start)[2]
    bound = formulas.flooding_bounded(losses[0], 0.05, 0.4, 3.0)
    assert max(losses) == pytest.approx(bound, rel=1e-6)
    assert ellipse(0.68, (3.0, 1.0), 300)[2][-1] > 10  # above the limit 2 / 3 it grows


SHARES = {r: ellipse(r, (1.0,), 40_000)[1] for r in (0.1, 0.5, 1.2, 1.41, 1.7)}


@pytest.mark.equation("flooding-share-quadratic")
def test_share_of_ascents_on_a_parabola():
    """40 000 flooded steps have the printed share of steps up, for steps of every length."""
    for r, share in SHARES.items():
        assert float(formulas.flooding_share_quadratic(mpmath.mpf(r))) == pytest.approx(
            share, abs=2e-4
        )


@pytest.mark.equation("flooding-share-quadratic")
@high_precision
def test_share_on_a_parabola_for_small_steps_and_at_the_square_root_of_two():
    """One half plus r / 4 up to the cube of r; exactly one half at r = sqrt(2)."""
    for r in (mpmath.mpf("1e-4"), mpmath.mpf("1e-6")):
        gap = formulas.flooding_share_quadratic(r) - mpmath.mpf(1) / 2 - r / 4
        assert abs(gap / r**3 - mpmath.mpf(1) / 24) < 1e-3
    assert_agree(formulas.flooding_share_quadratic(mpmath.sqrt(2)), mpmath.mpf(1) / 2)


SURVIVORS = {
    (rate, eigenvalues): ellipse(rate, eigenvalues, 20_000)
    for rate, eigenvalues in (
        (0.1, (1.0, 3.0)),
        (0.3, (1.0, 3.0)),
        (0.5, (1.0, 3.0)),
        (0.55, (0.1, 1.0, 3.0)),
    )
}


def own_share(r):
    """The share of steps up that keeps one direction from growing and from shrinking."""
    return math.log(abs(1 - r)) / (math.log(abs(1 - r)) - math.log(1 + r))


@pytest.mark.equation("flooding-survivor")
def test_the_direction_with_the_least_share_survives():
    """The measured share is the least of the directions', and all others have died out."""
    for (rate, eigenvalues), (logs, share, _) in SURVIVORS.items():
        shares = [own_share(rate * eigenvalue) for eigenvalue in eigenvalues]
        assert share == pytest.approx(formulas.flooding_survivor(shares), abs=2e-4)
        alive = int(np.argmax(logs))
        assert shares[alive] == min(shares)
        assert sorted(logs)[-2] < -50


ON_LEVEL = math.sqrt(2 * 0.05 / (3 + 1))
UNEQUAL = {
    (down, up): ellipse(down, (3.0, 1.0), 40_000, start=ON_LEVEL, up=up)
    for down, up in ((0.015, 0.005), (0.004, 0.016))
}


@pytest.mark.equation("flooding-share-two-rates")
@high_precision
def test_share_with_different_rates():
    """It is the exact share on a parabola but for the square of the rates."""
    for scale in (mpmath.mpf("1e-3"), mpmath.mpf("1e-5")):
        down, up, curvature = 3 * scale, scale, mpmath.mpf(2)
        fall = -mpmath.log(1 - down * curvature)
        exact = fall / (fall + mpmath.log(1 + up * curvature))
        printed = formulas.flooding_share_two_rates(down, up, curvature)
        assert abs(printed - exact) < 30 * scale**2


@pytest.mark.equation("flooding-drift-two-rates")
def test_drift_with_different_rates():
    """Both sides agree, and the measured drift on an ellipse has that speed."""
    for (down, up), (logs, _, _) in UNEQUAL.items():
        left, right = formulas.flooding_drift_two_rates(down, up)
        assert left == pytest.approx(right, rel=1e-12)
        moved = logs[0] / 3 - logs[1] - math.log(ON_LEVEL) * (1 / 3 - 1)
        assert moved == pytest.approx(-right * (3 - 1) * 40_000, rel=0.03)
