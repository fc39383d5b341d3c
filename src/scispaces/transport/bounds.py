"""Lower bounds of the word distances, cheap enough to be taken of whole corpora."""

from typing import Any, Literal

import numpy as np

from scispaces.transport._common import Array, ArrayLike, as_vectors, like
from scispaces.transport._costs import COSINE, EUCLIDEAN, fill_costs, pack
from scispaces.transport._pairs import packing_room
from scispaces.transport._relaxed import centre_bounds, relaxed_bounds, side_of
from scispaces.transport.documents import Documents, documents_from_vectors
from scispaces.transport.words import check_dimensions

RelaxedSide = Literal["first", "second", "max"]


def wcd(
    first: ArrayLike | Documents,
    second: ArrayLike | Documents,
    *,
    p: ArrayLike | None = None,
    q: ArrayLike | None = None,
) -> Any:
    r"""Word centroid distance: how far apart the centres of mass are; at most the WMD.

    .. math:: \Big\lVert \sum_i p_i x_i - \sum_j q_j y_j \Big\rVert_2 \le \mathrm{WMD}

    (book: `word-transport-wcd`).

    Args:
        first: Word vectors of one text, shape (m, dimensions), or many documents.
        second: Word vectors of the other, shape (n, dimensions), or many documents.
        p: Weights of the words of a single text `first`, shape (m,); equal ones if none.
        q: Weights of the words of a single text `second`, shape (n,), likewise.

    Returns:
        For two texts a float (a tensor for tensors); for documents the bounds of all pairs,
        float64 (documents of `first`, documents of `second`), NaN where one is empty.

    Raises:
        ValueError: as `wmd` does; for a text beside documents; for weights of documents.

    Example:
        >>> import numpy as np
        >>> wcd(np.array([[0.0, 0.0], [2.0, 0.0]]), np.array([[1.0, 3.0]]))
        3.0

    References:
        [1] M. J. Kusner et al. From Word Embeddings To Document Distances. ICML 2015.
    """
    one, other, single = _sides(first, second, p, q)
    return _shaped(first, _centres(one, other, EUCLIDEAN), single)


def wrd_lower_bound(
    first: ArrayLike | Documents,
    second: ArrayLike | Documents,
    *,
    p: ArrayLike | None = None,
    q: ArrayLike | None = None,
) -> Any:
    r"""A bound of the WRD by sums of vectors alone.

    .. math:: \frac{1}{2} \Big\lVert \frac{\sum_i x_i}{\sum_i \lVert x_i \rVert}
        - \frac{\sum_j y_j}{\sum_j \lVert y_j \rVert} \Big\rVert_2^2 \le \mathrm{WRD}

    (book: `word-transport-wrd-bound`).

    Args:
        first: Word vectors of one text, shape (m, dimensions), or many documents.
        second: Word vectors of the other, shape (n, dimensions), or many documents.
        p: Counts of the words of a single text `first`, shape (m,); 1 if none.
        q: Counts of the words of a single text `second`, shape (n,), likewise.

    Returns:
        As `wcd`; NaN also where all vectors of a document are 0.

    Raises:
        ValueError: as `wrd` does; for a text beside documents; for counts of documents.

    Example:
        >>> import numpy as np
        >>> wrd_lower_bound(np.array([[1.0, 0.0]]), np.array([[0.0, 2.0]]))
        1.0

    References:
        [1] J. Su. Scientific Spaces, archives/7388 (2020).
    """
    one, other, single = _sides(first, second, p, q)
    return _shaped(first, _centres(one, other, COSINE), single)


def rwmd(
    first: ArrayLike | Documents,
    second: ArrayLike | Documents,
    *,
    p: ArrayLike | None = None,
    q: ArrayLike | None = None,
    side: RelaxedSide = "max",
) -> Any:
    r"""Relaxed word mover's distance: every word goes to the nearest word of the other text.

    .. math:: \max\Big\{\sum_i p_i \min_j \lVert x_i - y_j \rVert,\
        \sum_j q_j \min_i \lVert x_i - y_j \rVert\Big\} \le \mathrm{WMD}

    (book: `word-transport-rwmd`).

    Args:
        first: Word vectors of one text, shape (m, dimensions), or many documents.
        second: Word vectors of the other, shape (n, dimensions), or many documents.
        p: Weights of the words of a single text `first`, shape (m,); equal ones if none.
        q: Weights of the words of a single text `second`, shape (n,), likewise.
        side: Whose words travel: "first" or "second" for one of the two sums, or the larger,
            "max".

    Returns:
        For two texts the sum itself, to eleven digits: a float, or a tensor for tensors. For
        documents the bounds of all pairs, float64 (documents of `first`, of `second`), NaN where
        one is empty; they come from products of matrices in the precision of the vectors, and
        are lower than the sums by what that may have cost, never higher.

    Raises:
        ValueError: as `wmd` does; for a text beside documents; for weights of documents.

    Example:
        >>> import numpy as np
        >>> x, y = np.array([[0.0], [1.0]]), np.array([[0.0], [3.0]])
        >>> rwmd(x, y, side="first"), rwmd(x, y, side="second"), rwmd(x, y)
        (0.5, 1.0, 1.0)

    References:
        [1] M. J. Kusner et al. From Word Embeddings To Document Distances. ICML 2015.
    """
    if side not in ("first", "second", "max"):
        raise ValueError(f"`side` must be 'first', 'second' or 'max'. Got {side!r}.")
    one, other, single = _sides(first, second, p, q)
    if single:
        cost = _cost_matrix(one, other)
        sums = np.array([_shares(one) @ cost.min(1), _shares(other) @ cost.min(0)])
        return like(first, float(_pick(sums, side)))
    corpus, queries = side_of(other, EUCLIDEAN, query=False), side_of(one, EUCLIDEAN, query=True)
    bounds = np.full((2, len(one), len(other)), np.nan)
    filled = np.flatnonzero(np.diff(other.starts))
    for number in range(len(one)):
        own = slice(one.starts[number], one.starts[number + 1])
        if own.stop > own.start and len(filled):
            factors = queries.factors[queries.local[own]]
            pair, _ = relaxed_bounds(factors, queries.masses[own], corpus, filled)
            bounds[:, number, filled] = pair
    return _pick(bounds, side)


def _pick(sums: Array, side: RelaxedSide) -> Array:
    picked: Array = sums.max(0) if side == "max" else sums[0 if side == "first" else 1]
    return picked


def _sides(first: Any, second: Any, p: Any, q: Any) -> tuple[Documents, Documents, bool]:
    many = [isinstance(side, Documents) for side in (first, second)]
    if many[0] != many[1]:
        raise ValueError("`first` and `second` must both be texts or both be documents.")
    if all(many):
        if p is not None or q is not None:
            raise ValueError("`p` and `q` must not be given for documents, which have weights.")
        check_dimensions(first, second)
        return first, second, False
    one, other = (
        documents_from_vectors([as_vectors(name, rows)], None if weights is None else [weights])
        for name, rows, weights in (("first", first, p), ("second", second, q))
    )
    check_dimensions(one, other)
    return one, other, True


def _shaped(original: Any, bounds: Array, single: bool) -> Any:
    if single and np.isnan(bounds[0, 0]):
        raise ValueError("Each text must hold a vector other than 0. Got only zeros.")
    return like(original, float(bounds[0, 0])) if single else bounds


def _centres(one: Documents, other: Documents, kind: int) -> Array:
    ones, corpus = side_of(one, kind, query=True), side_of(other, kind, query=False)
    bounds = np.empty((len(one), len(other)))
    for number, centre in enumerate(ones.centres):
        bounds[number] = centre_bounds(centre, corpus)
    bounds[np.diff(ones.documents.starts) == 0] = np.nan
    bounds[:, np.diff(corpus.documents.starts) == 0] = np.nan
    return bounds


def _shares(text: Documents) -> Array:
    shares: Array = text.weights / text.weights.sum()
    return shares


def _cost_matrix(one: Documents, other: Documents) -> Array:
    x, y = (packing_room(len(text.words), text.vectors.shape[1]) for text in (one, other))
    pack(one.vectors, one.words, one.weights, EUCLIDEAN, *x)
    pack(other.vectors, other.words, other.weights, EUCLIDEAN, *y)
    cost = np.empty((len(one.words), len(other.words)))
    fill_costs(x[0], x[1], y[0], y[1], EUCLIDEAN, cost)
    return cost
