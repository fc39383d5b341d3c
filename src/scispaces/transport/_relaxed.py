"""Lower bounds for a document against many others at once, from one product of matrices.

The product is taken in the precision of the vectors, and its terms are made smaller by as much as
rounding may have made them larger, so that what is called a lower bound is one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scispaces.transport._common import Array
from scispaces.transport._costs import EUCLIDEAN
from scispaces.transport._jit import kernel
from scispaces.transport._rows import least
from scispaces.transport._search import SAFE
from scispaces.transport.documents import Documents


@dataclass(frozen=True, eq=False)
class Side:
    """Documents made ready for products: their distinct words as factors, masses of sum 1."""

    documents: Documents  # without words of no mass
    local: NDArray[np.int32]  # for every word of the documents its row in `factors`
    masses: NDArray[np.float64]
    factors: Array  # (distinct words, dimensions + 2)
    centres: Array  # (documents, dimensions), float64: of the vectors, or of their directions
    kind: int


def side_of(documents: Documents, kind: int, *, query: bool) -> Side:
    """Make documents ready, as the right factor of the products if they are queries."""
    table = documents.vectors
    present = np.zeros(len(table), bool)
    present[documents.words] = True
    used = np.flatnonzero(present)
    place = np.empty(len(table), np.int32)
    place[used] = np.arange(len(used))
    local = place[documents.words]
    vectors, norms = table[used], np.empty(len(used))
    _lengths(vectors, norms)
    masses, starts = documents.weights, documents.starts
    if kind != EUCLIDEAN:
        kept = norms[local] > 0
        places = np.flatnonzero(kept)
        masses = masses[places] * norms[local[places]]
        local = local[places]
        starts = np.searchsorted(places, starts)
        documents = Documents(table, starts, documents.words[places], documents.weights[places])
    lengths = np.diff(starts)
    totals = np.bincount(np.repeat(np.arange(len(lengths)), lengths), masses, len(lengths))
    masses = masses / np.repeat(totals, lengths)
    centres = np.empty((len(lengths), table.shape[1]))
    shares = masses if kind == EUCLIDEAN else masses / norms[local]
    _centres_of_mass(starts, local, shares, vectors, centres)
    if kind != EUCLIDEAN:
        vectors = vectors / np.where(norms > 0, norms, 1)[:, None].astype(table.dtype)
    factors = _factors(vectors, norms, kind, query)
    return Side(documents, local, masses, factors, centres, kind)


@kernel(fastmath={"reassoc", "contract", "nsz"})
def _lengths(vectors: np.ndarray, norms: np.ndarray) -> None:
    for word in range(len(vectors)):
        total = 0.0
        for coordinate in vectors[word]:
            total += np.float64(coordinate) ** 2
        norms[word] = np.sqrt(total)


@kernel(fastmath={"contract"})
def _centres_of_mass(
    starts: np.ndarray,
    words: np.ndarray,
    masses: np.ndarray,
    vectors: np.ndarray,
    centres: np.ndarray,
) -> None:
    for number in range(len(centres)):
        centre = centres[number]
        centre[:] = 0.0
        for k in range(starts[number], starts[number + 1]):
            mass, row = masses[k], vectors[words[k]]
            for i in range(len(centre)):
                centre[i] += mass * row[i]


def _factors(vectors: Array, norms: Array, kind: int, query: bool) -> Array:
    """Rows whose inner products, a corpus row with a query row, are a little below the costs.

    Below the squares of the costs, for the Euclidean one.
    """
    words, dimensions = vectors.shape
    rounding = (dimensions + 8) * np.finfo(vectors.dtype).eps
    factors = np.empty((words, dimensions + 2), vectors.dtype)
    ones = np.ones(words)
    if kind == EUCLIDEAN:
        factors[:, :-2] = vectors if query else -2 * vectors
        extra = (1 - rounding) * norms**2
        factors[:, -2], factors[:, -1] = (ones, extra) if query else (extra, ones)
    else:
        factors[:, :-2] = vectors if query else -vectors
        factors[:, -2], factors[:, -1] = (ones, 0 * ones) if query else (ones - rounding, ones)
    return factors


def centre_bounds(query: Array, corpus: Side) -> Array:
    """How far the centre of mass of a query (dimensions,) is from every document's."""
    squares: Array = np.empty(len(corpus.centres))
    _square_distances(corpus.centres, query, squares)
    return np.sqrt(squares) if corpus.kind == EUCLIDEAN else squares / 2


@kernel(fastmath={"reassoc", "contract", "nsz"})
def _square_distances(points: np.ndarray, place: np.ndarray, squares: np.ndarray) -> None:
    for number in range(len(points)):
        row = points[number]
        total = 0.0
        for k in range(len(place)):
            total += (row[k] - place[k]) ** 2
        squares[number] = total


def relaxed_bounds(
    factors: Array, masses: Array, corpus: Side, candidates: Array
) -> tuple[Array, Array]:
    """Both one-sided bounds of candidates, (2, candidates), the query's words first; and costs.

    The costs are those of `_factors`: between all words of the corpus and the query's.
    """
    table = corpus.factors @ factors.T
    bounds = np.empty((2, len(candidates)))
    relax(table, masses, corpus, candidates, bounds)
    return bounds, table


def relax(table: Array, masses: Array, corpus: Side, candidates: Array, bounds: Array) -> None:
    """Fill in the bounds from the product of the factors."""
    starts, squared = corpus.documents.starts, corpus.kind == EUCLIDEAN
    _relax(table, masses, starts, corpus.local, corpus.masses, candidates, squared, bounds)


@kernel(fastmath=True)
def _relax(
    table: np.ndarray,
    query_masses: np.ndarray,
    starts: np.ndarray,
    words: np.ndarray,
    masses: np.ndarray,
    candidates: np.ndarray,
    squared: bool,
    bounds: np.ndarray,
) -> None:
    count, width = table.shape
    nearest = np.empty(count)  # for each word of the corpus, its nearest word of the query
    for word in range(count):
        row = table[word]
        lowest = row[0]
        for i in range(width):
            lowest = least(lowest, row[i])
        nearest[word] = max(lowest, 0.0)
    if squared:
        for word in range(count):
            nearest[word] = np.sqrt(nearest[word])
    best = np.empty(width, table.dtype)
    for place in range(len(candidates)):
        begin, end = starts[candidates[place]], starts[candidates[place] + 1]
        total = 0.0
        for k in range(begin, end):
            total += masses[k] * nearest[words[k]]
        bounds[1, place] = total * SAFE
        best[:] = table[words[begin]]
        k = begin + 1
        while k < end:  # four rows at a time; the last one again where there are fewer
            a, b = table[words[k]], table[words[min(k + 1, end - 1)]]
            c, d = table[words[min(k + 2, end - 1)]], table[words[min(k + 3, end - 1)]]
            for i in range(width):
                best[i] = least(best[i], least(least(a[i], b[i]), least(c[i], d[i])))
            k += 4
        total = 0.0
        if squared:
            for i in range(width):
                total += query_masses[i] * np.sqrt(max(best[i], best.dtype.type(0)))
        else:
            for i in range(width):
                total += query_masses[i] * max(best[i], best.dtype.type(0))
        bounds[0, place] = total * SAFE
