"""The exact part of the search for neighbours: documents in order of their bounds."""

import numpy as np

from scispaces.transport._batch import solve_one
from scispaces.transport._costs import EUCLIDEAN, fill_costs, pack
from scispaces.transport._jit import kernel
from scispaces.transport._pairs import packing_room
from scispaces.transport._rows import least, least_sum
from scispaces.transport._simplex import OPTIMAL, STOPPED, dual_value, workspace

EXCLUDED, REFUTED, SOLVED = 0, 1, 2

SAFE = 1 - 1e-6  # for the rounding of roots and sums in float32
_TIES = 1 + 1e-9  # a document is dropped only if it is farther by more than rounding
_HUGE = 1e300


@kernel()
def search(
    table: np.ndarray,
    query_table: np.ndarray,
    query_words: np.ndarray,
    query_weights: np.ndarray,
    query_masses: np.ndarray,
    starts: np.ndarray,
    words: np.ndarray,
    local: np.ndarray,
    masses: np.ndarray,
    lower: np.ndarray,
    order: np.ndarray,
    bounds: np.ndarray,
    kind: int,
    offset: int,
    distances: np.ndarray,
    indices: np.ndarray,
    counts: np.ndarray,
) -> int:
    """Improve the nearest so far of one query, (k,) by rising distance; give the worst outcome.

    `order` names documents by rising `bounds`; their index for the caller is `offset` higher.
    `lower` holds the costs between all words and the query's, a little too low. What is too far
    with them is too far; only for the rest are the costs computed exactly.
    """
    n = len(query_words)
    longest = 1
    for document in order:
        longest = max(longest, starts[document + 1] - starts[document])
    y, y_norms, y_masses = packing_room(n, table.shape[1])
    pack(query_table, query_words, query_weights, kind, y, y_norms, y_masses)
    x, x_norms, x_masses = packing_room(longest, table.shape[1])
    ones = np.ones(longest)
    room = np.empty(longest * n)
    tree, reals = workspace(longest, n)
    units = np.empty(longest + n, np.int64)
    duals = (np.empty(longest), np.empty(n))
    nearest = np.empty(n)
    for rank in range(len(order)):
        document = order[rank]
        limit = distances[-1] * _TIES
        if bounds[rank] > limit:
            counts[EXCLUDED] += len(order) - rank
            break
        begin, m = starts[document], starts[document + 1] - starts[document]
        cost = room[: m * n].reshape((m, n))
        p = masses[begin : begin + m]
        if limit < np.inf:
            for i in range(m):
                _lower_costs(lower[local[begin + i]], kind, cost[i])
            if _quick_bound(cost, p, query_masses, nearest) > limit:
                counts[REFUTED] += 1
                continue
            outcome, value, _ = solve_one(cost, p, query_masses, units, tree, reals, duals, limit)
            if outcome == STOPPED or (outcome == OPTIMAL and value > limit):
                counts[REFUTED] += 1
                continue
        pack(table, words[begin : begin + m], ones, kind, x, x_norms, x_masses)
        fill_costs(x, x_norms, y, y_norms, kind, cost)
        outcome, value, _ = solve_one(cost, p, query_masses, units, tree, reals, duals, np.inf)
        if outcome != OPTIMAL:
            return outcome
        counts[SOLVED] += 1
        _insert(value, document + offset, distances, indices)
    return OPTIMAL


@kernel(fastmath=True)
def _lower_costs(lower: np.ndarray, kind: int, row: np.ndarray) -> None:
    """Costs from what `lower` holds of them: their squares, if they are Euclidean."""
    if kind == EUCLIDEAN:
        for j in range(len(row)):
            row[j] = np.sqrt(max(lower[j], np.float32(0.0))) * SAFE
    else:
        for j in range(len(row)):
            row[j] = max(lower[j], np.float32(0.0))


@kernel()
def _quick_bound(cost: np.ndarray, p: np.ndarray, q: np.ndarray, nearest: np.ndarray) -> float:
    """The better of two dual solutions: one side's nearest costs, the other's best answer."""
    m, n = cost.shape
    for j in range(n):
        nearest[j] = cost[0, j]
    for i in range(1, m):
        row = cost[i]
        for j in range(n):
            nearest[j] = least(nearest[j], row[j])
    for j in range(n):
        nearest[j] = -nearest[j]
    first = dual_value(cost, p, q, nearest)
    second = 0.0
    for j in range(n):
        nearest[j] = _HUGE
    zeros = np.zeros(n)
    for i in range(m):
        row = cost[i]
        lowest = least_sum(row, zeros, _HUGE)
        second += p[i] * lowest
        for j in range(n):
            nearest[j] = least(nearest[j], row[j] - lowest)
    for j in range(n):
        second += q[j] * nearest[j]
    return max(first, second)


@kernel()
def _insert(value: float, index: int, distances: np.ndarray, indices: np.ndarray) -> None:
    """Put a document among the nearest; of equal ones the earlier comes first."""
    place = len(distances)
    while place > 0 and (
        value < distances[place - 1]
        or (value == distances[place - 1] and index < indices[place - 1])
    ):
        place -= 1
        if place + 1 < len(distances):
            distances[place + 1], indices[place + 1] = distances[place], indices[place]
    if place < len(distances):
        distances[place], indices[place] = value, index
