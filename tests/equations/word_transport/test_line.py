"""Checks of transport on the line: everything moves at the rate of the two distributions."""

import functools
import itertools
from fractions import Fraction

import pytest
from tests.equations.support import assert_agree
from tests.equations.word_transport import formulas
from tests.equations.word_transport.geometry import draw_masses
from tests.equations.word_transport.problems import NEAR, optimum

X = [Fraction(k, 7) for k in (3, 12, -4, 8)]
Y = [Fraction(k, 7) for k in (5, -9, 20)]
P, Q = draw_masses(4, seed=31), draw_masses(3, seed=32)
COST = [[abs(a - b) for b in Y] for a in X]


def steps_over(places):
    """The exact integral of a function that is constant between the places and 0 outside."""
    ordered = sorted(places)

    def integral(function):
        return sum(
            (after - before) * function((before + after) / 2)
            for before, after in itertools.pairwise(ordered)
        )

    return integral


def quantile(masses, places):
    """The least place below or at which lies at least the given share of the mass."""
    ordered = sorted(zip(places, masses, strict=True))

    def inverse(level):
        total = 0
        for place, mass in ordered:
            total += mass
            if total >= level:
                return place
        return ordered[-1][0]

    return inverse


def levels(masses, places):
    total, found = 0, [Fraction(0)]
    for _, mass in sorted(zip(places, masses, strict=True)):
        total += mass
        found.append(total)
    return found


@functools.cache
def _monotone():
    """The plan that moves masses in order, by filling from the left."""
    plan = [[Fraction(0)] * len(Y) for _ in X]
    p, q = list(P), list(Q)
    for i in sorted(range(len(X)), key=X.__getitem__):
        for j in sorted(range(len(Y)), key=Y.__getitem__):
            moved = min(p[i], q[j])
            plan[i][j] += moved
            p[i] -= moved
            q[j] -= moved
    return plan


@pytest.mark.equation("word-transport-line-distance")
def test_distance_counts_the_points_that_lie_between():
    """The integral over places between two points is their distance, in both orders."""
    for x in X:
        for y in Y:
            left, right = formulas.word_transport_line_distance(x, y, steps_over([x, y, -5, 5]))
            assert left == right == max(x, y) - min(x, y)


@pytest.mark.equation("word-transport-line-distance")
def test_distance_counts_the_left_end():
    """Tried at the left ends of the steps, where the points themselves lie, it is the same."""

    def left_ends(function):
        return (Y[0] - X[0]) * function(X[0])

    for x, y in ((X[0], Y[0]), (Y[0], X[0])):
        left, right = formulas.word_transport_line_distance(x, y, left_ends)
        assert left == right > 0


@pytest.mark.equation("word-transport-line-flow")
def test_what_crosses_a_point_is_the_same_for_all_plans():
    """For a product plan and the plan in order, at many points, both sides are equal."""
    crossed = set()
    product = [[a * b for b in Q] for a in P]
    for plan in (_monotone(), product):
        for t in (*X, *Y, Fraction(-3), Fraction(0), Fraction(9)):
            left, right = formulas.word_transport_line_flow(plan, X, Y, P, Q, t)
            assert left == right
            crossed.add(right)
    assert len(crossed) > 3


@pytest.mark.equation("word-transport-line")
def test_area_between_the_curves_is_the_optimum():
    """The integral equals the cost of the plan in order, and the solver's value."""
    area = formulas.word_transport_line(P, X, Q, Y, steps_over([*X, *Y]))
    assert area == formulas.word_transport_emd([_monotone()], COST)
    assert_agree(float(area), optimum(P, Q, COST), NEAR)


@pytest.mark.equation("word-transport-line")
def test_area_at_the_very_places_counts_their_mass():
    """A function tried at the left ends, where mass sits, gives the same area."""
    ordered = sorted([*X, *Y])

    def left_ends(function):
        pairs = itertools.pairwise(ordered)
        return sum((after - before) * function(before) for before, after in pairs)

    area = formulas.word_transport_line(P, X, Q, Y, left_ends)
    assert area == formulas.word_transport_emd([_monotone()], COST)


@pytest.mark.equation("word-transport-line-quantiles")
def test_area_measured_sideways_is_the_same():
    """The integral over levels of the difference of quantiles is the cost of the plan in order."""
    integral = steps_over({*levels(P, X), *levels(Q, Y)})
    area = formulas.word_transport_line_quantiles(quantile(P, X), quantile(Q, Y), integral)
    assert area == formulas.word_transport_emd([_monotone()], COST)


@pytest.mark.equation("word-transport-line-sorted")
def test_equal_masses_are_matched_in_order():
    """Four points against four: sorted differences give the solver's value."""
    other = [Fraction(k, 5) for k in (11, -2, 3, 0)]
    value = formulas.word_transport_line_sorted(X, other)
    quarter = [Fraction(1, 4)] * 4
    cost = [[abs(a - b) for b in other] for a in X]
    assert_agree(float(value), optimum(quarter, quarter, cost), NEAR)
