"""Checks of entropic transport, and of the ways to make and change word vectors."""

import functools

import mpmath
import numpy as np
import pytest
from tests.equations.support import assert_agree, assert_rising, high_precision
from tests.equations.word_transport import formulas
from tests.equations.word_transport.geometry import draw_vectors, floats, line
from tests.equations.word_transport.problems import problems

from scispaces.datasets.word_vectors import vectors_by_counting
from scispaces.studies.word_converters import all_but_the_top, conceptor_negation, sif_weights
from scispaces.transport import sinkhorn

EPSILON = 0.7


@functools.cache
def _solved(number, epsilon=EPSILON):
    problem = problems()[number]
    found = sinkhorn(
        line(problem.p), line(problem.q), floats(problem.cost), epsilon, tolerance=1e-13
    )
    return (
        line(problem.p).tolist(),
        line(problem.q).tolist(),
        floats(problem.cost).tolist(),
        found,
        found.plan.tolist(),
        found.source_potentials.tolist(),
        found.sink_potentials.tolist(),
    )


@pytest.mark.equation("word-transport-entropic")
def test_objective_is_least_at_the_librarys_plan():
    """At the plan it is the library's value; moved round a cycle it grows either way."""
    for number in range(4):
        p, q, cost, found, plan, _, _ = _solved(number)
        least = formulas.word_transport_entropic(plan, cost, p, q, EPSILON)
        assert_agree(float(least), float(found.value), 1e-9)
        tenth = min(x for row in plan for x in row) / 10
        for small in (tenth, -tenth):
            moved = [list(row) for row in plan]
            for (i, j), sign in (((0, 0), 1), ((0, 1), -1), ((1, 1), 1), ((1, 0), -1)):
                moved[i][j] += sign * small
            assert formulas.word_transport_entropic(moved, cost, p, q, EPSILON) > least


@pytest.mark.equation("word-transport-entropic-plan")
def test_plan_is_the_product_tilted_by_potentials():
    """The printed form gives the library's plan cell by cell."""
    for number in range(4):
        p, q, cost, _, plan, f, g = _solved(number)
        for i in range(len(p)):
            for j in range(len(q)):
                value = formulas.word_transport_entropic_plan(p, q, cost, f, g, EPSILON, i, j)
                assert_agree(float(value), plan[i][j], 1e-10)


@pytest.mark.equation("word-transport-sinkhorn-step")
def test_a_step_makes_the_row_sums_right():
    """For any g the printed f makes the row sums right; at the optimum it changes nothing."""
    for number in range(4):
        p, q, cost, _, _, f, best = _solved(number)
        g = [0.3 * j - 0.4 for j in range(len(q))]
        step = [
            formulas.word_transport_sinkhorn_step(q, cost, g, EPSILON, i) for i in range(len(p))
        ]
        for i, mass in enumerate(p):
            row = [
                formulas.word_transport_entropic_plan(p, q, cost, step, g, EPSILON, i, j)
                for j in range(len(q))
            ]
            assert_agree(float(sum(row)), mass, 1e-12)
            fixed = formulas.word_transport_sinkhorn_step(q, cost, best, EPSILON, i)
            assert_agree(float(fixed), f[i], 1e-8)


@pytest.mark.equation("word-transport-entropic-value")
def test_value_is_what_the_potentials_earn():
    """The printed sum is the objective at the plan."""
    for number in range(4):
        p, q, cost, _, plan, f, g = _solved(number)
        objective = formulas.word_transport_entropic(plan, cost, p, q, EPSILON)
        assert_agree(
            float(formulas.word_transport_entropic_value(p, q, f, g)), float(objective), 1e-9
        )


@pytest.mark.equation("word-transport-entropic-bias")
def test_bias_is_between_zero_and_the_smaller_entropy():
    """Exact value, cost of the plan, value, bound: rising; the bound is met as epsilon falls."""
    for number, problem in enumerate(problems()):
        for epsilon in (0.05, EPSILON, 3.0):
            p, q, _, found, _, _, _ = _solved(number, epsilon)
            bound = formulas.word_transport_entropic_bias(problem.value, p, q, epsilon)
            assert_rising(problem.value - 1e-12, found.cost + 1e-12, found.value + 2e-12, bound)
    # Equal masses with a large cost off the diagonal: the only plan is the diagonal one.
    half = np.array([0.5, 0.5])
    found = sinkhorn(half, half, 100.0 * (1 - np.eye(2)), 1.0)
    assert_agree(
        formulas.word_transport_entropic_bias(0.0, [0.5, 0.5], [0.5, 0.5], 1.0),
        float(found.value),
        1e-9,
    )
    # The smaller of two different entropies, not the larger, is the bound.
    sides = [0.9, 0.1], [0.5, 0.5]
    smaller = float(-mpmath.mpf("0.9") * mpmath.log("0.9") - mpmath.mpf("0.1") * mpmath.log("0.1"))
    assert_agree(formulas.word_transport_entropic_bias(0.0, *sides, 2.0), 2 * smaller, 1e-12)


@pytest.mark.equation("word-transport-entropic-slope")
def test_value_grows_with_epsilon_at_the_information_in_the_plan():
    """The difference quotient of the value is the printed sum."""
    for number in range(4):
        p, q, _, _, plan, _, _ = _solved(number)
        low, high = (_solved(number, EPSILON + step)[3].value for step in (-1e-4, 1e-4))
        slope = formulas.word_transport_entropic_slope(plan, p, q)
        assert_agree(float(slope), float(high - low) / 2e-4, 1e-6)
        assert slope > 0


@pytest.mark.equation("word-transport-two-points")
def test_two_points_in_closed_form():
    """Cost and value of the library on two points at distance 1 from each other."""
    half = np.array([0.5, 0.5])
    for epsilon in (0.2, 0.5, 2.0):
        found = sinkhorn(half, half, 1 - np.eye(2), epsilon, tolerance=1e-13)
        cost, value = formulas.word_transport_two_points(mpmath.mpf(epsilon))
        assert_agree(float(cost), float(found.cost), 1e-11)
        assert_agree(float(value), float(found.value), 1e-11)


@pytest.mark.equation("word-transport-divergence")
def test_divergence_is_zero_for_equal_masses_and_positive_for_others():
    """For p = q it vanishes while the value does not; for other masses it is positive."""
    places = np.array([[0.0], [1.0], [2.5]])
    cost = np.abs(places - places.T)
    p, q = np.array([0.2, 0.5, 0.3]), np.array([0.6, 0.1, 0.3])

    def value(a, b):
        return float(sinkhorn(a, b, cost, EPSILON, tolerance=1e-13).value)

    assert value(p, p) > 0.1
    assert_agree(
        formulas.word_transport_divergence(value(p, p), value(p, p), value(p, p)), 0, 1e-12
    )
    found = formulas.word_transport_divergence(value(p, q), value(p, p), value(q, q))
    assert 0 < found < value(p, q)
    assert_agree(value(p, q) - found, (value(p, p) + value(q, q)) / 2, 1e-12)


@pytest.mark.equation("word-transport-ppmi")
def test_information_of_two_words_from_counts():
    """Twice as often as by chance gives log 2, more rarely 0; products of vectors agree."""
    assert_agree(formulas.word_transport_ppmi(20, 50, 40, 200), mpmath.log(2), 1e-14)
    assert formulas.word_transport_ppmi(1, 50, 40, 200) == 0
    # Three words that occur next to each other: pairs a b twice, b c once, counted both ways.
    corpus = [["a", "b"], ["a", "b"], ["b", "c"]] * 5
    table = vectors_by_counting(corpus, dimensions=2, window=1, exponent=1.0)
    a, b, c = (table.vectors[table.rows[word]].astype(float) for word in "abc")
    pairs = {("a", "b"): 10, ("b", "c"): 5, ("a", "c"): 0}
    totals = {"a": 10, "b": 15, "c": 5}
    info = {
        pair: float(formulas.word_transport_ppmi(n, totals[pair[0]], totals[pair[1]], 30))
        if n
        else 0
        for pair, n in pairs.items()
    }
    matrix = np.array(
        [[0, info["a", "b"], 0], [info["a", "b"], 0, info["b", "c"]], [0, info["b", "c"], 0]]
    )
    assert np.allclose(np.array([a, b, c]) @ np.array([a, b, c]).T, matrix @ matrix.T, atol=1e-5)


@pytest.mark.equation("word-transport-sif")
def test_frequent_words_weigh_little():
    """Agrees with the study's weights, from 1 for a word never seen down."""
    counts = {"the": 990, "sea": 10}
    for word, share in (("the", 0.99), ("sea", 0.01), ("whale", 0.0)):
        value = formulas.word_transport_sif(share, 1e-3)
        assert_agree(value, float(sif_weights([word], counts)[0]), 1e-12)


@pytest.mark.equation("word-transport-top")
def test_removal_leaves_nothing_along_the_removed_directions():
    """Agrees with the study's function, two directions removed."""
    table = floats(draw_vectors(12, 501)).astype(np.float32)
    mean = table.mean(0, dtype=np.float64)
    _, basis = np.linalg.eigh((table - mean).T @ (table - mean))
    directions = basis[:, 1:].T.tolist()
    expected = all_but_the_top(table, 2)
    assert np.abs(expected @ basis[:, 1:]).max() < 1e-5
    for row in range(3):
        for k in range(3):
            word = table[row].tolist()
            value = formulas.word_transport_top(word, mean.tolist(), directions, k)
            assert_agree(float(value), float(expected[row, k]), 1e-5)


@pytest.mark.equation("word-transport-conceptor")
@high_precision
def test_strong_directions_are_damped():
    """The study multiplies a vector along an axis of a given mean square by the factor."""
    table = np.diag([3.0, 1.0, 0.2]).astype(np.float32)
    damped = conceptor_negation(table, aperture=2.0)
    for k in range(3):
        factor = formulas.word_transport_conceptor(
            mpmath.mpf(float(table[k, k])) ** 2 / 3, mpmath.mpf(2)
        )
        assert_agree(float(damped[k, k]), float(factor * float(table[k, k])), 1e-5)
