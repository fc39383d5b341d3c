"""The exact solver: against POT, against a linear programme, and on its own proofs."""

import numpy as np
import ot
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from tests.transport.problems import KINDS, linear_programme, random_problem

from scispaces.transport import emd, emd_batch, emd_plan


def check_solution(p, q, cost, solution):
    """Everything an optimal basic solution must be, from its own numbers."""
    plan, u, v = solution.plan, solution.source_potentials, solution.sink_potentials
    size = max(abs(cost).max(), 1e-300)
    assert (plan >= 0).all()
    np.testing.assert_allclose(plan.sum(1), p, rtol=0, atol=1e-15)
    np.testing.assert_allclose(plan.sum(0), q, rtol=0, atol=1e-15)
    assert (plan > 0).sum() <= sum(cost.shape) - 1
    assert (u[:, None] + v <= cost + 1e-14 * size).all()
    assert abs(solution.gap) < 1e-13 * size
    assert solution.value == pytest.approx((plan * cost).sum(), rel=1e-12, abs=1e-15 * size)
    assert solution.value == pytest.approx(p @ u + q @ v, rel=1e-12, abs=1e-14 * size)


@pytest.mark.parametrize("kind", KINDS)
def test_a_hundred_thousand_random_problems_agree_with_pot(kind):
    rng = np.random.default_rng(KINDS.index(kind))
    problems = [random_problem(kind, rng) for _ in range(100_000 // len(KINDS))]
    batch = emd_batch(*zip(*problems, strict=True))
    expected = np.array([ot.emd2(p, q, cost) for p, q, cost in problems])
    size = np.array([cost.max() for _, _, cost in problems])
    assert (abs(batch.values - expected) <= 1e-9 * abs(expected) + 1e-14 * size).all()
    assert (abs(batch.gaps) <= 1e-13 * size).all()


@pytest.mark.parametrize("kind", KINDS)
def test_random_problems_agree_with_a_linear_programme(kind):
    rng = np.random.default_rng(100 + KINDS.index(kind))
    for _ in range(15):
        p, q, cost = random_problem(kind, rng)
        scale = max(cost.max(), 1e-300)
        expected = scale * linear_programme(p, q, cost / scale)
        assert emd(p, q, cost) == pytest.approx(expected, rel=1e-9, abs=1e-9 * scale)


@pytest.mark.parametrize("kind", KINDS)
def test_plan_and_potentials_prove_the_value(kind):
    rng = np.random.default_rng(200 + KINDS.index(kind))
    for _ in range(40):
        p, q, cost = random_problem(kind, rng)
        check_solution(p, q, cost, emd_plan(p, q, cost))


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=7),
    st.lists(st.integers(0, 3), min_size=1, max_size=7),
    st.randoms(use_true_random=False),
)
@settings(max_examples=200, deadline=None)
def test_degenerate_masses_and_tied_costs(p, q, random):
    """Small integers everywhere: partial sums coincide, optima are many, zeros abound."""
    p, q = np.array(p, float), np.array(q, float)
    p[0] += p.sum() == 0.0
    q[0] += q.sum() == 0.0
    p, q = p / p.sum(), q / q.sum()
    cost = np.array([[float(random.randint(-2, 2)) for _ in q] for _ in p])
    solution = emd_plan(p, q, cost)
    check_solution(p, q, cost, solution)
    # POT calls one source, one sink and a negative cost infeasible: shift the costs.
    assert solution.value == pytest.approx(ot.emd2(p, q, cost + 2) - 2, abs=1e-12)


@pytest.mark.parametrize("size", [1, 2, 31, 32, 33, 64, 65, 130])
def test_assignment_problems_of_sizes_around_a_word_of_bits(size):
    rng = np.random.default_rng(size)
    cost = rng.random((size, size))
    rows, columns = linear_sum_assignment(cost)
    masses = np.full(size, 1 / size)
    solution = emd_plan(masses, masses, cost)
    assert solution.value == pytest.approx(cost[rows, columns].mean(), rel=1e-12)
    check_solution(masses, masses, cost, solution)


def test_one_dimension_is_the_area_between_distribution_functions():
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, y = rng.standard_normal(9), rng.standard_normal(6)
        p, q = rng.dirichlet(np.ones(9)), rng.dirichlet(np.ones(6))
        points = np.sort(np.concatenate([x, y]))
        above = [p[x <= t].sum() - q[y <= t].sum() for t in points[:-1]]
        area = (np.abs(above) * np.diff(points)).sum()
        assert emd(p, q, np.abs(x[:, None] - y)) == pytest.approx(area, rel=1e-12)


def test_a_large_problem():
    rng = np.random.default_rng(1)
    p, q = rng.dirichlet(np.ones(400)), rng.dirichlet(np.ones(300))
    cost = np.linalg.norm(rng.random((400, 1, 3)) - rng.random((300, 3)), axis=-1)
    solution = emd_plan(p, q, cost)
    check_solution(p, q, cost, solution)
    assert solution.value == pytest.approx(ot.emd2(p, q, cost), rel=1e-10)


def test_one_source_or_one_sink():
    q = np.array([0.2, 0.0, 0.8])
    cost = np.array([[3.0, -7.0, 0.5]])
    assert emd([1.0], q, cost) == pytest.approx(1.0)
    assert emd(q, [1.0], cost.T) == pytest.approx(1.0)
    np.testing.assert_array_equal(emd_plan(q, [1.0], cost.T).plan[:, 0] > 0, q > 0)


def test_equal_distributions_cost_exactly_nothing():
    rng = np.random.default_rng(2)
    places = rng.standard_normal((20, 5))
    cost = np.linalg.norm(places[:, None] - places, axis=-1)
    p = rng.dirichlet(np.ones(20))
    solution = emd_plan(p, p, cost)
    assert solution.value == 0
    np.testing.assert_array_equal(solution.plan, np.diag(np.diag(solution.plan)))
    np.testing.assert_allclose(np.diag(solution.plan), p, rtol=0, atol=1e-16)


def test_a_mass_of_nothing_moves_nothing_and_has_feasible_potentials():
    p, q = np.array([0.0, 0.3, 0.7, 0.0]), np.array([0.6, 0.0, 0.4])
    cost = np.random.default_rng(3).random((4, 3))
    solution = emd_plan(p, q, cost)
    check_solution(p, q, cost, solution)
    assert not solution.plan[p == 0].any()
    assert not solution.plan[:, q == 0].any()


@pytest.mark.parametrize("scale", [1e-300, 1e-100, 1e-6, 1e6, 1e100, 1e199])
def test_scale_of_the_costs_is_only_a_scale(scale):
    p, q, cost = random_problem("random", np.random.default_rng(4))
    expected = emd(p, q, cost)
    assert emd(p, q, cost * scale) / scale == pytest.approx(expected, rel=1e-12)


def test_forbidden_arcs_of_enormous_cost_do_not_spoil_the_rest():
    """POT issue 229: entries of 1e32 among ordinary ones gave a wrong plan."""
    rng = np.random.default_rng(5)
    for _ in range(50):
        p, q, cost = random_problem("random", rng)
        barred = np.where(rng.random(cost.shape) < 0.3, 1e32, cost)
        barred[0], barred[:, 0] = cost[0], cost[:, 0]  # so that it need not be paid everywhere
        mild = np.where(barred == 1e32, 1e3, cost)
        if emd_plan(p, q, mild).plan[barred == 1e32].sum() == 0:
            assert emd(p, q, barred) == pytest.approx(emd(p, q, mild), rel=1e-10)


def test_masses_of_very_different_sizes():
    p, q = np.array([1e-12, 1.0]), np.array([1.0, 1e-12])
    assert emd(p, q, np.array([[0.0, 5.0], [1.0, 0.0]])) == pytest.approx(1.0, rel=1e-9)
    p = np.array([1e-300, 1.0])
    assert emd(p, [1.0], np.array([[1.0], [2.0]])) == pytest.approx(2.0, rel=1e-14)


def test_masses_are_divided_by_their_sum():
    cost = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert emd([2, 2], [1, 3], cost) == emd([0.5, 0.5], [0.25, 0.75], cost) == 0.25
    single = np.random.default_rng(6).dirichlet(np.ones(50)).astype(np.float32)
    assert emd(single, [1.0], np.ones((50, 1))) == pytest.approx(1, rel=1e-15)


def test_tensors_in_tensors_out():
    p, q, cost = random_problem("random", np.random.default_rng(7))
    expected = emd_plan(p, q, cost)
    tensors = emd_plan(torch.tensor(p), torch.tensor(q), torch.tensor(cost))
    assert tensors.value.dtype == torch.float64
    assert tensors.value.item() == expected.value
    np.testing.assert_array_equal(tensors.plan.numpy(), expected.plan)
    assert isinstance(emd_batch([p], [q], [torch.tensor(cost)]).values, torch.Tensor)
    assert type(expected.value) is float
    single = cost.astype(np.float32)
    assert emd(p, q, single) == emd(p, q, single.astype(np.float64))


def test_any_number_of_threads_gives_the_same():
    rng = np.random.default_rng(8)
    problems = list(zip(*[random_problem("counts", rng) for _ in range(60)], strict=True))
    one, three = emd_batch(*problems, n_jobs=1), emd_batch(*problems, n_jobs=3, progress=True)
    np.testing.assert_array_equal(one.values, three.values)
    for first, second in zip(one.arcs + one.masses, three.arcs + three.masses, strict=True):
        np.testing.assert_array_equal(first, second)


def test_an_empty_batch():
    batch = emd_batch([], [], [])
    assert len(batch.values) == len(batch.arcs) == len(batch.source_potentials) == 0


@pytest.mark.parametrize(
    ("p", "q", "cost", "sentence"),
    [
        ([1.0, -0.5], [0.5], [[1.0], [1.0]], r"`p` must not be negative. Got -0.5 at index 1."),
        ([np.nan], [1.0], [[1.0]], r"`p` must be finite. Got nan at index 0."),
        ([1.0], [np.inf], [[1.0]], r"`q` must be finite. Got inf at index 0."),
        ([0.0], [1.0], [[1.0]], r"`p` must have a positive, finite sum. Got 0."),
        ([], [1.0], np.ones((0, 1)), r"`p` must have a positive, finite sum. Got 0."),
        ([1.0], [2.0], [[1.0]], r"`p` and `q` must have the same sum. Got 1 and 2."),
        ([1.0], [1.0], [[np.nan]], r"`cost` must be finite. Got nan at index \(0, 0\)."),
        ([1.0], [1.0], [[1e201]], r"`cost` must be at most 1e200 in size."),
        ([1.0], [1.0], [[1.0, 2.0]], r"`cost` must have shape \(1, 1\)"),
        ([[1.0]], [1.0], [[1.0]], r"`p` must have 1 axes. Got shape \(1, 1\)."),
        ([1.0], [1.0], [1.0], r"`cost` must have 2 axes. Got shape \(1,\)."),
    ],
)
def test_bad_values_are_refused(p, q, cost, sentence):
    with pytest.raises(ValueError, match=sentence):
        emd(p, q, cost)


def test_bad_types_are_refused():
    with pytest.raises(TypeError, match=r"`cost` must hold real numbers. Got dtype complex128."):
        emd([1.0], [1.0], [[1j]])
    with pytest.raises(TypeError, match="`p` must hold real numbers"):
        emd(["a"], [1.0], [[1.0]])
    with pytest.raises(ValueError, match=r"the same number of problems. Got 1, 2 and 1."):
        emd_batch([[1.0]], [[1.0], [1.0]], [[[1.0]]])
    with pytest.raises(ValueError, match=r"`n_jobs` must be -1 or a positive integer. Got 0."):
        emd_batch([[1.0]], [[1.0]], [[[1.0]]], n_jobs=0)


def test_the_problem_at_fault_is_named():
    with pytest.raises(ValueError, match="`q` must be finite") as caught:
        emd_batch([[1.0], [1.0]], [[1.0], [np.nan]], [[[1.0]], [[1.0]]])
    assert caught.value.__notes__ == ["In problem 1, counted from 0."]
