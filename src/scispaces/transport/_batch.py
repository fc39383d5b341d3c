"""Ragged batches of transport problems, solved one after the other without the interpreter."""

import numpy as np

from scispaces.transport._jit import kernel
from scispaces.transport._rows import least_sum
from scispaces.transport._simplex import OPTIMAL, Tree, solve, workspace
from scispaces.transport._start import NO_NODE, integer_masses, normalise, scale_of

_HUGE = 1e300
UNPROVED = 3  # beside the outcomes of `solve`: a gap that rounding does not explain


@kernel()
def solve_one(
    cost: np.ndarray,
    p: np.ndarray,
    q: np.ndarray,
    units: np.ndarray,
    tree: Tree,
    reals: Tree,
    duals: tuple[np.ndarray, np.ndarray],
    stop_above: float,
) -> tuple[int, float, float]:
    """Solve for masses of sum 1, all above 0; give the outcome, the value and the duality gap.

    `duals` receives feasible potentials u and v. The flows left in the tree are multiples of
    `spread` again, `one * spread` to a mass of 1.
    """
    m, n = cost.shape
    one, spread = integer_masses(p, q, units)
    outcome, _ = solve(cost, p, q, units, tree, reals, stop_above)
    if outcome != OPTIMAL:
        return outcome, np.nan, np.nan
    parent, flow = tree[0], tree[1]
    sinks = reals[0][m : m + n]
    bits = 0
    while (1 << bits) < spread:
        bits += 1
    value, proved, size = 0.0, 0.0, 0.0
    for node in range(m + n):
        if parent[node] != NO_NODE:
            price = cost[node, parent[node] - m] if node < m else cost[parent[node], node - m]
            # A shift divides by `spread`, rounding the perturbation off.
            flow[node] = (flow[node] + spread // 2) >> bits
            value += price * flow[node]
            size += abs(price) * flow[node]
    value, size = value / one, size / one
    u, v = duals
    for i in range(m):
        u[i] = least_sum(cost[i], sinks, _HUGE)
        proved += p[i] * u[i]
        size += p[i] * abs(u[i])
    for j in range(n):
        v[j] = 0.0 - sinks[j]
        proved += q[j] * v[j]
        size += q[j] * abs(v[j])
    gap = value - proved
    return (outcome if abs(gap) <= 1e-11 * size else UNPROVED), value, gap


@kernel()
def solve_ragged(
    first: int,
    last: int,
    costs: np.ndarray,
    cost_starts: np.ndarray,
    p: np.ndarray,
    p_starts: np.ndarray,
    q: np.ndarray,
    q_starts: np.ndarray,
    results: tuple[np.ndarray, ...],
) -> None:
    """Solve problems `first` to `last` - 1 of a batch laid end to end.

    `results` are (outcomes, values, gaps, u, v, arcs, masses). Arcs and masses of a problem start
    where p and q together do; an arc is (source, sink), and (-1, -1) where there is none.
    """
    outcomes, values, gaps, u, v, arcs, masses = results
    m_most, n_most = 1, 1
    for k in range(first, last):
        m_most = max(m_most, p_starts[k + 1] - p_starts[k])
        n_most = max(n_most, q_starts[k + 1] - q_starts[k])
    tree, reals = workspace(m_most, n_most)
    units = np.empty(m_most + n_most, np.int64)
    duals = (np.empty(m_most), np.empty(n_most))
    shares = (np.empty(m_most), np.empty(n_most))
    for k in range(first, last):
        m, n = p_starts[k + 1] - p_starts[k], q_starts[k + 1] - q_starts[k]
        whole = costs[cost_starts[k] : cost_starts[k] + m * n].reshape((m, n))
        p_k, q_k = shares[0][:m], shares[1][:n]
        normalise(p[p_starts[k] : p_starts[k + 1]], p_k)
        normalise(q[q_starts[k] : q_starts[k + 1]], q_k)
        # Nodes without mass stay out, so that no flow is 0; their potentials follow below.
        rows, columns = np.flatnonzero(p_k > 0), np.flatnonzero(q_k > 0)
        cost = whole
        if len(rows) < m or len(columns) < n:
            cost = np.empty((len(rows), len(columns)))
            for i in range(len(rows)):
                for j in range(len(columns)):
                    cost[i, j] = whole[rows[i], columns[j]]
        outcomes[k], values[k], gaps[k] = solve_one(
            cost, p_k[rows], q_k[columns], units, tree, reals, duals, np.inf
        )
        one, _ = scale_of(len(rows))
        _unpack_plan(tree[0], tree[1], rows, columns, one, arcs, masses, p_starts[k] + q_starts[k])
        u_k, v_k = u[p_starts[k] : p_starts[k + 1]], v[q_starts[k] : q_starts[k + 1]]
        _unpack_duals(whole, duals, rows, columns, u_k, v_k)


@kernel()
def _unpack_plan(
    parent: np.ndarray,
    flow: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    one: int,
    arcs: np.ndarray,
    masses: np.ndarray,
    place: int,
) -> None:
    m = len(rows)
    for node in range(m + len(columns)):
        above = parent[node]
        if above != NO_NODE and flow[node] > 0:
            arcs[place, 0] = rows[node] if node < m else rows[above]
            arcs[place, 1] = columns[above - m] if node < m else columns[node - m]
            masses[place] = flow[node] / one
            place += 1


@kernel()
def _unpack_duals(
    cost: np.ndarray,
    duals: tuple[np.ndarray, np.ndarray],
    rows: np.ndarray,
    columns: np.ndarray,
    u: np.ndarray,
    v: np.ndarray,
) -> None:
    """Potentials in their places; a node without mass gets the largest that is feasible."""
    if len(rows) == len(u) and len(columns) == len(v):
        u[:], v[:] = duals[0][: len(u)], duals[1][: len(v)]
        return
    v[:] = np.inf
    for place in range(len(columns)):
        v[columns[place]] = duals[1][place]
    for i in range(len(u)):
        u[i] = np.inf
        for j in columns:
            u[i] = min(u[i], cost[i, j] - v[j])
    for j in range(len(v)):
        if v[j] == np.inf:
            for i in range(len(u)):
                v[j] = min(v[j], cost[i, j] - u[i])
