"""Checks of the word rotator's distance: masses, angles, bound, and what it is not."""

import mpmath
import pytest
from tests.equations.support import assert_agree, assert_rising, high_precision
from tests.equations.word_transport import formulas
from tests.equations.word_transport.geometry import (
    angles,
    cosine,
    difference,
    draw_vectors,
    floats,
    line,
    norm,
    rotated,
    unit,
)
from tests.equations.word_transport.problems import NEAR, optimum

from scispaces.transport import wmd, wrd, wrd_lower_bound

X, Y = draw_vectors(4, 151), draw_vectors(3, 152)


def _wrd(x, y):
    return wrd(floats(x), floats(y))


@pytest.mark.equation("word-transport-wrd-mass")
def test_masses_are_shares_of_the_lengths():
    """Lengths 3, 5, 2 give masses 0.3, 0.5, 0.2; with the printed cost they give the library's."""
    vectors = [[3, 0], [3, -4], [0, 2]]
    for i, share in enumerate(("0.3", "0.5", "0.2")):
        assert_agree(formulas.word_transport_wrd_mass(vectors, i), mpmath.mpf(share), 1e-14)
    p = [formulas.word_transport_wrd_mass(X, i) for i in range(4)]
    q = [formulas.word_transport_wrd_mass(Y, j) for j in range(3)]
    assert_agree(optimum(p, q, angles(X, Y)), _wrd(X, Y), 1e-9)


@pytest.mark.equation("word-transport-wrd-cost")
def test_cost_depends_on_the_angle_alone():
    """At 0, 60, 90 and 180 degrees it is 0, 1/2, 1 and 2, whatever the lengths are."""
    for degrees, cost in ((0, 0), (60, 0.5), (90, 1), (180, 2)):
        turned = rotated([[4, 0]], mpmath.radians(degrees))[0]
        assert_agree(formulas.word_transport_wrd_cost([3, 0], turned), cost, 1e-14)
    for w in X:
        value = formulas.word_transport_wrd_cost(w, Y[0])
        assert_agree(float(value), _wrd([w], [Y[0]]), 1e-9)


@pytest.mark.equation("word-transport-wrd-range")
@high_precision
def test_costs_lie_between_zero_and_two_and_bound_the_distance():
    """Least and largest cost enclose the distance; the ends of the range are attained."""
    cosines = [cosine(w, z) for w in X for z in Y]
    low, high = formulas.word_transport_wrd_range(cosines)
    assert_rising(0, low, mpmath.mpf(_wrd(X, Y)), high, 2)
    assert formulas.word_transport_wrd_range([1, -1]) == (0, 2)
    assert formulas.word_transport_wrd_range([0.5, -0.25]) == (0.5, 1.25)


@pytest.mark.equation("word-transport-wrd-sum")
@high_precision
def test_sum_of_a_text_is_its_mean_direction_times_its_total_length():
    """Both sides agree in every coordinate."""
    total = sum(norm(w) for w in X)
    masses = [norm(w) / total for w in X]
    for k in range(3):
        left, right = formulas.word_transport_wrd_sum(X, masses, total, k)
        assert_agree(left, right)
        assert abs(left) > 0.1


@pytest.mark.equation("word-transport-length-and-angle")
@high_precision
def test_squared_distance_splits_into_length_and_angle():
    """The printed sum is the square of the distance."""
    for w in X:
        for z in Y:
            value = formulas.word_transport_length_and_angle(w, z, cosine(w, z))
            assert_agree(value, norm(difference(w, z)) ** 2)


@pytest.mark.equation("word-transport-chord")
@high_precision
def test_cosine_cost_is_half_a_squared_chord():
    """Half the squared distance of the directions is 1 less the cosine."""
    for w in X:
        for z in Y:
            assert_agree(formulas.word_transport_chord(w, z), 1 - cosine(w, z))


@pytest.mark.equation("word-transport-wrd-bound")
def test_bound_is_the_librarys_and_holds():
    """Agrees with the library, lies below the distance, and equals it for one word against one."""
    for seed in range(6):
        x, y = draw_vectors(4, 160 + seed), draw_vectors(2, 170 + seed)
        value = float(formulas.word_transport_wrd_bound(x, y))
        assert_agree(value, wrd_lower_bound(floats(x), floats(y)), 1e-9)
        assert 0 < value < _wrd(x, y)
    value = float(formulas.word_transport_wrd_bound([X[0]], [Y[0]]))
    assert_agree(value, _wrd([X[0]], [Y[0]]), 1e-9)


@pytest.mark.equation("word-transport-wrd-bound-angle")
@high_precision
def test_bound_by_concentrations_and_the_angle_of_the_sums():
    """With rho the length of the sum over the sum of lengths it is the same bound."""
    sums = [[sum(w[k] for w in text) for k in range(3)] for text in (X, Y)]
    rho = [norm(s) / sum(norm(w) for w in text) for s, text in zip(sums, (X, Y), strict=True)]
    value = formulas.word_transport_wrd_bound_angle(*rho, cosine(*sums))
    assert_agree(value, formulas.word_transport_wrd_bound(X, Y))
    assert max(rho) < 1


@pytest.mark.equation("word-transport-detour")
@high_precision
def test_two_small_turns_cost_less_than_one_large():
    """1 - cos of twice the angle, less twice 1 - cos, is the printed product, positive up to 90."""
    for degrees in (5, 30, 45, 80):
        theta = mpmath.radians(degrees)
        saved = 1 - mpmath.cos(2 * theta) - 2 * (1 - mpmath.cos(theta))
        assert_agree(formulas.word_transport_detour(mpmath.cos(theta)), saved)
        assert saved > 0
    ray = [rotated([[1, 0]], mpmath.radians(degrees)) for degrees in (0, 45, 90)]
    saved = _wrd(ray[0], ray[2]) - _wrd(ray[0], ray[1]) - _wrd(ray[1], ray[2])
    value = formulas.word_transport_detour(mpmath.sqrt(mpmath.mpf(1) / 2))
    assert_agree(saved, float(value), NEAR)


@pytest.mark.equation("word-transport-root-triangle")
@high_precision
def test_root_of_the_distance_obeys_the_triangle_inequality():
    """Many triples of texts; and the root is tight for texts of one word on a small arc."""
    for seed in range(30):
        a, b, c = (draw_vectors(count, 200 + 3 * seed + k) for k, count in enumerate((2, 3, 2)))
        bound = formulas.word_transport_root_triangle(
            mpmath.mpf(_wrd(a, b)), mpmath.mpf(_wrd(b, c))
        )
        assert mpmath.sqrt(mpmath.mpf(_wrd(a, c))) <= bound + 1e-12
    arc = [rotated([[1, 0]], mpmath.mpf(angle)) for angle in ("0", "0.001", "0.002")]
    bound = formulas.word_transport_root_triangle(
        mpmath.mpf(_wrd(*arc[:2])), mpmath.mpf(_wrd(*arc[1:]))
    )
    assert_agree(bound * 1000, 1000 * mpmath.sqrt(mpmath.mpf(_wrd(arc[0], arc[2]))), 1e-6)


@pytest.mark.equation("word-transport-double-triangle")
def test_the_distance_itself_obeys_it_up_to_a_factor_of_two():
    """Many triples of texts; two halves of a small turn come as near to the bound as one likes."""
    for seed in range(30):
        a, b, c = (draw_vectors(count, 300 + 3 * seed + k) for k, count in enumerate((2, 3, 2)))
        assert _wrd(a, c) <= formulas.word_transport_double_triangle(_wrd(a, b), _wrd(b, c)) + 1e-12
    arc = [rotated([[1, 0]], mpmath.mpf(angle)) for angle in ("0", "0.01", "0.02")]
    bound = formulas.word_transport_double_triangle(_wrd(*arc[:2]), _wrd(*arc[1:]))
    assert bound / _wrd(arc[0], arc[2]) == pytest.approx(1, abs=1e-4)


@pytest.mark.equation("word-transport-layer-norm")
@high_precision
def test_layer_normalised_vectors_have_mean_zero_and_mean_square_one():
    """Mean 0 and mean square 1 over the coordinates, in the order of the old ones."""
    vector = [w * 3 + 1 for w in X[0]] + [mpmath.mpf(2)]
    values = [formulas.word_transport_layer_norm(vector, k) for k in range(4)]
    assert_agree(sum(values), 0)
    assert_agree(sum(v * v for v in values), 4)
    order = sorted(range(4), key=vector.__getitem__)
    assert order == sorted(range(4), key=values.__getitem__)


@pytest.mark.equation("word-transport-layer-norm-length")
@high_precision
def test_all_layer_normalised_vectors_have_one_length():
    """The length is the root of the number of coordinates, so all masses are equal."""
    for vector in (X[0], Y[1]):
        values = [formulas.word_transport_layer_norm(vector, k) for k in range(3)]
        assert_agree(formulas.word_transport_layer_norm_length(3), norm(values))


@pytest.mark.equation("word-transport-unit-cost")
@high_precision
def test_distance_of_directions_by_their_cosine():
    """The printed root is the distance of the unit vectors."""
    for w in X:
        value = formulas.word_transport_unit_cost(cosine(w, Y[0]))
        assert_agree(value, norm(difference(unit(w), unit(Y[0]))))


@pytest.mark.equation("word-transport-unit-bounds")
def test_wmd_of_directions_and_transport_by_cosine_bound_each_other():
    """With equal masses the cosine transport lies between the printed bounds, which it attains."""
    for seed in range(6):
        x, y = draw_vectors(3, 400 + seed), draw_vectors(4, 410 + seed)
        directions = [floats([unit(w) for w in text]) for text in (x, y)]
        low, high = formulas.word_transport_unit_bounds(wmd(*directions))
        assert_rising(low, optimum([1 / 3] * 3, [1 / 4] * 4, angles(x, y)), high)
    for degrees, attained in ((60, 0), (180, 0), (180, 1)):
        ray = [line(rotated([[1, 0]], mpmath.radians(a))[0])[None] for a in (0, degrees)]
        bounds = formulas.word_transport_unit_bounds(wmd(*ray))
        assert_agree(bounds[attained], wrd(*ray), NEAR)
