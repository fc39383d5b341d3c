"""Classification of documents by their nearest neighbours, under distances old and new."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scispaces.datasets.documents import LabelledDocuments
from scispaces.datasets.word_vectors import WordVectors
from scispaces.transport import (
    Documents,
    documents_from_tokens,
    nearest_documents,
    rwmd,
    wcd,
)

Array = NDArray[Any]
NEIGHBOURS = tuple(range(1, 20, 2))

# What each distance is, in the order in which tables show them.
METHODS = {
    "bow-l1": "BOW, L1/L1",
    "tfidf-l1": "TF-IDF, L1/L1",
    "bow-l2": "BOW, none/L2",
    "tfidf-l2": "TF-IDF, none/L2",
    "bow-l1-all": "BOW, L1/L1, unknown words too",
    "wcd": "WCD",
    "rwmd": "RWMD",
    "wmd": "WMD",
    "wmd-tfidf": "WMD, TF-IDF",
    "wrd": "WRD",
}


def _matrix(bags: Documents) -> csr_array:
    shape = (len(bags), len(bags.vectors))
    return csr_array((bags.weights, bags.words, bags.starts), shape=shape)


def manhattan(queries: csr_array, corpus: csr_array) -> Array:
    """Sums of absolute differences of rows that are not negative: |a| + |b| − 2 Σ min(a, b)."""
    by_word = corpus.tocsc()
    distances = queries.sum(1)[:, None] + corpus.sum(1)[None, :]
    for number in range(queries.shape[0]):
        own = slice(queries.indptr[number], queries.indptr[number + 1])
        for word, weight in zip(queries.indices[own], queries.data[own], strict=True):
            held = slice(by_word.indptr[word], by_word.indptr[word + 1])
            shared = np.minimum(by_word.data[held], weight)
            distances[number, by_word.indices[held]] -= 2 * shared
    return distances


def euclidean(queries: csr_array, corpus: csr_array) -> Array:
    """Euclidean distances of rows."""
    squares = [(side * side).sum(1) for side in (queries, corpus)]
    products = (queries @ corpus.T).toarray()
    return np.sqrt(np.maximum(squares[0][:, None] + squares[1][None, :] - 2 * products, 0))


def _shares(bags: Documents) -> csr_array:
    matrix = _matrix(bags)
    return csr_array(matrix.multiply(1 / matrix.sum(1)[:, None]))


def neighbours(
    texts: list[list[str]],
    vectors: WordVectors,
    queries: Array,
    corpus: Array,
    k: int,
    stop_words: frozenset[str],
) -> tuple[dict[str, Array], float]:
    """The k nearest documents of the corpus for every query, under every distance of `METHODS`.

    All but one of the distances see only the words of the table, so that they differ in what they
    do with words and not in which words they know. Inverse document frequencies,
    log((documents + 1)/documents with the word), come from the corpus; a word that it lacks is
    taken to be in one document.

    Returns:
        For each distance the places in `corpus`, shape (queries, k), nearest first; and the share
        of exact WMDs that needed no full solution.
    """
    every = {word: row for row, word in enumerate(sorted({t for text in texts for t in text}))}
    blank = np.zeros((len(every), 1), np.float32)
    plain = documents_from_tokens(texts, vectors.rows, vectors.vectors, stop_words=stop_words)
    whole = documents_from_tokens(texts, every, blank, stop_words=stop_words)
    present = np.bincount(plain[corpus].words, minlength=len(vectors.words))
    rarity = np.log((len(corpus) + 1) / np.maximum(present, 1))
    rare = documents_from_tokens(
        texts, vectors.rows, vectors.vectors, stop_words=stop_words, word_weights=rarity
    )

    def table(distance: Callable[[Any, Any], Array], bags: Any) -> Array:
        distances = distance(bags[queries], bags[corpus])
        return np.argsort(distances, axis=1, kind="stable")[:, :k]

    found = {
        "bow-l1": table(manhattan, _shares(plain)),
        "tfidf-l1": table(manhattan, _shares(rare)),
        "bow-l2": table(euclidean, _matrix(plain)),
        "tfidf-l2": table(euclidean, _matrix(rare)),
        "bow-l1-all": table(manhattan, _shares(whole)),
        "wcd": table(wcd, plain),
        "rwmd": table(rwmd, plain),
        "wmd-tfidf": nearest_documents(rare[queries], rare[corpus], k).indices,
        "wrd": nearest_documents(plain[queries], plain[corpus], k, distance="wrd").indices,
    }
    exact = nearest_documents(plain[queries], plain[corpus], k)
    return found | {"wmd": exact.indices}, exact.spared


def vote(found: Array, classes: Array, count: int) -> Array:
    """The most frequent class among the nearest; of equal ones that of the nearest neighbour.

    Args:
        found: places of the neighbours, nearest first, (queries, k).
        classes: of the documents of the corpus.
        count: number of classes.

    Example:
        >>> vote(np.array([[0, 1, 2], [2, 1, 0]]), np.array([1, 0, 2]), 3).tolist()
        [1, 2]
    """
    votes = np.zeros((len(found), count))
    places = np.arange(len(found))
    for rank in range(found.shape[1]):
        votes[places, classes[found[:, rank]]] += 1 + 2.0 ** -(rank + 8)
    return votes.argmax(1)


def errors(
    data: LabelledDocuments,
    vectors: WordVectors,
    seed: int,
    *,
    train: int,
    test: int,
    stop_words: frozenset[str] = frozenset(),
) -> list[dict[str, Any]]:
    """Test error of nearest-neighbour classification for every distance, on one split.

    The number of neighbours, odd and below 20, is chosen on a fifth of the training rows.

    Args:
        data: the documents. Where a split is published, rows are drawn within its parts.
        vectors: the table of word vectors.
        seed: of the draw of rows.
        train: how many training rows, at most.
        test: how many test rows, at most.
        stop_words: left out.

    Returns:
        One row per distance: data_set, vectors, method, seed, error, error_nearest (with one
        neighbour), k (neighbours chosen), train, test (rows used), left_out (rows of the data
        without a known word), coverage (share of running words known), and for WMD spared, the
        share of exact distances that needed no full solution.
    """
    known = vectors.rows.keys() - stop_words
    rows = [row for row, text in enumerate(data.texts) if not known.isdisjoint(text)]
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(rows))
    if data.train is None:
        tested, trained = order[:test], order[test : test + train]
    else:
        given = np.array(rows)[order] < data.train
        tested, trained = order[~given][:test], order[given][:train]
    fifth = len(trained) // 5
    chosen = np.sort(np.concatenate([tested, trained]))
    # From here on rows count within the chosen documents.
    texts = [data.texts[rows[row]] for row in chosen]
    classes = data.classes[np.array(rows)[chosen]]
    tested, held, fitted = (
        np.searchsorted(chosen, part) for part in (tested, trained[:fifth], trained[fifth:])
    )
    trained = np.concatenate([held, fitted])
    count, most = len(data.labels), NEIGHBOURS[-1]
    validation, _ = neighbours(texts, vectors, held, fitted, most, stop_words)
    final, spared = neighbours(texts, vectors, tested, trained, most, stop_words)

    def error(found: Array, corpus: Array, queries: Array, k: int) -> float:
        return float((vote(found[:, :k], classes[corpus], count) != classes[queries]).mean())

    outcome = []
    for name in METHODS:
        tried = [error(validation[name], fitted, held, k) for k in NEIGHBOURS]
        best = NEIGHBOURS[int(np.argmin(tried))]
        outcome.append(
            {
                "data_set": data.name,
                "vectors": vectors.name,
                "method": name,
                "seed": seed,
                "error": error(final[name], trained, tested, best),
                "error_nearest": error(final[name], trained, tested, 1),
                "k": best,
                "train": len(trained),
                "test": len(tested),
                "left_out": len(data) - len(rows),
                "coverage": vectors.coverage(data.texts),
                "spared": spared if name == "wmd" else None,
            }
        )
    return outcome
