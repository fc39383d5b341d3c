"""Costs between the words of two documents, from a table of vectors, in float64.

A product of matrices gives the costs fast but not the small ones: the squared distance of like
words is the difference of equal numbers. Those are computed anew from the vectors themselves, so
identical words cost exactly 0 and every cost is right to about eleven digits.
"""

import numpy as np

from scispaces.transport._jit import kernel
from scispaces.transport._rows import fetch

EUCLIDEAN, COSINE = 0, 1

_SMALL = 1e-4  # of the largest the cost could be: below it the product has lost its digits


@kernel()
def padded(dimensions: int) -> int:
    """Dimensions rounded up, so that the loops over them have no rest."""
    return (dimensions + 15) // 16 * 16


@kernel()
def prefetch(table: np.ndarray, words: np.ndarray) -> None:
    """Have the vectors of these words on their way while something else is done."""
    step = max(1, 64 // table.itemsize)
    for word in words:
        row = table[word]
        for k in range(0, len(row), step):
            fetch(row, k)


@kernel(fastmath={"reassoc", "contract", "nsz"})
def pack(
    table: np.ndarray,
    words: np.ndarray,
    weights: np.ndarray,
    kind: int,
    vectors: np.ndarray,
    norms: np.ndarray,
    masses: np.ndarray,
) -> int:
    """Copy the words' vectors into rows of float64, with their norms and masses; give how many.

    For the cosine a mass is weight times norm, and words without direction, hence without mass,
    are left out; norms are then lengths, for the Euclidean cost squares of lengths.
    """
    count = 0
    for place in range(len(words)):
        source, row = table[words[place]], vectors[count]
        square = 0.0
        for k in range(len(source)):
            coordinate = np.float64(source[k])
            row[k] = coordinate
            square += coordinate * coordinate
        if kind == EUCLIDEAN:
            norms[count], masses[count] = square, weights[place]
        elif square > 0:
            norms[count] = np.sqrt(square)
            masses[count] = weights[place] * norms[count]
        else:
            continue
        count += 1
    return count


@kernel(fastmath={"reassoc", "contract", "nsz"})
def _sixteen_products(x: np.ndarray, y: np.ndarray, i: int, j: int, products: np.ndarray) -> None:
    """Inner products of four rows with four rows, each loaded once."""
    x0, x1, x2, x3 = x[i], x[i + 1], x[i + 2], x[i + 3]
    y0, y1, y2, y3 = y[j], y[j + 1], y[j + 2], y[j + 3]
    s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = 0.0
    s20 = s21 = s22 = s23 = s30 = s31 = s32 = s33 = 0.0
    for k in range(len(x0)):
        a, b, c, d = x0[k], x1[k], x2[k], x3[k]
        e, f, g, h = y0[k], y1[k], y2[k], y3[k]
        s00, s01, s02, s03 = s00 + a * e, s01 + a * f, s02 + a * g, s03 + a * h
        s10, s11, s12, s13 = s10 + b * e, s11 + b * f, s12 + b * g, s13 + b * h
        s20, s21, s22, s23 = s20 + c * e, s21 + c * f, s22 + c * g, s23 + c * h
        s30, s31, s32, s33 = s30 + d * e, s31 + d * f, s32 + d * g, s33 + d * h
    t0, t1, t2, t3 = products[i], products[i + 1], products[i + 2], products[i + 3]
    t0[j], t0[j + 1], t0[j + 2], t0[j + 3] = s00, s01, s02, s03
    t1[j], t1[j + 1], t1[j + 2], t1[j + 3] = s10, s11, s12, s13
    t2[j], t2[j + 1], t2[j + 2], t2[j + 3] = s20, s21, s22, s23
    t3[j], t3[j + 1], t3[j + 2], t3[j + 3] = s30, s31, s32, s33


@kernel(fastmath={"reassoc", "contract", "nsz"})
def _square_of_difference(x: np.ndarray, y: np.ndarray, a: float, b: float) -> float:
    total = 0.0
    for k in range(len(x)):
        difference = x[k] / a - y[k] / b
        total += difference * difference
    return total


@kernel()
def fill_costs(
    x: np.ndarray,
    x_norms: np.ndarray,
    y: np.ndarray,
    y_norms: np.ndarray,
    kind: int,
    cost: np.ndarray,
) -> None:
    """Costs (m, n) between packed vectors; x and y have rows to spare for a multiple of four."""
    m, n = cost.shape
    products = np.empty((m + 4, n + 4))
    for i in range(0, m, 4):
        for j in range(0, n, 4):
            _sixteen_products(x, y, i, j, products)
    for i in range(m):
        if kind == EUCLIDEAN:
            _roots(products[i], x_norms[i], y_norms, cost[i])
        else:
            _angles(products[i], x_norms[i], y_norms, cost[i])
        for j in range(n):
            if cost[i, j] < 0:  # marked as small: the product has lost its digits
                if kind == EUCLIDEAN:
                    cost[i, j] = np.sqrt(_square_of_difference(x[i], y[j], 1.0, 1.0))
                else:
                    a, b = x_norms[i], y_norms[j]
                    cost[i, j] = 0.5 * _square_of_difference(x[i], y[j], a, b)


@kernel()
def _roots(products: np.ndarray, square: float, squares: np.ndarray, row: np.ndarray) -> None:
    """Euclidean distances from products and squares of lengths; -1 for the small ones."""
    for j in range(len(row)):
        most = square + squares[j]
        distance = most - 2 * products[j]
        row[j] = np.sqrt(distance) if distance > _SMALL * most else -1.0


@kernel()
def _angles(products: np.ndarray, norm: float, norms: np.ndarray, row: np.ndarray) -> None:
    """1 - cosine from products and lengths; -1 for the small ones."""
    for j in range(len(row)):
        cost = 1 - products[j] / (norm * norms[j])
        row[j] = cost if cost > _SMALL else -1.0
