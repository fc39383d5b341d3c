"""How well distances of sentences agree with people: correlations on the STS tasks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from scispaces.datasets.sentences import SentencePairs
from scispaces.datasets.word_vectors import WordVectors
from scispaces.studies.word_converters import (
    all_but_the_top,
    conceptor_negation,
    first_direction,
    sif_weights,
    unit_lengths,
    without_directions,
)
from scispaces.transport import (
    Documents,
    documents_from_tokens,
    wmd_pairs,
    wrd_pairs,
)

Array = NDArray[np.float64]
RESAMPLES = 500

# What each method is, in the order in which tables show them.
METHODS = {
    "mean-cosine": "cosine of the mean vectors",
    "sif": "SIF: weighted mean less the first direction",
    "wmd": "WMD",
    "wmd-stops": "WMD without stop words",
    "wmd-unit": "WMD of unit vectors",
    "wmd-norm-mass": "WMD with norms as masses",
    "wmd-unit-norm-mass": "WMD of unit vectors, norms as masses",
    "cosine-counts": "cosine cost, counts as masses",
    "wrd": "WRD",
    "wrd-top": "WRD after all-but-the-top",
    "wrd-conceptor": "WRD after conceptor negation",
    "wrd-sif": "WRD after SIF weights",
    "wrd-all": "WRD after all-but-the-top, SIF weights, removal",
}


def _sums(side: Documents, table: NDArray[np.float32]) -> Array:
    """The weighted sum of the vectors of every document."""
    sums = np.zeros((len(side), table.shape[1]))
    owner = np.repeat(np.arange(len(side)), np.diff(side.starts))
    np.add.at(sums, owner, side.weights[:, None] * table[side.words])
    return sums


def _cosines(first: Array, second: Array) -> Array:
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return (first * second).sum(1) / np.where(lengths > 0, lengths, 1)


def similarities(
    pairs: SentencePairs,
    vectors: WordVectors,
    counts: Mapping[str, int],
    stop_words: frozenset[str] = frozenset(),
) -> tuple[dict[str, Array], NDArray[np.bool_]]:
    """The similarity that every method gives to the pairs: minus the distance, or a cosine.

    Args:
        pairs: the sentences.
        vectors: the table of word vectors.
        counts: of words in a large corpus, for SIF.
        stop_words: for the method that leaves them out. Where nothing else is left, they stay.

    Returns:
        For every key of `METHODS` an array over the pairs that have a known word on both sides,
        and which pairs these are.
    """
    usable = np.array(
        [
            any(t in vectors.rows for t in one) and any(t in vectors.rows for t in other)
            for one, other in zip(pairs.first, pairs.second, strict=True)
        ]
    )
    texts = [[side[k] for k in np.flatnonzero(usable)] for side in (pairs.first, pairs.second)]

    def sides(
        table: NDArray[np.float32],
        weights: Array | None = None,
        stops: frozenset[str] = frozenset(),
    ) -> list[Documents]:
        kept = [
            [[t for t in text if t not in stops and t in vectors.rows] or text for text in side]
            for side in texts
        ]
        return [
            documents_from_tokens(side, vectors.rows, table, word_weights=weights) for side in kept
        ]

    raw = vectors.vectors
    unit, lengths = unit_lengths(raw), np.linalg.norm(raw, axis=1).astype(np.float64)
    rarity = sif_weights(vectors.words, counts)
    top = all_but_the_top(raw)
    plain, rare = sides(raw), sides(raw, rarity)
    common = first_direction(np.vstack([_sums(side, raw) for side in rare]))
    weighted_top = (top * rarity[:, None]).astype(np.float32)
    last = first_direction(np.vstack([_sums(side, weighted_top) for side in plain]))
    results = {
        "mean-cosine": _cosines(*(_sums(side, raw) for side in plain)),
        "sif": _cosines(*((sums := _sums(side, raw)) - sums @ common.T @ common for side in rare)),
        "wmd": -wmd_pairs(*plain).values,
        "wmd-stops": -wmd_pairs(*sides(raw, stops=stop_words)).values,
        "wmd-unit": -wmd_pairs(*sides(unit)).values,
        "wmd-norm-mass": -wmd_pairs(*sides(raw, lengths)).values,
        "wmd-unit-norm-mass": -wmd_pairs(*sides(unit, lengths)).values,
        "cosine-counts": -wrd_pairs(*sides(unit)).values,
        "wrd": -wrd_pairs(*plain).values,
        "wrd-top": -wrd_pairs(*sides(top)).values,
        "wrd-conceptor": -wrd_pairs(*sides(conceptor_negation(raw))).values,
        "wrd-sif": -wrd_pairs(*sides((raw * rarity[:, None]).astype(np.float32))).values,
        "wrd-all": -wrd_pairs(*sides(without_directions(weighted_top, last))).values,
    }
    return results, usable


def pearson(values: Array, scores: Array) -> Array:
    """Pearson's correlation along the last axis."""
    a = values - values.mean(-1, keepdims=True)
    b = scores - scores.mean(-1, keepdims=True)
    return (a * b).sum(-1) / np.sqrt((a**2).sum(-1) * (b**2).sum(-1))


def spearman(values: Array, scores: Array) -> Array:
    """Spearman's correlation along the last axis: Pearson's of the ranks, ties in the middle."""
    return pearson(rankdata(values, axis=-1), rankdata(scores, axis=-1))


def correlations(
    pairs: SentencePairs,
    vectors: WordVectors,
    counts: Mapping[str, int],
    stop_words: frozenset[str] = frozenset(),
    *,
    reference: str = "wmd",
    resamples: int = RESAMPLES,
) -> list[dict[str, Any]]:
    """Agreement of every method with the scores of people, with bootstrap intervals.

    Args:
        pairs, vectors, counts, stop_words: as in `similarities`.
        reference: the method from which differences are taken.
        resamples: how often pairs are drawn with replacement, the same draws for all methods.

    Returns:
        One row per method: data_set, vectors, method, pairs, left_out (pairs without a known word
        on a side), coverage (share of running words known); pearson and spearman with _low and
        _high, the 95 % bootstrap interval; difference (Pearson, against `reference`) likewise.
    """
    found, usable = similarities(pairs, vectors, counts, stop_words)
    scores = pairs.scores[usable]
    generator = np.random.default_rng(0)
    draws = generator.integers(0, len(scores), (resamples, len(scores)))
    drawn = scores[draws]
    pearsons = {name: pearson(values[draws], drawn) for name, values in found.items()}
    rank_scores = rankdata(drawn, axis=-1)
    rows = []
    for name, values in found.items():
        spearmans = pearson(rankdata(values[draws], axis=-1), rank_scores)
        difference = pearsons[name] - pearsons[reference]
        row: dict[str, Any] = {
            "data_set": pairs.name,
            "vectors": vectors.name,
            "method": name,
            "pairs": int(usable.sum()),
            "left_out": int((~usable).sum()),
            "coverage": vectors.coverage(pairs.first + pairs.second),
        }
        centre = float(pearson(values, scores))
        against = centre - float(pearson(found[reference], scores))
        for column, value, sample in (
            ("pearson", centre, pearsons[name]),
            ("spearman", float(spearman(values, scores)), spearmans),
            ("difference", against, difference),
        ):
            low, high = np.quantile(sample, (0.025, 0.975))
            row |= {column: value, f"{column}_low": float(low), f"{column}_high": float(high)}
        rows.append(row)
    return rows
