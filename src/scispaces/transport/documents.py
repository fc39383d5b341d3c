"""Documents as what transport needs of them: distinct words, their weights, their vectors."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scispaces.transport._common import (
    Array,
    ArrayLike,
    as_masses,
    as_vectors,
    refuse_where,
    starts_of,
)
from scispaces.transport._jit import kernel


@dataclass(frozen=True, eq=False)
class Documents:
    """Bags of words laid end to end, over one table of vectors.

    Document k holds `words[starts[k]:starts[k + 1]]`, distinct rows of the table in rising
    order, with positive `weights` in the same places. Weights need no particular sum: distances
    divide them by it. `len()` counts documents; an index array, or a slice, picks some.
    """

    vectors: Array  # (vocabulary, dimensions)
    starts: NDArray[np.int64]  # (documents + 1,)
    words: NDArray[np.int32]
    weights: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Refuse what compiled loops would follow out of the arrays."""
        ends = len(self.words), len(self.weights)
        if self.starts[0] != 0 or (np.diff(self.starts) < 0).any() or {*ends} != {self.starts[-1]}:
            raise ValueError(
                "`starts` must rise from 0 to the number of `words` and of `weights`. "
                f"Got an end of {self.starts[-1]} for {ends[0]} and {ends[1]}."
            )
        outside = (self.words < 0) | (self.words >= len(self.vectors))
        refuse_where("words", self.words, outside, f"be rows of {len(self.vectors)} vectors")
        wrong = ~((self.weights > 0) & (self.weights < np.inf))
        refuse_where("weights", self.weights, wrong, "be positive and finite")

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, chosen: slice | Array) -> "Documents":
        numbers = np.arange(len(self))[chosen]
        lengths = np.diff(self.starts)[numbers]
        starts = starts_of(lengths)
        places = np.arange(starts[-1]) + np.repeat(self.starts[numbers] - starts[:-1], lengths)
        return Documents(self.vectors, starts, self.words[places], self.weights[places])


def documents_from_tokens(
    documents: Iterable[Sequence[str]],
    vocabulary: Mapping[str, int],
    vectors: ArrayLike,
    *,
    stop_words: Collection[str] = (),
    unknown: Literal["drop", "refuse"] = "drop",
    empty: Literal["refuse", "keep"] = "refuse",
    word_weights: ArrayLike | None = None,
) -> Documents:
    r"""Normalised bags of words (nBOW): each distinct word weighs as often as it occurs.

    .. math:: p_i = \frac{c_i}{\sum_j c_j}

    (book: `word-transport-nbow`). The division is left to the distances. Repeated words are
    merged, which changes no distance: they stand at the same place.

    Args:
        documents: Each a sequence of tokens, used as they are: no case folding, no splitting.
        vocabulary: The row of `vectors` for every known word.
        vectors: Word vectors, shape (vocabulary, dimensions). They are not normalised: for
            Kusner's distance leave them so, for gensim's (`norm=True`) divide them by length.
        stop_words: Words to leave out, known or not.
        unknown: What to do with words outside the vocabulary: leave them out, or raise.
        empty: What to do with a document of which nothing is left: raise, or keep it, in which
            case its distances are NaN.
        word_weights: Factor for the count of every row, shape (vocabulary,), such as inverse
            document frequencies; a word of factor 0 is left out.

    Returns:
        The documents in order, over `vectors` (float32 stays float32, without a copy).

    Raises:
        ValueError: for an unknown word or an empty document where they are refused, rows outside
            the table, or vectors that are not finite.

    Example:
        >>> import numpy as np
        >>> table = np.eye(3, dtype=np.float32)
        >>> rows = {"old": 0, "man": 1, "sea": 2}
        >>> bags = documents_from_tokens([["the", "sea", "the", "old", "sea"]], rows, table)
        >>> bags.words, bags.weights
        (array([0, 2], dtype=int32), array([1., 2.]))

    References:
        [1] M. J. Kusner et al. From Word Embeddings To Document Distances. ICML 2015.
    """
    for name, value, choices in (
        ("unknown", unknown, ("drop", "refuse")),
        ("empty", empty, ("refuse", "keep")),
    ):
        if value not in choices:
            raise ValueError(f"`{name}` must be one of {choices}. Got {value!r}.")
    table = as_vectors("vectors", vectors)
    listed = documents if isinstance(documents, list | tuple) else list(documents)
    for number, tokens in enumerate(listed):
        if isinstance(tokens, str):
            raise TypeError(
                f"`documents` must be sequences of tokens. Got the string {tokens[:20]!r} as "
                f"document {number}; split it first."
            )
    starts = starts_of([len(tokens) for tokens in listed])
    found = list(map(vocabulary.get, chain.from_iterable(listed)))
    rows = np.array([-1 if row is None else row for row in found], np.int64)
    if (rows >= len(table)).any():
        raise ValueError(
            f"`vocabulary` must name rows of `vectors`, below {len(table)}. Got {rows.max()}."
        )
    if unknown == "refuse" and (rows < 0).any():
        words = list(chain.from_iterable(listed))
        stops = set(stop_words)
        for place in np.flatnonzero(rows < 0):
            if words[place] not in stops:
                number = int(np.searchsorted(starts, place, side="right")) - 1
                raise ValueError(
                    "`documents` must hold known words only. "
                    f"Got {words[place]!r} in document {number}."
                )
    factors = np.ones(len(table))
    if word_weights is not None:
        factors = as_masses("word_weights", word_weights, len(table))
    factors[[vocabulary[word] for word in stop_words if word in vocabulary]] = 0
    kept_starts = np.zeros(len(starts), np.int64)
    kept, weights = np.empty(len(rows), np.int32), np.empty(len(rows))
    total = _merge(rows, starts, factors, kept_starts, kept, weights)
    merged = Documents(table, kept_starts, kept[:total].copy(), weights[:total].copy())
    hollow = np.flatnonzero(np.diff(merged.starts) == 0)
    if empty == "refuse" and len(hollow):
        raise ValueError(
            "`documents` must have at least one known word each that is no stop word. "
            f"Got none in document {hollow[0]}; empty='keep' gives it NaN distances."
        )
    return merged


def documents_from_vectors(
    documents: Sequence[ArrayLike], weights: Sequence[ArrayLike] | None = None
) -> Documents:
    """Documents given by the vectors of their tokens; nothing is merged.

    Args:
        documents: Each of shape (tokens, dimensions), of the same dimensions.
        weights: For each document its tokens' weights, shape (tokens,), not negative; 1 each
            where there are none. A token of weight 0 is left out.

    Returns:
        Documents whose table is made of the given vectors; float64 if any of them is.

    Raises:
        ValueError: for vectors that are not finite, or other shapes.

    Example:
        >>> import numpy as np
        >>> len(documents_from_vectors([np.eye(3), np.ones((5, 3))]))
        2
    """
    if len(documents) == 0:
        return Documents(np.zeros((1, 1)), starts_of([]), np.empty(0, np.int32), np.empty(0))
    arrays = [as_vectors(f"documents[{k}]", rows) for k, rows in enumerate(documents)]
    sizes = {array.shape[1] for array in arrays}
    if len(sizes) > 1:
        raise ValueError(f"`documents` must agree in dimensions. Got {sorted(sizes)}.")
    starts = starts_of([len(array) for array in arrays])
    masses = np.ones(starts[-1])
    if weights is not None:
        if len(weights) != len(arrays):
            raise ValueError(
                f"`weights` must be given for all {len(arrays)} documents. Got {len(weights)}."
            )
        for number, given in enumerate(weights):
            own = as_masses(f"weights[{number}]", given, len(arrays[number]))
            masses[starts[number] : starts[number + 1]] = own
    words = np.flatnonzero(masses > 0)
    return Documents(
        np.concatenate(arrays),
        np.searchsorted(words, starts).astype(np.int64),
        words.astype(np.int32),
        masses[words],
    )


@kernel()
def _merge(
    rows: np.ndarray,
    starts: np.ndarray,
    factors: np.ndarray,
    kept_starts: np.ndarray,
    kept: np.ndarray,
    weights: np.ndarray,
) -> int:
    """Distinct rows of each document in rising order, their counts times their factors."""
    total = 0
    for number in range(len(starts) - 1):
        own = np.sort(rows[starts[number] : starts[number + 1]])
        begin = total
        for row in own:
            if row < 0 or factors[row] == 0:
                continue
            if total > begin and kept[total - 1] == row:
                weights[total - 1] += factors[row]
            else:
                kept[total], weights[total] = row, factors[row]
                total += 1
        kept_starts[number + 1] = total
    return total
