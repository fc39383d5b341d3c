"""Distances of pairs of documents: costs and solutions in one go."""

import numpy as np

from scispaces.transport._batch import solve_one
from scispaces.transport._costs import fill_costs, pack, padded, prefetch
from scispaces.transport._jit import kernel
from scispaces.transport._simplex import workspace
from scispaces.transport._start import normalise

UNDEFINED = 4  # beside the outcomes of `solve`: no mass on one of the sides


@kernel()
def packing_room(words: int, dimensions: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Memory for the vectors, norms and masses of so many words; see `pack`."""
    return np.zeros((words + 4, padded(dimensions))), np.empty(words), np.empty(words)


@kernel()
def solve_pairs(
    first: int,
    last: int,
    a_table: np.ndarray,
    a_starts: np.ndarray,
    a_words: np.ndarray,
    a_weights: np.ndarray,
    b_table: np.ndarray,
    b_starts: np.ndarray,
    b_words: np.ndarray,
    b_weights: np.ndarray,
    kind: int,
    outcomes: np.ndarray,
    values: np.ndarray,
    gaps: np.ndarray,
) -> None:
    """Distance of document k of one side from document k of the other, `first` <= k < `last`."""
    m_most, n_most = 1, 1
    for k in range(first, last):
        m_most = max(m_most, a_starts[k + 1] - a_starts[k])
        n_most = max(n_most, b_starts[k + 1] - b_starts[k])
    x, x_norms, p = packing_room(m_most, a_table.shape[1])
    y, y_norms, q = packing_room(n_most, b_table.shape[1])
    tree, reals = workspace(m_most, n_most)
    units = np.empty(m_most + n_most, np.int64)
    duals = (np.empty(m_most), np.empty(n_most))
    room = np.empty(m_most * n_most)
    for k in range(first, last):
        a, b = slice(a_starts[k], a_starts[k + 1]), slice(b_starts[k], b_starts[k + 1])
        m = pack(a_table, a_words[a], a_weights[a], kind, x, x_norms, p)
        n = pack(b_table, b_words[b], b_weights[b], kind, y, y_norms, q)
        if k + 1 < last:
            prefetch(a_table, a_words[a_starts[k + 1] : a_starts[k + 2]])
            prefetch(b_table, b_words[b_starts[k + 1] : b_starts[k + 2]])
        outcomes[k], values[k], gaps[k] = UNDEFINED, np.nan, np.nan
        if m > 0 and n > 0:
            cost = room[: m * n].reshape((m, n))
            fill_costs(x, x_norms, y, y_norms, kind, cost)
            normalise(p[:m], p[:m])
            normalise(q[:n], q[:n])
            outcomes[k], values[k], gaps[k] = solve_one(
                cost, p[:m], q[:n], units, tree, reals, duals, np.inf
            )
