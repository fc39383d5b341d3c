"""Word mover's distance and word rotator's distance, exactly."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from scispaces.transport._common import Array, ArrayLike, as_vectors, in_threads, like
from scispaces.transport._costs import COSINE, EUCLIDEAN
from scispaces.transport._pairs import UNDEFINED, solve_pairs
from scispaces.transport.documents import Documents, documents_from_vectors
from scispaces.transport.exact import refuse_unsolved


class PairDistances(NamedTuple):
    """Distances of pairs of documents, and the duality gaps that prove them."""

    values: Any  # (pairs,), float64
    gaps: Any  # (pairs,)


def wmd(
    x: ArrayLike, y: ArrayLike, *, p: ArrayLike | None = None, q: ArrayLike | None = None
) -> Any:
    r"""Word mover's distance: how far the words of one text must travel to become the other.

    .. math:: \mathrm{WMD} = \min_{\gamma \ge 0} \sum_{i,j} \gamma_{ij} \lVert x_i - y_j \rVert_2,
        \qquad \sum_j \gamma_{ij} = p_i, \quad \sum_i \gamma_{ij} = q_j

    (book: `word-transport-emd`, `word-transport-euclidean-cost`). The length is the root of a sum
    over the dimensions, not of a mean (book: `word-transport-root-mean`).

    Args:
        x: Word vectors of one text, shape (m, dimensions), float32 or float64.
        y: Word vectors of the other, shape (n, dimensions).
        p: Weights of the words of x, shape (m,); equal ones if none. They are divided by their
            sum.
        q: Weights of the words of y, shape (n,), likewise.

    Returns:
        The distance, exact to nine digits and more: a float, or a float64 tensor on the device
        of x if that is a tensor; no gradient flows. Identical texts are at distance 0.

    Raises:
        TypeError: for what is no array of real numbers.
        ValueError: for other shapes, NaN or infinity, negative weights, or a text without words.

    Example:
        >>> import numpy as np
        >>> wmd(np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 2.0], [1.0, 2.0]]))
        2.0

    References:
        [1] M. J. Kusner et al. From Word Embeddings To Document Distances. ICML 2015.
    """
    return like(x, _single(x, y, p, q, EUCLIDEAN))


def wrd(
    x: ArrayLike, y: ArrayLike, *, p: ArrayLike | None = None, q: ArrayLike | None = None
) -> Any:
    r"""Word rotator's distance: words weigh by their length and are compared by their angle.

    .. math:: \mathrm{WRD} = \min_{\gamma \ge 0} \sum_{i,j} \gamma_{ij} (1 - \cos(x_i, y_j)),
        \qquad \sum_j \gamma_{ij} = \frac{\lVert x_i \rVert}{\sum_k \lVert x_k \rVert}, \quad
        \sum_i \gamma_{ij} = \frac{\lVert y_j \rVert}{\sum_k \lVert y_k \rVert}

    (book: `word-transport-wrd-mass`, `word-transport-wrd-cost`). It lies in [0, 2], changes with
    neither a text's scale nor a common rotation, and is no metric: it breaks the triangle
    inequality, which its square root obeys (book: `word-transport-root-triangle`). A zero vector
    has no mass and counts for nothing.

    Args:
        x: Word vectors of one text, shape (m, dimensions), float32 or float64.
        y: Word vectors of the other, shape (n, dimensions).
        p: Counts by which the lengths of the words of x are multiplied, shape (m,); 1 if none.
        q: Counts for the words of y, shape (n,), likewise.

    Returns:
        The distance, exact to nine digits and more: a float, or a float64 tensor on the device
        of x if that is a tensor; no gradient flows.

    Raises:
        TypeError: for what is no array of real numbers.
        ValueError: for other shapes, NaN or infinity, negative counts, or a text all of whose
            vectors are 0.

    Example:
        >>> import numpy as np
        >>> wrd(np.array([[3.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 1.0]]))
        0.5

    References:
        [1] S. Yokoi et al. Word Rotator's Distance. EMNLP 2020.
    """
    return like(x, _single(x, y, p, q, COSINE))


def wmd_pairs(
    first: Documents | Sequence[ArrayLike],
    second: Documents | Sequence[ArrayLike],
    *,
    n_jobs: int = -1,
    progress: bool = False,
) -> PairDistances:
    """Word mover's distance of document k from document k, for every k.

    Args:
        first: Documents, or for each the vectors of its words, shape (words, dimensions).
        second: As many documents.
        n_jobs: Threads; -1 takes as many as torch does (`OMP_NUM_THREADS` sets that).
        progress: Whether to show a bar.

    Returns:
        Distances and duality gaps, float64 (pairs,); NaN where a document is empty.

    Raises:
        ValueError: if the numbers of documents or the dimensions differ.
        ArithmeticError: if optimality could not be proved.

    Example:
        >>> import numpy as np
        >>> pairs = wmd_pairs([np.eye(2), np.eye(2)], [np.eye(2), np.zeros((1, 2))])
        >>> pairs.values
        array([0., 1.])
    """
    return _pairs(first, second, EUCLIDEAN, n_jobs, progress)


def wrd_pairs(
    first: Documents | Sequence[ArrayLike],
    second: Documents | Sequence[ArrayLike],
    *,
    n_jobs: int = -1,
    progress: bool = False,
) -> PairDistances:
    """Word rotator's distance of document k from document k, for every k.

    A word's mass is its weight in the document times the length of its vector.

    Args:
        first: Documents, or for each the vectors of its words, shape (words, dimensions).
        second: As many documents.
        n_jobs: Threads; -1 takes as many as torch does (`OMP_NUM_THREADS` sets that).
        progress: Whether to show a bar.

    Returns:
        Distances and duality gaps, float64 (pairs,); NaN where a document is empty or all of its
        vectors are 0.

    Raises:
        ValueError: if the numbers of documents or the dimensions differ.
        ArithmeticError: if optimality could not be proved.

    Example:
        >>> import numpy as np
        >>> wrd_pairs([np.eye(2)], [2 * np.eye(2)]).values
        array([0.])
    """
    return _pairs(first, second, COSINE, n_jobs, progress)


def _single(x: Any, y: Any, p: Any, q: Any, kind: int) -> float:
    sides = [
        documents_from_vectors([as_vectors(name, rows)], None if weights is None else [weights])
        for name, rows, weights in (("x", x, p), ("y", y, q))
    ]
    value = float(_pairs(sides[0], sides[1], kind, 1, False).values[0])
    if np.isnan(value):
        raise ValueError("`x` and `y` must each hold a vector other than 0. Got only zeros.")
    return value


def _pairs(first: Any, second: Any, kind: int, n_jobs: int, progress: bool) -> PairDistances:
    sides = [
        side if isinstance(side, Documents) else documents_from_vectors(side)
        for side in (first, second)
    ]
    if len(sides[0]) != len(sides[1]):
        raise ValueError(
            "`first` and `second` must hold as many documents. "
            f"Got {len(sides[0])} and {len(sides[1])}."
        )
    check_dimensions(*sides)
    outcomes: Array = np.full(len(sides[0]), UNDEFINED)
    values, gaps = np.empty(len(outcomes)), np.empty(len(outcomes))
    a, b = ((side.vectors, side.starts, side.words, side.weights) for side in sides)

    def task(start: int, stop: int) -> None:
        solve_pairs(start, stop, *a, *b, kind, outcomes, values, gaps)

    lengths = [np.diff(side.starts).astype(np.float64) for side in sides]
    work = lengths[0] * lengths[1] * (lengths[0] + lengths[1] + 100) + 1
    in_threads(task, work, n_jobs, progress, "pairs")
    refuse_unsolved(outcomes, gaps)
    return PairDistances(values, gaps)


def check_dimensions(first: Documents, second: Documents) -> None:
    """Refuse two sides whose vectors do not live in one space."""
    if len(first) and len(second) and first.vectors.shape[1] != second.vectors.shape[1]:
        raise ValueError(
            "Both sides must have vectors of the same dimensions. "
            f"Got {first.vectors.shape[1]} and {second.vectors.shape[1]}."
        )
