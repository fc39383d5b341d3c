"""Masses as integers, and a first tree that is close to the best one."""

import numpy as np

from scispaces.transport._jit import kernel
from scispaces.transport._rows import least_sum, place_of_sum

NO_NODE = np.uint32(2**32 - 1)
_TAKEN = 1e300  # more than any cost: the column has nothing left to receive


@kernel()
def normalise(masses: np.ndarray, shares: np.ndarray) -> None:
    """Divide the masses by their sum, which is taken to the last digit."""
    total, lost = 0.0, 0.0  # Neumaier's sum
    for mass in masses:
        partial = total + mass
        lost += (total - partial) + mass if total >= mass else (mass - partial) + total
        total = partial
    for k in range(len(masses)):
        shares[k] = masses[k] / (total + lost)


@kernel()
def scale_of(m: int) -> tuple[int, int]:
    """The integers (one, spread) of `integer_masses` for m sources, both powers of 2."""
    bits = 1
    while (1 << bits) < 2 * m + 1:
        bits += 1
    return 1 << (61 - bits), 1 << bits


@kernel()
def integer_masses(p: np.ndarray, q: np.ndarray, units: np.ndarray) -> tuple[int, int]:
    """Fill `units` with p, then q, each of sum 1, as integers of equal sum; give (one, spread).

    A mass of 1 is `one * spread` units. Each source gets a unit more and the largest sink what
    they got together: no part of the sources then equals a part of the sinks, and nothing is
    ever tied. A flow rounded to multiples of `spread` is the flow of the masses as they were.
    """
    m, n = len(p), len(q)
    one, spread = scale_of(m)
    for masses, start in ((p, 0), (q, m)):
        rest, owed, largest = one, 0.0, 0
        for k in range(len(masses)):
            exact = masses[k] * one + owed
            # A mass too small for the grid gets the least one that moves at all.
            units[start + k] = max(1, np.int64(np.rint(exact)))
            owed = exact - units[start + k]  # rounding is passed on, so that it never adds up
            rest -= units[start + k]
            if masses[k] > masses[largest]:
                largest = k
        units[start + largest] += rest
    largest = m
    for k in range(m + n):
        units[k] = units[k] * spread + (1 if k < m else 0)
        if k > m and units[k] > units[largest]:
            largest = k
    units[largest] += m
    return one, spread


@kernel(fastmath={"reassoc", "contract", "nsz"})
def _advantages(cost: np.ndarray, columns: np.ndarray, keys: np.ndarray) -> None:
    """Minus the mean of each column; and for each row, how far its best is below its mean.

    A number added to a whole column makes no difference to the best plan, so the costs are
    compared with their columns' means, in which a far-off word counts no more than another.
    """
    m, n = cost.shape
    columns[:n] = 0.0
    for i in range(m):
        row = cost[i]
        total = 0.0
        for j in range(n):
            total += row[j]
            columns[j] -= row[j]
        keys[i] = -total / n
    for j in range(n):
        columns[j] /= m


@kernel()
def first_tree(
    cost: np.ndarray,
    units: np.ndarray,
    parent: np.ndarray,
    flow: np.ndarray,
    order: np.ndarray,
    columns: np.ndarray,
    keys: np.ndarray,
    queue: np.ndarray,
) -> None:
    """Rows take turns to fill their cheapest open column; rows that have most to lose go first.

    Whoever is emptied or filled becomes a leaf under its partner and is out, so `order`, the
    order of going out, names children before parents, the root last. `units` is used up.
    """
    m, n = cost.shape
    _advantages(cost, columns, keys)
    columns = columns[:n]
    for i in range(m):
        keys[i] += least_sum(cost[i], columns, _TAKEN)
        place = i
        while place > 0 and keys[queue[place - 1]] > keys[i]:
            queue[place] = queue[place - 1]
            place -= 1
        queue[place] = i
    rows, open_columns, out = m, n, 0
    while rows + open_columns > 1:
        kept = 0
        for turn in range(rows):
            i = queue[turn]
            if out < m + n - 1:
                j = place_of_sum(cost[i], columns, least_sum(cost[i], columns, _TAKEN))
                supply, demand = units[i], units[m + j]
                if supply < demand or open_columns == 1:
                    parent[i], flow[i] = m + j, supply
                    units[m + j] = demand - supply
                    order[out] = i
                    out += 1
                    continue
                parent[m + j], flow[m + j] = i, demand
                units[i] = supply - demand
                order[out] = m + j
                out += 1
                columns[j] = _TAKEN
                open_columns -= 1
            queue[kept] = i
            kept += 1
        rows = kept
    for j in range(n):  # the last column is never closed
        if columns[j] != _TAKEN:
            order[out] = m + j
            parent[m + j] = NO_NODE
