"""Checks of the descent along the negative gradient: what an adversary can do, and what follows.

The adversary chooses how the gradient v changes along the step, at any rate up to L0 + L1 |v|, in
the plane. Its best paths are followed numerically, with every first direction.
"""

import functools
import math

import mpmath
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from tests.equations.gradient_clipping import formulas
from tests.equations.gradient_clipping.worlds import LINES, extremal
from tests.equations.support import assert_agree, assert_rising, high_precision

SATURATIONS = [mpmath.mpf(k) / 20 for k in range(1, 20)]
LEVELS = [(1.0, 1.0, 1.0), (4.0, 1.0, 0.5), (0.3, 2.0, 1.0), (50.0, 1.0, 1.0)]


def _rates(_, state, l0, l1):
    return formulas.gradient_clipping_turning(*state, l0, l1, math.cos, math.sin)


def _ends(norm, length, l0, l1, directions):
    """Component along the first gradient, and last heading, of the paths that start in directions.

    A path starts at `norm` on the axis, headed `direction` off the way to the origin.
    """
    found = []
    for direction in directions:
        state = [norm, 0.0, direction]
        path = solve_ivp(_rates, (0, length), state, args=(l0, l1), rtol=1e-9, atol=1e-11)
        last, place, heading = path.y[:, -1]
        found.append((last * math.cos(place), heading))
    return found


@functools.cache
def _random_paths(norm, length, l0, l1):
    """Least component along the first gradient over random paths at full speed, step by step."""
    generator = np.random.default_rng(0)
    paths, steps = 4000, 200
    v = np.zeros((paths, 2))
    v[:, 0] = norm
    angle = generator.uniform(0, 2 * math.pi, paths)
    bends = generator.normal(0, 2, (4, paths))
    for step in range(steps):
        s = step / steps
        heading = angle + bends[0] * s + bends[1] * s**2 + bends[2] * np.sin(6 * s + bends[3])
        speed = l0 + l1 * np.linalg.norm(v, axis=1)
        v += (length / steps * speed)[:, None] * np.stack([np.cos(heading), np.sin(heading)], 1)
    return v[:, 0].min()


def _slope_at(norm, l0, l1, length):
    return formulas.gradient_clipping_slope(norm, length, l0, l1)


@pytest.mark.equation("gradient-clipping-slope")
@high_precision
def test_slope_of_the_straight_path():
    """It starts at the norm, falls at the rate L0 + L1 times itself; the extremal line has it."""
    for norm, l0, l1 in LEVELS:
        norm, l0, l1 = map(mpmath.mpf, (norm, l0, l1))
        assert_agree(formulas.gradient_clipping_slope(norm, 0, l0, l1), norm)
        for s in (mpmath.mpf("0.1"), mpmath.mpf("0.2")):
            rate = mpmath.diff(functools.partial(_slope_at, norm, l0, l1), s)
            slope = formulas.gradient_clipping_slope(norm, s, l0, l1)
            assert_agree(rate, -(l0 + l1 * slope), 1e-20)
            if slope > 0:
                assert_agree(slope, extremal(norm, l0, l1).slope(-s), 1e-40)


@pytest.mark.equation("gradient-clipping-slope")
def test_no_path_in_the_plane_does_better_on_soft_steps():
    """At the end of a soft step neither random paths nor the best bent ones go below it."""
    for norm, l0, l1 in LEVELS:
        length = norm / (l0 + l1 * norm)
        floor = float(formulas.gradient_clipping_slope(norm, length, l0, l1))
        # Euler steps overshoot a little: the straight one ends at norm (1 - h L1)^200 and so on.
        assert _random_paths(norm, length, l0, l1) >= floor - 0.005 * norm
        ends = _ends(norm, length, l0, l1, np.linspace(0.02, math.pi - 0.02, 25))
        assert min(component for component, _ in ends) >= floor - 1e-6 * norm
        assert min(component for component, _ in ends) <= floor + 0.01 * norm


@pytest.mark.equation("gradient-clipping-slope")
@high_precision
def test_slope_of_the_lines_keeps_above():
    """On every line the slope in the direction of the first one stays above, on soft steps."""
    for line in LINES:
        for place in range(-6, 7):
            theta = mpmath.mpf(place) / 2
            norm = abs(line.slope(theta))
            if norm == 0:
                continue
            sign = mpmath.sign(line.slope(theta))
            length = norm / (line.l0 + line.l1 * norm)
            for part in (length / 3, length):
                slope = sign * line.slope(theta - sign * part)
                floor = formulas.gradient_clipping_slope(norm, part, line.l0, line.l1)
                assert slope >= floor - mpmath.mpf("1e-40")


@pytest.mark.equation("gradient-clipping-turning")
def test_equations_of_the_best_paths():
    """Polar coordinates of a path at full speed; the direction obeys the costate equation.

    Minimising <e, v(T)> for v' = -(L0 + L1 |v|) p / |p| makes p' = L1 |p| v / |v|.
    """
    l0, l1 = 1.3, 0.8
    norm, place, heading = 2.0, 0.4, 0.7
    towards = math.pi - heading  # direction of the motion of v in the plane
    velocity = (l0 + l1 * norm) * np.array([math.cos(towards), math.sin(towards)])
    radial = np.array([math.cos(place), math.sin(place)])
    around = np.array([-math.sin(place), math.cos(place)])
    printed = formulas.gradient_clipping_turning(norm, place, heading, l0, l1, math.cos, math.sin)
    assert printed[0] == pytest.approx(velocity @ radial, rel=1e-12)
    assert printed[1] == pytest.approx(velocity @ around / norm, rel=1e-12)
    costate = -np.array([math.cos(towards), math.sin(towards)])
    change = l1 * radial
    across = np.array([-costate[1], costate[0]])
    # The angle of p, and with it that of the motion, turns at this rate; heading = pi - angle.
    assert printed[2] == pytest.approx(-(change @ across), rel=1e-12)


@pytest.mark.equation("gradient-clipping-reach")
def test_beyond_the_reach_a_bent_path_wins_and_within_it_none_does():
    """Just inside all headings stay positive; just outside one is negative and ends lower."""
    l0, l1 = 1.0, 1.0
    for q in (0.3, 0.6, 0.9):
        norm = q / (1 - q) * l0 / l1

        def excess(t, q=q):
            left, right = formulas.gradient_clipping_reach(mpmath.mpf(q), t)
            return left - right

        reach = float(mpmath.findroot(excess, (q, -math.log(1 - q) * 0.9999), solver="anderson"))
        assert q < reach < -math.log(1 - q)
        narrow = np.linspace(0.002, 0.2, 30)
        inside = _ends(norm, 0.995 * reach / l1, l0, l1, narrow)
        assert min(heading for _, heading in inside) > 0
        outside = _ends(norm, min(1.01 * reach, 0.9999 * -math.log(1 - q)) / l1, l0, l1, narrow)
        assert min(heading for _, heading in outside) < 0
        left, right = formulas.gradient_clipping_reach(mpmath.mpf(q), mpmath.mpf(0))
        assert_agree(left, 0, 1e-14)
        assert_agree(right, 1 / mpmath.mpf(q), 1e-14)


@pytest.mark.equation("gradient-clipping-turning")
def test_ends_of_neighbouring_paths_are_at_right_angles_to_the_costate():
    """The difference of two ends lies along (sin, cos) of the last heading: <p, dv> stays zero."""
    for q, length in ((0.5, 0.4), (0.8, 0.8), (0.8, 1.3)):
        for first in (0.1, 1.0):
            ends, last = [], 0.0
            for direction in (first - 1e-5, first, first + 1e-5):
                start = [q, 0.0, direction]
                path = solve_ivp(
                    _rates, (0, length), start, args=(1 - q, 1.0), rtol=1e-12, atol=1e-14
                )
                norm, place, heading = path.y[:, -1]
                ends.append(norm * np.array([math.cos(place), math.sin(place)]))
                if direction == first:
                    last = heading
            moved = (ends[2] - ends[0]) / 2e-5
            costate = np.array([math.cos(last), -math.sin(last)])
            assert np.linalg.norm(moved) > 0.01
            assert abs(moved @ costate) < 1e-5 * np.linalg.norm(moved)


@pytest.mark.equation("gradient-clipping-turned")
def test_how_far_a_path_turns():
    """The heading turns by less than printed, and for a first direction near zero by as much."""
    for q, t in ((0.3, 0.3), (0.7, 0.5), (0.9, 0.9)):
        norm, length = q / (1 - q), t
        for first in (0.001, 0.5, 2.0):
            [(_, heading)] = _ends(norm, length, 1.0, 1.0, [first])
            bound = float(formulas.gradient_clipping_turned(first, mpmath.mpf(q), mpmath.mpf(t)))
            assert first - heading < bound * (1 + 1e-6)
            if first < 0.01:
                assert first - heading > bound * (1 - 1e-4)


@pytest.mark.equation("gradient-clipping-soft-reaches")
@high_precision
def test_soft_steps_are_within_the_reach():
    """The left side is below the right one; their difference falls in q and is zero at one."""
    gaps = []
    for q in SATURATIONS:
        left, right = formulas.gradient_clipping_soft_reaches(q)
        assert_agree(left, q + mpmath.log(q) - mpmath.log(1 - (1 - q) * mpmath.exp(q)))
        assert_agree(right * q, 1)
        gaps.append(right - left)
        slope = mpmath.diff(lambda x: formulas.gradient_clipping_soft_reaches(x)[0] - 1 / x, q)
        inside = 1 - (1 - q) * mpmath.exp(q)
        assert_agree(slope, (1 + q + q * q - mpmath.exp(q)) / (q * q * inside), 1e-15)
        assert mpmath.exp(q) < 1 + q + q * q
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] > 0
    left, right = formulas.gradient_clipping_soft_reaches(mpmath.mpf(1))
    assert_agree(left, right)


@pytest.mark.equation("gradient-clipping-downhill")
@high_precision
def test_descent_is_the_integral_of_the_slope():
    """Its derivative is minus the slope; the extremal line attains it down to its minimum."""
    for norm, l0, l1 in LEVELS:
        norm, l0, l1 = map(mpmath.mpf, (norm, l0, l1))
        line = extremal(norm, l0, l1)
        for length in (mpmath.mpf("0.05"), mpmath.log(1 + l1 * norm / l0) / l1):
            new = formulas.gradient_clipping_downhill(line.value(0), norm, length, l0, l1)
            assert_agree(new, line.value(-length), 1e-35)


@pytest.mark.equation("gradient-clipping-downhill-descent")
@high_precision
def test_share_of_the_soft_step():
    """From the descent itself; it rises from one half to 1 - 1/e."""
    l0, l1 = mpmath.mpf(3), mpmath.mpf("0.7")
    shares = []
    for q in SATURATIONS:
        least, share, most = formulas.gradient_clipping_downhill_descent(q)
        norm = q / (1 - q) * l0 / l1
        allowance = l0 + l1 * norm
        length = norm / allowance
        change = -(norm + l0 / l1) * (1 - mpmath.exp(-l1 * length)) / l1 + l0 / l1 * length
        assert_agree(share, -change * allowance / norm**2)
        assert least < share < most
        shares.append(share)
    assert_rising(*shares)
    _, share, most = formulas.gradient_clipping_downhill_descent(mpmath.mpf(1))
    assert_agree(share, most)
    least, share, _ = formulas.gradient_clipping_downhill_descent(mpmath.mpf("1e-9"))
    assert_agree(least, share, 1e-8)


@pytest.mark.equation("gradient-clipping-half")
@high_precision
def test_soft_clipping_gains_at_least_half():
    """On every line from many places; no larger share would do, as a parabola shows."""
    for line in LINES:
        for place in range(-12, 13):
            theta = mpmath.mpf(place) / 3
            slope = line.slope(theta)
            new = line.value(theta - slope / (line.l0 + line.l1 * abs(slope) or 1))
            bound = formulas.gradient_clipping_half(line.value(theta), abs(slope), line.l0, line.l1)
            assert new <= bound + mpmath.mpf("1e-40")
    # x^2 with L0 = 2: the soft step with a tiny L1 is the step to the minimum.
    bound = formulas.gradient_clipping_half(mpmath.mpf(9), mpmath.mpf(6), 2, mpmath.mpf("1e-30"))
    assert_agree(bound, 0, 1e-25)
    assert_agree(formulas.gradient_clipping_half(10, 6, mpmath.mpf(2), 3), 10 - mpmath.mpf(36) / 40)


@pytest.mark.equation("gradient-clipping-extremal")
@high_precision
def test_extremal_function_meets_the_condition_with_equality():
    """Slope at 0 is the norm; curvature is L0 + L1 slope where the slope is positive."""
    for norm, l0, l1 in LEVELS:
        norm, l0, l1 = map(mpmath.mpf, (norm, l0, l1))
        known = extremal(norm, l0, l1)
        start = formulas.gradient_clipping_extremal(mpmath.mpf(0), norm, l0, l1)
        for theta in (mpmath.mpf("-0.05"), mpmath.mpf("0.7"), mpmath.mpf(2)):
            value = formulas.gradient_clipping_extremal(theta, norm, l0, l1)
            assert_agree(value - start, known.value(theta) - known.value(0), 1e-35)
            assert_agree(known.curvature(theta), l0 + l1 * known.slope(theta), 1e-35)


@pytest.mark.equation("gradient-clipping-line-step")
@high_precision
def test_best_step_on_a_line_reaches_the_minimum_of_the_extremal_function():
    """The slope after it is zero; it is longer than the soft step, without bound in the norm."""
    for norm, l0, l1 in LEVELS:
        norm, l0, l1 = map(mpmath.mpf, (norm, l0, l1))
        step = formulas.gradient_clipping_line_step(norm, l0, l1)
        assert_agree((norm + l0 / l1) * mpmath.exp(-l1 * step), l0 / l1)
        assert step > norm / (l0 + l1 * norm)


@pytest.mark.equation("gradient-clipping-hard-descent")
@high_precision
def test_hard_clipping_at_half_the_rate_gains_a_quarter():
    """On every line with L0 > 0 from many places; the quarter is that of the concave descent."""
    for line in LINES:
        if line.l0 == 0:
            continue
        for place in range(-12, 13):
            theta = mpmath.mpf(place) / 3
            slope = line.slope(theta)
            length = min(abs(slope), line.l0 / line.l1) / (2 * line.l0)
            new = line.value(theta - mpmath.sign(slope) * length)
            bound = formulas.gradient_clipping_hard_descent(
                line.value(theta), abs(slope), line.l0, line.l1
            )
            assert new <= bound + mpmath.mpf("1e-40")
    for q in SATURATIONS:  # l0 = l1 = 1: the guarantee of the hard step against the quarter
        norm = q / (1 - q)
        length = min(norm, 1) / 2
        gain = (norm + 1) * (1 - mpmath.exp(-length)) - length
        printed = formulas.gradient_clipping_hard_descent(0, norm, 1, 1)
        assert gain >= -printed
        assert_agree(-4 * printed, norm * q)


@pytest.mark.equation("gradient-clipping-iterations")
@pytest.mark.equation("gradient-clipping-far-steps")
@high_precision
def test_number_of_soft_steps():
    """The bounds are what the least descent allows, and runs on every line keep to them."""
    gap, accuracy, l0, l1 = map(mpmath.mpf, (5, "0.1", 2, 3))
    per_step = accuracy**2 / (2 * (l0 + l1 * accuracy))
    bound = formulas.gradient_clipping_iterations(gap, accuracy, l0, l1)
    assert_agree(bound, gap / per_step)
    threshold = l0 / l1
    least_gain = threshold**2 / (2 * (l0 + l1 * threshold))
    assert_agree(least_gain, l0 / (4 * l1**2))
    assert_agree(formulas.gradient_clipping_far_steps(gap, l0, l1), gap / least_gain)
    for line, least in ((LINES[0], 0), (LINES[1], 0), (extremal(40, 1, 1), 0)):
        theta, count, far = mpmath.mpf(3), 0, 0
        gap = line.value(theta) - least
        while abs(line.slope(theta)) > accuracy:
            slope = line.slope(theta)
            far += abs(slope) >= line.l0 / line.l1
            theta, count = theta - slope / (line.l0 + line.l1 * abs(slope)), count + 1
        assert count > 2
        assert count <= formulas.gradient_clipping_iterations(gap, accuracy, line.l0, line.l1)
        assert 1 <= far <= formulas.gradient_clipping_far_steps(gap, line.l0, line.l1)


@pytest.mark.equation("gradient-clipping-fixed-iterations")
@high_precision
def test_number_of_steps_of_fixed_size():
    """The bound is that of constant smoothness L0 + L1 M; runs on the lines keep to it."""
    gap, accuracy, most, l0, l1 = map(mpmath.mpf, (5, "0.1", 7, 3, 2))
    bound = formulas.gradient_clipping_fixed_iterations(gap, accuracy, most, l0, l1)
    assert_agree(bound, gap / (accuracy**2 / (2 * (l0 + l1 * most))))
    line, theta, count = LINES[0], mpmath.mpf(2), 0
    gap, most = line.value(theta), line.slope(theta)
    bound = formulas.gradient_clipping_fixed_iterations(gap, accuracy, most, line.l0, line.l1)
    while abs(line.slope(theta)) > accuracy:
        theta, count = theta - line.slope(theta) / (line.l0 + line.l1 * most), count + 1
    assert 10 < count <= bound
