"""Checks of the linear programme: its corners, its rank, its dual."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment, linprog
from tests.equations.support import assert_agree
from tests.equations.word_transport import formulas
from tests.equations.word_transport.geometry import draw_costs, floats
from tests.equations.word_transport.problems import NEAR, optimum, problems


@pytest.mark.equation("word-transport-emd")
def test_cheapest_corner_is_what_the_solver_finds():
    """All corners of the set of plans, listed exactly: the cheapest has the solver's value."""
    for problem in problems():
        assert len(problem.corners) > 2
        value = formulas.word_transport_emd(problem.corners, problem.cost)
        assert_agree(float(value), problem.value, NEAR)


@pytest.mark.equation("word-transport-emd")
def test_a_general_solver_of_linear_programmes_agrees():
    """HiGHS on the same programme has the value of the cheapest corner."""
    for problem in problems():
        m, n = len(problem.p), len(problem.q)
        sums = np.vstack([np.kron(np.eye(m), np.ones(n)), np.kron(np.ones(m), np.eye(n))])
        masses = [float(x) for x in (*problem.p, *problem.q)]
        outcome = linprog(floats(problem.cost).ravel(), A_eq=sums, b_eq=masses)
        value = formulas.word_transport_emd(problem.corners, problem.cost)
        assert_agree(float(value), outcome.fun, 1e-9)


@pytest.mark.equation("word-transport-marginals")
def test_sums_of_a_plan_are_the_masses():
    """Corners, the product plan and the optimal plan all have the printed sums."""
    for problem in problems():
        for plan in (*problem.corners, problem.product, problem.plan):
            for i, j in itertools.product(range(len(problem.p)), range(len(problem.q))):
                row, column = formulas.word_transport_marginals(plan, i, j)
                assert_agree(float(row), float(problem.p[i]), NEAR)
                assert_agree(float(column), float(problem.q[j]), NEAR)


@pytest.mark.equation("word-transport-product-bound")
def test_product_plan_costs_what_is_printed_and_bounds_the_optimum():
    """The plan p_i q_j has the printed cost, and the optimum is not above it."""
    for problem in problems():
        value = float(formulas.word_transport_product_bound(problem.p, problem.q, problem.cost))
        product = np.outer([float(a) for a in problem.p], [float(b) for b in problem.q])
        assert_agree(value, float((product * floats(problem.cost)).sum()), NEAR)
        assert problem.value <= value + NEAR


@pytest.mark.equation("word-transport-redundant")
def test_one_equation_follows_from_the_others():
    """For any table the difference is 0, and the rank of the equations is m + n - 1."""
    table = draw_costs(4, 5, seed=7)
    assert formulas.word_transport_redundant(table) == 0
    sums = np.vstack([np.kron(np.eye(4), np.ones(5)), np.kron(np.ones(4), np.eye(5))])
    assert np.linalg.matrix_rank(sums) == 4 + 5 - 1
    # The combination of rows and columns that the equation names is the one that vanishes.
    assert (np.concatenate([np.ones(4), -np.ones(5)]) @ sums == 0).all()


@pytest.mark.equation("word-transport-cycle")
def test_mass_sent_round_a_cycle_changes_the_cost_by_the_printed_sum():
    """Adding to one and taking from the next cell around a cycle leaves the sums as they were."""
    cost = draw_costs(4, 4, seed=9)
    for rows, columns in (([0, 2], [1, 3]), ([0, 1, 3], [2, 0, 1])):
        change = [[Fraction(0)] * 4 for _ in range(4)]
        for i, j, k in zip(rows, columns, columns[1:] + columns[:1], strict=True):
            change[i][j] += 1
            change[i][k] -= 1
        assert not any(sum(row) for row in change)
        assert not any(sum(row[j] for row in change) for j in range(4))
        total = sum(
            c * d for a, b in zip(change, cost, strict=True) for c, d in zip(a, b, strict=True)
        )
        assert formulas.word_transport_cycle(cost, rows, columns) == total


@pytest.mark.equation("word-transport-sparsity")
def test_corners_hold_few_positive_cells():
    """Every corner and the optimal plan have at most m + n - 1, some exactly so many."""
    for problem in problems():
        counts = [
            formulas.word_transport_sparsity(plan, len(problem.p), len(problem.q))
            for plan in problem.corners
        ]
        most = len(problem.p) + len(problem.q) - 1
        assert all(count <= allowed for count, allowed in counts)
        assert {allowed for _, allowed in counts} == {most}
        assert max(count for count, _ in counts) == most
        positive, _ = formulas.word_transport_sparsity(problem.plan, 0, 0)
        assert positive == int((problem.solution.plan > 0).sum()) <= most


@pytest.mark.equation("word-transport-assignment")
def test_equal_masses_are_moved_whole():
    """With n equal masses on both sides the optimum is the best one-to-one assignment."""
    for seed in range(3):
        cost = draw_costs(4, 4, seed=20 + seed)
        value = formulas.word_transport_assignment(cost, list(itertools.permutations(range(4))))
        table = floats(cost)
        chosen = linear_sum_assignment(table)
        assert_agree(float(value), float(table[chosen].mean()), NEAR)
        assert_agree(float(value), optimum([Fraction(1, 4)] * 4, [Fraction(1, 4)] * 4, cost), NEAR)


def _any_plan(problem):
    """A table that is no plan at all, so that every term of the Lagrangian counts."""
    return [
        [0.3 + 0.1 * i - 0.05 * j for j in range(len(problem.q))] for i in range(len(problem.p))
    ]


@pytest.mark.equation("word-transport-lagrangian")
def test_lagrangian_is_the_cost_for_plans_and_unbounded_for_others():
    """For a plan it is the cost whatever u and v are; for others a potential drives it anywhere."""
    for problem in problems():
        u, v = (
            [3.0 * k - 1 for k in range(len(problem.p))],
            [k - 2.5 for k in range(len(problem.q))],
        )
        arguments = problem.cost, problem.p, problem.q
        value = formulas.word_transport_lagrangian(problem.plan, *arguments, u, v)
        assert_agree(float(value), problem.value, 1e-9)
        table = _any_plan(problem)
        base = formulas.word_transport_lagrangian(table, *arguments, u, v)
        raised = formulas.word_transport_lagrangian(table, *arguments, [u[0] + 7, *u[1:]], v)
        assert_agree(float(raised - base), 7 * (float(problem.p[0]) - sum(table[0])), 1e-9)
        raised = formulas.word_transport_lagrangian(table, *arguments, u, [v[0] + 7, *v[1:]])
        column = sum(row[0] for row in table)
        assert_agree(float(raised - base), 7 * (float(problem.q[0]) - column), 1e-9)


@pytest.mark.equation("word-transport-lagrangian-regrouped")
def test_regrouped_lagrangian_is_the_same_function():
    """Both forms agree for tables that are no plans and for any potentials."""
    for problem in problems():
        u, v = (
            [2.0 * k - 1 for k in range(len(problem.p))],
            [k - 2.5 for k in range(len(problem.q))],
        )
        arguments = _any_plan(problem), problem.cost, problem.p, problem.q, u, v
        assert_agree(
            float(formulas.word_transport_lagrangian_regrouped(*arguments)),
            float(formulas.word_transport_lagrangian(*arguments)),
            NEAR,
        )


@pytest.mark.equation("word-transport-dual")
def test_dual_value_is_the_optimum_and_no_prices_earn_more():
    """The solver's potentials are feasible and earn W; the best of a linear programme does too."""
    for problem in problems():
        m, n = len(problem.p), len(problem.q)
        cells = itertools.product(range(m), range(n))
        assert all(problem.u[i] + problem.v[j] <= problem.cost[i][j] + 1e-12 for i, j in cells)
        value = formulas.word_transport_dual(problem.p, problem.q, problem.u, problem.v)
        assert_agree(float(value), problem.value, NEAR)
        rows = np.hstack([np.kron(np.eye(m), np.ones((n, 1))), np.kron(np.ones((m, 1)), np.eye(n))])
        masses = np.array([float(x) for x in (*problem.p, *problem.q)])
        best = linprog(-masses, A_ub=rows, b_ub=floats(problem.cost).ravel(), bounds=(None, None))
        earned = formulas.word_transport_dual(problem.p, problem.q, best.x[:m], best.x[m:])
        assert_agree(float(earned), problem.value, 1e-9)


@pytest.mark.equation("word-transport-gap")
def test_gap_is_cost_less_earnings():
    """For any plan and feasible prices the printed sum is cost less earnings, and not negative."""
    for problem in problems():
        u = [min(row) / 2 for row in problem.cost]
        v = [formulas.word_transport_transform(problem.cost, u, j) for j in range(len(problem.q))]
        for plan in (*problem.corners, problem.product):
            gap = formulas.word_transport_gap(plan, problem.cost, u, v)
            moved = formulas.word_transport_emd([plan], problem.cost)
            assert gap == moved - formulas.word_transport_dual(problem.p, problem.q, u, v)
            assert gap >= 0


@pytest.mark.equation("word-transport-slackness")
def test_prices_are_tight_where_something_is_moved():
    """On every cell of the optimal plan u + v equals the cost; on a worse corner somewhere not."""
    for problem in problems():
        pairs = formulas.word_transport_slackness(problem.plan, problem.cost, problem.u, problem.v)
        assert len(pairs) == int((problem.solution.plan > 0).sum())
        for prices, cost in pairs:
            assert_agree(prices, float(cost), NEAR)
        for plan in problem.corners:
            moved = float(formulas.word_transport_emd([plan], problem.cost))
            tight = [
                abs(prices - float(cost)) < 1e-9
                for prices, cost in formulas.word_transport_slackness(
                    plan, problem.cost, problem.u, problem.v
                )
            ]
            assert all(tight) == (moved < problem.value + 1e-9)


@pytest.mark.equation("word-transport-sensitivity")
def test_prices_say_what_a_little_more_mass_costs():
    """A millionth of the mass moved from k to i changes the optimum by the difference of prices."""
    for problem in problems():
        for i, k in ((0, 1), (1, 0)):
            moved, small = [float(x) for x in problem.p], 1e-6
            moved[i] += small
            moved[k] -= small
            change = (optimum(moved, problem.q, problem.cost) - problem.value) / small
            assert_agree(formulas.word_transport_sensitivity(problem.u, i, k), change, 1e-6)
