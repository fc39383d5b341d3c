"""Checks of the word mover's distance and of what bounds it."""

import functools
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from tests.equations.support import assert_agree, assert_rising, high_precision
from tests.equations.word_transport import formulas
from tests.equations.word_transport.geometry import (
    distances,
    draw_masses,
    draw_vectors,
    floats,
    line,
    rotated,
    vertices,
)
from tests.equations.word_transport.problems import NEAR, optimum, problems

from scispaces.transport import emd_plan, rwmd, wcd, wmd

X, Y, Z = (draw_vectors(count, seed) for count, seed in ((4, 51), (3, 52), (5, 53)))
P, Q, R = (draw_masses(count, seed) for count, seed in ((4, 61), (3, 62), (5, 63)))


def _wmd(x, y, p=None, q=None):
    return wmd(
        floats(x), floats(y), p=None if p is None else line(p), q=None if q is None else line(q)
    )


@pytest.mark.equation("word-transport-nbow")
def test_repeated_words_may_be_merged():
    """Counts over distinct words give the distance that the running words give."""
    counts = [1, 3, 2, 1]
    masses = [
        Fraction(formulas.word_transport_nbow([Fraction(c) for c in counts], i)) for i in range(4)
    ]
    assert sum(masses) == 1
    running = [X[i] for i, count in enumerate(counts) for _ in range(count)]
    assert_agree(_wmd(running, Y), _wmd(X, Y, masses), NEAR)


@pytest.mark.equation("word-transport-euclidean-cost")
def test_cost_is_the_length_of_the_difference():
    """The library's distance of one word from one word, and a triangle of sides 3, 4, 5."""
    assert_agree(formulas.word_transport_euclidean_cost([0, 0, 1], [3, 4, 1]), 5)
    for w in X:
        for z in Y:
            value = formulas.word_transport_euclidean_cost(w, z)
            assert_agree(float(value), _wmd([w], [z]), NEAR)


@pytest.mark.equation("word-transport-wmd-similarity")
def test_wmd_scales_with_both_texts_and_ignores_shifts_and_turns():
    """Both texts scaled by -2.5, turned and shifted: the distance is multiplied by 2.5."""
    scale, shift = mpmath.mpf("-2.5"), [1, -2, 3]

    def moved(vectors):
        turned = rotated(vectors, mpmath.mpf("0.7"))
        return [[scale * a + b for a, b in zip(w, shift, strict=True)] for w in turned]

    value = formulas.word_transport_wmd_similarity(scale, _wmd(X, Y, P, Q))
    assert_agree(float(value), _wmd(moved(X), moved(Y), P, Q), NEAR)


def _optimal(x, y, p, q):
    return emd_plan(line(p), line(q), floats(distances(x, y))).plan.tolist()


@functools.cache
def _glued():
    first, second = _optimal(X, Y, P, Q), _optimal(Y, Z, Q, R)
    glued = [
        [formulas.word_transport_gluing(first, second, line(Q), i, k) for k in range(5)]
        for i in range(4)
    ]
    return first, second, glued


@pytest.mark.equation("word-transport-gluing")
def test_glued_plan_has_the_outer_masses():
    """The plan made of two, through the middle text, has the masses of the first and the last."""
    _glued.cache_clear()
    _, _, glued = _glued()
    assert np.allclose(np.sum(glued, 1), line(P), atol=1e-12)
    assert np.allclose(np.sum(glued, 0), line(R), atol=1e-12)
    assert np.count_nonzero(np.array(glued) > 1e-9) > 4


@pytest.mark.equation("word-transport-gluing-cost")
def test_glued_plan_costs_at_most_both():
    """The printed sum is the cost of the two plans, and the glued plan costs no more."""
    first, second, glued = _glued()
    near, far = distances(X, Y), distances(Y, Z)
    both = float(formulas.word_transport_gluing_cost(first, second, near, far))
    assert_agree(both, _wmd(X, Y, P, Q) + _wmd(Y, Z, Q, R), 1e-10)
    direct = float((np.array(glued) * floats(distances(X, Z))).sum())
    assert_rising(_wmd(X, Z, P, R), direct, both)


@pytest.mark.equation("word-transport-triangle")
def test_a_way_through_a_third_text_is_no_shorter():
    """Random texts, and one where the third lies on the way, which makes the sides equal."""
    for seed in range(20):
        x, y, z = (draw_vectors(count, 70 + 3 * seed + k) for k, count in enumerate((3, 4, 2)))
        assert _wmd(x, z) <= formulas.word_transport_triangle(_wmd(x, y), _wmd(y, z)) + 1e-12
    ends = [[0.0, 0.0]], [[1.0, 0.0]], [[4.0, 0.0]]
    value = formulas.word_transport_triangle(_wmd(*ends[:2]), _wmd(*ends[1:]))
    assert_agree(value, _wmd(ends[0], ends[2]), NEAR)


@pytest.mark.equation("word-transport-cancel")
def test_shared_mass_stays_where_it_is():
    """With the shared mass of every word cancelled, what remains costs the same."""
    words, p, q = draw_vectors(5, 81), draw_masses(5, 82), draw_masses(5, 83)
    rest = [formulas.word_transport_cancel(p, q, i) for i in range(5)]
    first, second = [a for a, _ in rest], [b for _, b in rest]
    assert all(min(a, b) == 0 for a, b in rest)
    assert [a - b for a, b in rest] == [a - b for a, b in zip(p, q, strict=True)]
    assert sum(first) == sum(second)
    whole = optimum(p, q, distances(words, words))
    part = optimum(
        [a / sum(first) for a in first], [b / sum(second) for b in second], distances(words, words)
    )
    assert_agree(float(sum(first)) * part, whole, NEAR)


@pytest.mark.equation("word-transport-bow-sandwich")
def test_distance_of_bags_of_words_bounds_from_both_sides():
    """The bounds hold for a table of words, and are the distance if all words are equally far."""
    words, p, q = draw_vectors(5, 84), draw_masses(5, 85), draw_masses(5, 86)
    table = distances(words, words)
    apart = [table[i][j] for i in range(5) for j in range(5) if i != j]
    low, high = formulas.word_transport_bow_sandwich(p, q, min(apart), max(apart))
    assert_rising(float(low), optimum(p, q, table), float(high))
    equal = [[0 if i == j else Fraction(7, 2) for j in range(5)] for i in range(5)]
    value = optimum(p, q, equal)
    for bound in formulas.word_transport_bow_sandwich(p, q, Fraction(7, 2), Fraction(7, 2)):
        assert_agree(float(bound), value, NEAR)


@pytest.mark.equation("word-transport-lipschitz")
def test_a_function_that_changes_slowly_proves_a_bound():
    """Distances from a word change no faster than the cost; the best such function reaches W."""
    words, p, q = draw_vectors(4, 87), draw_masses(4, 88), draw_masses(4, 89)
    table = distances(words, words)
    whole = optimum(p, q, table)
    for far in range(4):
        assert float(formulas.word_transport_lipschitz(table[far], p, q)) <= whole + 1e-12
    u = emd_plan(line(p), line(q), floats(table)).source_potentials
    v = emd_plan(line(p), line(q), floats(table)).sink_potentials
    best = (floats(table) - v[None, :]).min(1)
    for i in range(4):
        for j in range(4):
            assert abs(best[i] - best[j]) <= float(table[i][j]) + 1e-12
    assert (best >= u - 1e-12).all()
    assert_agree(
        float(formulas.word_transport_lipschitz(best.tolist(), line(p), line(q))), whole, 1e-10
    )


@pytest.mark.equation("word-transport-wcd")
def test_distance_of_centres_is_the_librarys_and_a_lower_bound():
    """The printed length is the library's, below the optimum, and equal to it for a pure shift."""
    value = float(formulas.word_transport_wcd(P, X, Q, Y))
    assert_agree(value, wcd(floats(X), floats(Y), p=line(P), q=line(Q)), 1e-9)
    assert value < _wmd(X, Y, P, Q)
    # It is what feasible prices earn: the places of the words along the line of the centres.
    centres = [masses @ floats(text) for masses, text in ((line(P), X), (line(Q), Y))]
    ahead = (centres[0] - centres[1]) / np.linalg.norm(centres[0] - centres[1])
    u, v = floats(X) @ ahead, -floats(Y) @ ahead
    assert (u[:, None] + v <= floats(distances(X, Y)) + 1e-12).all()
    assert_agree(float(line(P) @ u + line(Q) @ v), value, 1e-9)
    shifted = [[a + b for a, b in zip(w, (3, 1, -2), strict=True)] for w in X]
    value = float(formulas.word_transport_wcd(P, X, P, shifted))
    assert_agree(value, _wmd(X, shifted, P, P), 1e-9)


@pytest.mark.equation("word-transport-wcd-proof")
@high_precision
def test_mean_of_lengths_is_at_least_the_length_of_the_mean():
    """For every corner the left side is its cost and the right side the distance of centres."""
    total = sum(P[:3])
    p = [a / total for a in P[:3]]
    centres = formulas.word_transport_wcd(p, X[:3], Q, Y)
    for plan in vertices(p, Q)[:6]:
        left, right = formulas.word_transport_wcd_proof(plan, X[:3], Y, 3)
        assert_agree(left, formulas.word_transport_emd([plan], distances(X[:3], Y)), 1e-30)
        assert_agree(right, centres, 1e-30)
        assert right < left


@pytest.mark.equation("word-transport-relaxed")
def test_without_one_set_of_sums_everything_goes_to_the_nearest():
    """A linear programme with the row sums alone has the printed value."""
    for problem in problems():
        value = formulas.word_transport_relaxed(problem.p, problem.cost)
        plan = [
            [a if j == row.index(min(row)) else 0 for j in range(len(row))]
            for a, row in zip(problem.p, problem.cost, strict=True)
        ]
        assert value == formulas.word_transport_emd([plan], problem.cost)
        assert value <= formulas.word_transport_emd(problem.corners, problem.cost)
        assert value <= formulas.word_transport_dual(
            problem.p, problem.q, [min(row) for row in problem.cost], [0] * len(problem.q)
        )


@pytest.mark.equation("word-transport-rwmd")
def test_larger_of_the_two_relaxations_is_the_librarys():
    """Agrees with the library in both directions, and both sides decide in some draw."""
    decided = set()
    for seed in range(8):
        x, y = draw_vectors(3, 90 + seed), draw_vectors(4, 120 + seed)
        p, q = draw_masses(3, seed), draw_masses(4, seed + 7)
        value = float(formulas.word_transport_rwmd(p, q, distances(x, y)))
        masses = {"p": line(p), "q": line(q)}
        sides = [rwmd(floats(x), floats(y), side=side, **masses) for side in ("first", "second")]
        decided.add(sides[0] > sides[1])
        assert_agree(value, max(sides), 1e-9)
        assert value <= _wmd(x, y, p, q) + 1e-12
    assert decided == {True, False}


@pytest.mark.equation("word-transport-transform")
def test_transform_gives_the_largest_feasible_prices():
    """With the printed v all prices are feasible, and each v touches some cost."""
    for problem in problems():
        u = [row[0] / 3 for row in problem.cost]
        for j in range(len(problem.q)):
            v = formulas.word_transport_transform(problem.cost, u, j)
            slack = [row[j] - a - v for a, row in zip(u, problem.cost, strict=True)]
            assert min(slack) == 0


@pytest.mark.equation("word-transport-improved")
def test_second_step_is_between_the_relaxation_and_the_optimum():
    """The bound lies between its first step and the optimum, strictly somewhere."""
    strictly = set()
    for problem in problems():
        first = formulas.word_transport_relaxed(problem.p, problem.cost)
        second = formulas.word_transport_improved(problem.p, problem.q, problem.cost)
        whole = formulas.word_transport_emd(problem.corners, problem.cost)
        u = [min(row) for row in problem.cost]
        v = [formulas.word_transport_transform(problem.cost, u, j) for j in range(len(problem.q))]
        assert second == formulas.word_transport_dual(problem.p, problem.q, u, v)
        assert first <= second <= whole
        strictly |= {first < second, second == whole}
    assert True in strictly


@pytest.mark.equation("word-transport-root-mean")
def test_mean_under_the_root_divides_by_the_root_of_the_dimensions():
    """numpy's mean of squares, and a triangle of sides 3, 4, 5 in two dimensions."""
    assert_agree(formulas.word_transport_root_mean([0, 0], [3, 4]) ** 2, mpmath.mpf(25) / 2, 1e-12)
    w, z = line(X[0]), line(X[1])
    value = float(formulas.word_transport_root_mean(X[0], X[1]))
    assert_agree(value, float(np.sqrt(((w - z) ** 2).mean())), NEAR)


@pytest.mark.equation("word-transport-root-mean-distance")
def test_whole_distance_is_divided_too():
    """The optimum for costs with the mean is the true one over the root of the dimensions."""
    cost = [[formulas.word_transport_root_mean(w, z) for z in Y] for w in X]
    value = formulas.word_transport_root_mean_distance(_wmd(X, Y, P, Q), 3)
    assert_agree(float(value), optimum(P, Q, cost), NEAR)


@pytest.mark.equation("word-transport-root-mean-filter")
def test_filter_excludes_what_it_must_not_when_the_bound_is_tight_enough():
    """It says that the centres are farther apart than the divided distance, in both cases."""
    for centres, distance in ((0.9, 2.0), (0.1, 2.0), (0.25, 1.0), (0.1, 0.2)):
        divided = distance / 4
        assert formulas.word_transport_root_mean_filter(centres, distance, 16) == (
            centres > divided
        )
