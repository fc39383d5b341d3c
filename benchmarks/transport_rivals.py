"""Other people's ways to the same distances, in the few lines that users write.

Each takes a table of vectors and pairs of (rows, masses, rows, masses) and returns distances.
"""

import numpy as np
import ot
from numpy.typing import NDArray
from ot.lp.emd_wrap import emd_c
from scipy.spatial.distance import cdist

Pair = tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.int32], NDArray[np.float64]]


def cdist_and_emd2(table: NDArray[np.float32], pairs: list[Pair]) -> list[float]:
    """What the documentation of POT suggests."""
    return [ot.emd2(p, q, cdist(table[a], table[b])) for a, p, b, q in pairs]


def product_and_emd2(table: NDArray[np.float32], pairs: list[Pair]) -> list[float]:
    """Word rotator's distance with a product of matrices and POT's public door."""
    distances = []
    for a, p, b, q in pairs:
        x, y = table[a], table[b]
        lengths = np.linalg.norm(x, axis=1), np.linalg.norm(y, axis=1)
        cost = 1 - (x / lengths[0][:, None]) @ (y / lengths[1][:, None]).T
        p, q = p * lengths[0], q * lengths[1]
        distances.append(ot.emd2(p / p.sum(), q / q.sum(), cost.astype(np.float64)))
    return distances


def product_and_private_door(table: NDArray[np.float32], pairs: list[Pair]) -> list[float]:
    """The fastest assembly: a product of matrices, and POT's compiled solver without checks.

    In float32 its cost of identical words is up to a thousandth of a length, not 0.
    """
    distances = []
    for a, p, b, q in pairs:
        x, y = table[a], table[b]
        squares = x @ y.T
        squares *= -2
        squares += np.einsum("ij,ij->i", x, x)[:, None]
        squares += np.einsum("ij,ij->i", y, y)
        np.maximum(squares, 0, out=squares)
        cost = np.sqrt(squares, out=squares).astype(np.float64)
        distances.append(emd_c(p, q, cost, 1_000_000, 1)[1])
    return distances


def private_door(costs: list[tuple[NDArray[np.float64], ...]]) -> list[float]:
    """POT's compiled solver alone, for masses and costs that are given."""
    return [emd_c(p, q, cost, 1_000_000, 1)[1] for p, q, cost in costs]
