"""Ragged batches of transport problems, solved one after the other without the interpreter."""

import numpy as np
from numba import njit

from scispaces.transport._rows import least_sum
from scispaces.transport._simplex import NO_NODE, OPTIMAL, Tree, solve, workspace
from scispaces.transport._start import integer_masses, normalise

_HUGE = 1e300
UNPROVED = 3  # beside the outcomes of `solve`: a gap that rounding does not explain


@njit(nogil=True, cache=True)
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
    value, proved, size = 0.0, 0.0, 0.0
    for node in range(m + n):
        if parent[node] != NO_NODE:
            price = cost[node, parent[node] - m] if node < m else cost[parent[node], node - m]
            flow[node] = (flow[node] + m) // spread  # the perturbation taken back
            value += price * (flow[node] / one)
            size += abs(price) * (flow[node] / one)
    u, v = duals
    for i in range(m):
        u[i] = least_sum(cost[i], sinks, _HUGE)
        proved += p[i] * u[i]
        size += p[i] * abs(u[i])
    for j in range(n):
        v[j] = -sinks[j]
        proved += q[j] * v[j]
        size += q[j] * abs(v[j])
    gap = value - proved
    return (outcome if abs(gap) <= 1e-11 * size else UNPROVED), value, gap
