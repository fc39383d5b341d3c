"""Words as vectors: parts of two published tables, and vectors made here by counting."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.linalg import svds

from scispaces.datasets.rdata import read_rdata
from scispaces.datasets.store import path


@dataclass(frozen=True, eq=False)
class WordVectors:
    """A table of word vectors."""

    name: str
    words: tuple[str, ...]
    vectors: NDArray[np.float32]  # (words, dimensions)

    @cached_property
    def rows(self) -> dict[str, int]:
        """The row of every word."""
        return {word: row for row, word in enumerate(self.words)}

    def coverage(self, documents: Iterable[Sequence[str]]) -> float:
        """The share of the documents' running words that the table knows."""
        known = total = 0
        for tokens in documents:
            known += sum(token in self.rows for token in tokens)
            total += len(tokens)
        return known / total


def _lower_case(name: str, words: Iterable[str], vectors: np.ndarray) -> WordVectors:
    """Only lower-case words, each capitalised one taking its place where that is missing.

    The first of several wins: the tables are ordered by frequency.
    """
    plain = {word: row for row, word in enumerate(words)}
    rows: dict[str, int] = {word: row for word, row in plain.items() if word == word.lower()}
    for word, row in plain.items():
        rows.setdefault(word.lower(), row)
    chosen = np.fromiter(rows.values(), int)
    return WordVectors(name, tuple(rows), np.ascontiguousarray(vectors[chosen], np.float32))


def load_google_news_8k() -> WordVectors:
    """The 300-dimensional word2vec vectors of Google News, the 8,000 words that a package carries.

    The whole table has three million words. These are frequent ones; a, and, of and to are
    missing, as they are in the whole table. Values are rounded to six decimals. Words are folded
    to lower case: of two spellings the lower-case one is kept.

    Raises:
        DataUnavailableError: the file is not here and cannot be downloaded.

    Reference:
        [1] T. Mikolov et al., "Distributed representations of words and phrases and their
        compositionality", NIPS (2013).
    """
    table = read_rdata(path("wordvec/googlenews8k.demodata.rda"))["demodata"]["value"]
    return _lower_case("google-news-8k", table[0], np.array(table[1], np.float32))


def load_glove_8k() -> WordVectors:
    """The 50-dimensional GloVe vectors of 6 billion tokens, 8,453 lower-case words of them.

    Raises:
        DataUnavailableError: the file is not here and cannot be downloaded.

    Reference:
        [1] J. Pennington, R. Socher, C. D. Manning, "GloVe: global vectors for word
        representation", EMNLP (2014).
    """
    text = path("wordvec/glove.6B.50d-relativized.txt").read_text(encoding="utf-8")
    rows = [line.split(" ") for line in text.rstrip("\n").split("\n")]
    vectors = np.array([row[1:] for row in rows], np.float32)
    return _lower_case("glove-8k", [row[0] for row in rows], vectors)


def load_wikipedia_counts() -> dict[str, int]:
    """How often words occur in English Wikipedia, those with 200 occurrences or more.

    Raises:
        DataUnavailableError: the file is not here and cannot be downloaded.
    """
    text = path("wordvec/enwiki_vocab_min200.txt").read_text(encoding="utf-8")
    rows = (line.split(" ") for line in text.rstrip("\n").split("\n"))
    return {word: int(count) for word, count in rows}


def vectors_by_counting(
    documents: Sequence[Sequence[str]],
    *,
    dimensions: int = 100,
    window: int = 5,
    least_count: int = 5,
    exponent: float = 0.5,
) -> WordVectors:
    """Word vectors from a corpus, without training: positive PMI and singular values.

    A pair of words counts once for every time the second stands at most `window` places from the
    first in a document. The positive pointwise mutual information max(0, log p(a, b)/(p(a) p(b)))
    of all pairs is a matrix; its left singular vectors, times a power of the singular values,
    are the word vectors.

    Args:
        documents: tokens of each.
        dimensions: how many singular vectors; fewer than words.
        window: how far a word looks to each side.
        least_count: rarer words get no vector and are passed over.
        exponent: of the singular values.

    Returns:
        Vectors, the most frequent word first.

    Example:
        >>> corpus = [["red", "apple"], ["green", "apple"], ["red", "car"], ["blue", "car"]] * 5
        >>> vectors_by_counting(corpus, dimensions=2).words
        ('apple', 'car', 'red', 'blue', 'green')

    Reference:
        [1] O. Levy, Y. Goldberg, "Neural word embedding as implicit matrix factorization", NIPS
        (2014).
    """
    counts = Counter(token for tokens in documents for token in tokens)
    kept = sorted(
        (word for word, count in counts.items() if count >= least_count),
        key=lambda word: (-counts[word], word),
    )
    rows = {word: row for row, word in enumerate(kept)}
    ids = [np.array([rows[t] for t in tokens if t in rows], int) for tokens in documents]
    # A gap wider than the window between documents: no pair crosses it.
    gap = np.full(window, -1)
    line = np.concatenate([piece for tokens in ids for piece in (tokens, gap)])
    pairs = csr_array((len(kept), len(kept)))
    for step in range(1, window + 1):
        a, b = line[:-step], line[step:]
        both = (a >= 0) & (b >= 0)
        found = coo_array((np.ones(both.sum()), (a[both], b[both])), shape=pairs.shape)
        pairs = pairs + found + found.T
    pairs = coo_array(pairs)
    totals = np.asarray(pairs.sum(0)).ravel()
    left, right = pairs.coords
    information = np.log(pairs.data * totals.sum() / (totals[left] * totals[right]))
    positive = csr_array((np.maximum(information, 0), (left, right)), shape=pairs.shape)
    start = np.full(len(kept), len(kept) ** -0.5)  # the same result in every run
    u, s, _ = svds(positive, k=dimensions, v0=start)
    order = np.argsort(-s)
    u, s = u[:, order], s[order]
    u = u * np.sign(u[np.abs(u).argmax(0), np.arange(dimensions)])  # svd leaves the sign open
    return WordVectors("counted", tuple(kept), (u * s**exponent).astype(np.float32))
