"""The nearest documents of a corpus, exactly, with few exact distances."""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scispaces.transport._common import Array, in_threads
from scispaces.transport._costs import COSINE, EUCLIDEAN
from scispaces.transport._relaxed import Side, centre_bounds, relaxed_bounds, side_of
from scispaces.transport._search import EXCLUDED, REFUTED, SOLVED, search
from scispaces.transport._simplex import OPTIMAL
from scispaces.transport.documents import Documents
from scispaces.transport.words import check_dimensions

_SAFE = 1 - 1e-9  # for the rounding of centres in float64


class Neighbours(NamedTuple):
    """The k nearest documents of each query, nearest first, and what finding them took.

    `excluded` documents were passed over because of a bound, `refuted` ones because a solution
    of the dual problem showed them to be too far, `solved` ones needed the exact distance.
    """

    indices: NDArray[np.int64]  # (queries, k); -1 for a query without words
    distances: NDArray[np.float64]  # (queries, k)
    excluded: NDArray[np.int64]  # (queries,)
    refuted: NDArray[np.int64]
    solved: NDArray[np.int64]

    @property
    def spared(self) -> float:
        """The share of exact distances that need not be solved to the end."""
        solved = int(self.solved.sum())
        total = solved + int(self.excluded.sum()) + int(self.refuted.sum())
        return 1 - solved / total if total else 0.0


def nearest_documents(
    queries: Documents,
    corpus: Documents | Iterable[Documents],
    k: int,
    *,
    distance: Literal["wmd", "wrd"] = "wmd",
    chunk: int = 16_384,
    n_jobs: int = -1,
    progress: bool = False,
) -> Neighbours:
    """The k nearest documents of each query, the same as if all distances were computed.

    For a query, all documents get lower bounds: the distance of the centres, and the relaxed
    distances of both sides from one product of matrices. By rising bound they get exact
    distances, until the bound is above the k-th best. A distance is not computed to the end once
    a dual solution puts it above the k-th best.

    Args:
        queries: Documents to find neighbours of.
        corpus: Documents to search, or an iterable of such, each held in memory only while it is
            searched: so a corpus can be larger than memory. Indices count through all of them.
        k: How many; at most the number of documents with words.
        distance: "wmd" or "wrd".
        chunk: Documents taken at once. Each takes eight bytes a dimension and about twenty a word;
            each thread four more for every distinct word of the chunk and every word of a query.
        n_jobs: Threads; -1 takes as many as torch does (`OMP_NUM_THREADS` sets that).
        progress: Whether to show a bar for each chunk.

    Returns:
        Indices and distances, nearest first, the earlier first of equal ones, and counts.
        Documents without words are nobody's neighbours; a query without gets -1 and NaN.

    Raises:
        ValueError: for another distance, k below 1 or too large, or dimensions that differ.
        ArithmeticError: if optimality could not be proved.

    Example:
        >>> import numpy as np
        >>> from scispaces.transport import documents_from_vectors
        >>> places = [np.array([[float(k)]]) for k in (5, 1, 2, 9)]
        >>> corpus = documents_from_vectors(places)
        >>> found = nearest_documents(corpus[:1], corpus, 2)
        >>> found.indices, found.distances
        (array([[0, 2]]), array([[0., 3.]]))

    References:
        [1] M. J. Kusner et al. From Word Embeddings To Document Distances. ICML 2015.
    """
    if distance not in ("wmd", "wrd"):
        raise ValueError(f"`distance` must be 'wmd' or 'wrd'. Got {distance!r}.")
    for name, value in (("k", k), ("chunk", chunk)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(f"`{name}` must be a positive integer. Got {value!r}.")
    kind = EUCLIDEAN if distance == "wmd" else COSINE
    prepared = side_of(queries, kind, query=True)
    distances = np.full((len(queries), k), np.inf)
    indices = np.full((len(queries), k), -1, np.int64)
    counts = np.zeros((len(queries), 3), np.int64)
    outcomes = np.zeros(len(queries), np.int64)
    offset = with_words = 0
    for part in _parts(corpus, chunk):
        check_dimensions(queries, part)
        side = side_of(part, kind, query=False)
        filled = np.flatnonzero(np.diff(side.documents.starts))

        def task(
            first: int, last: int, side: Side = side, filled: Array = filled, offset: int = offset
        ) -> None:
            for number in range(first, last):
                nearest = distances[number], indices[number], counts[number]
                outcomes[number] |= _search_one(prepared, number, side, filled, offset, nearest)

        lengths = np.diff(prepared.documents.starts) * (len(filled) > 0)
        in_threads(task, lengths + 1e-9, n_jobs, progress, f"neighbours from {offset}")
        if outcomes.any():
            raise ArithmeticError(
                f"A distance of query {np.flatnonzero(outcomes)[0]} could not be proved optimal."
            )
        offset += len(part)
        with_words += len(filled)
    if k > with_words and len(queries):
        raise ValueError(
            f"`k` must be at most {with_words}, the number of documents with words. Got {k}."
        )
    distances[np.diff(prepared.documents.starts) == 0] = np.nan
    return Neighbours(
        indices, distances, counts[:, EXCLUDED], counts[:, REFUTED], counts[:, SOLVED]
    )


def _parts(corpus: Documents | Iterable[Documents], chunk: int) -> Iterator[Documents]:
    for piece in [corpus] if isinstance(corpus, Documents) else corpus:
        for start in range(0, len(piece), chunk):
            yield piece[start : start + chunk]


def _search_one(
    queries: Side, number: int, corpus: Side, filled: Array, offset: int, nearest: tuple[Array, ...]
) -> int:
    """Search a chunk for one query, improving its nearest so far; give the solver's outcome."""
    own = slice(queries.documents.starts[number], queries.documents.starts[number + 1])
    distances, _, counts = nearest
    if own.start == own.stop or len(filled) == 0:
        return OPTIMAL
    centres = centre_bounds(queries.centres[number], corpus)[filled] * _SAFE
    possible = centres <= distances[-1]
    counts[EXCLUDED] += len(filled) - int(possible.sum())
    candidates, centres = filled[possible], centres[possible]
    if len(candidates) == 0:
        return OPTIMAL
    masses = queries.masses[own]
    factors = queries.factors[queries.local[own]]
    relaxed, lower = relaxed_bounds(factors, masses, corpus, candidates)
    bounds = np.maximum(relaxed.max(0), centres)
    order = np.argsort(bounds, kind="stable")
    return int(
        search(
            corpus.documents.vectors,
            queries.documents.vectors,
            queries.documents.words[own],
            queries.documents.weights[own],
            masses,
            corpus.documents.starts,
            corpus.documents.words,
            corpus.local,
            corpus.masses,
            lower,
            candidates[order],
            bounds[order],
            corpus.kind,
            offset,
            *nearest,
        )
    )
