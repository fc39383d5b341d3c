"""Exact neighbours: the same as by brute force, with fewer distances."""

import numpy as np
import pytest
from tests.transport.problems import random_texts

from scispaces.transport import (
    documents_from_tokens,
    documents_from_vectors,
    nearest_documents,
    wmd_pairs,
    wrd_pairs,
)

PAIRS = {"wmd": wmd_pairs, "wrd": wrd_pairs}


def corpus_of(seed, count=150, empty=(), dtype=np.float32):
    table, texts = random_texts(np.random.default_rng(seed), count, words=(1, 25), dtype=dtype)
    names = {str(k): k for k in range(len(table))}
    tokens = [[] if k in empty else [str(w) for w in rows] for k, rows in enumerate(texts)]
    return documents_from_tokens(tokens, names, table, empty="keep")


def brute_force(queries, corpus, k, distance):
    """Indices and distances by computing all of them."""
    rows = [
        PAIRS[distance](corpus, queries[np.full(len(corpus), i)]).values
        for i in range(len(queries))
    ]
    full = np.array(rows)
    order = np.argsort(full, axis=1, kind="stable")[:, :k]  # NaN goes last
    return order, np.take_along_axis(full, order, 1)


@pytest.mark.parametrize("distance", ["wmd", "wrd"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("options", [{}, {"chunk": 23}, {"n_jobs": 3, "progress": True}])
def test_same_as_brute_force(distance, dtype, options):
    corpus = corpus_of(0, dtype=dtype)
    queries = corpus_of(1, 12, dtype=dtype)
    found = nearest_documents(queries, corpus, 7, distance=distance, **options)
    indices, distances = brute_force(queries, corpus, 7, distance)
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-11)
    total = found.excluded + found.refuted + found.solved
    np.testing.assert_array_equal(total, len(corpus))
    assert found.spared > 0.5
    assert (found.excluded > 0).any()
    assert (found.refuted > 0).any()


@pytest.mark.parametrize("k", [1, 150])
def test_one_neighbour_and_all_of_them(k):
    corpus = corpus_of(2)
    found = nearest_documents(corpus[:5], corpus, k)
    indices, distances = brute_force(corpus[:5], corpus, k, "wmd")
    np.testing.assert_allclose(found.distances, distances, rtol=1e-11, atol=1e-15)
    if k == 1:
        np.testing.assert_array_equal(found.distances, 0)
        np.testing.assert_array_equal(found.indices, indices)
    else:
        assert found.spared == 0


def test_of_equally_near_documents_the_first_are_found():
    corpus = corpus_of(3, 20)
    tripled = corpus[np.tile(np.arange(20), 3)]
    for chunk in (7, 4096):
        found = nearest_documents(corpus, tripled, 2, chunk=chunk)
        np.testing.assert_array_equal(found.indices[:, 0], np.arange(20))
        np.testing.assert_array_equal(found.indices[:, 1], np.arange(20) + 20)


def test_scaled_copies_are_at_no_distance_for_wrd_and_the_first_is_found():
    """Their directions agree but for rounding, which no bound may take for a distance."""
    corpus = corpus_of(6, 30)
    scales = np.float32([1, 2, 0.25, 64, 0.5])  # of which none rounds a coordinate
    copies = documents_from_vectors(
        [
            scale * corpus.vectors[corpus.words[corpus.starts[k] : corpus.starts[k + 1]]]
            for scale in scales
            for k in range(30)
        ]
    )
    found = nearest_documents(copies, copies, 5, distance="wrd")
    np.testing.assert_allclose(found.distances, 0, atol=1e-13)
    np.testing.assert_array_equal(np.sort(found.indices % 30, axis=1)[:30, 0], np.arange(30))


def test_a_corpus_that_comes_in_pieces():
    corpus, queries = corpus_of(4), corpus_of(5, 6)
    pieces = (corpus[start : start + 40] for start in range(0, 150, 40))
    whole = nearest_documents(queries, corpus, 5)
    found = nearest_documents(queries, pieces, 5, chunk=17)
    np.testing.assert_array_equal(found.indices, whole.indices)
    np.testing.assert_array_equal(found.distances, whole.distances)


def test_empty_documents_are_no_neighbours_and_have_none():
    corpus = corpus_of(6, 30, empty=(0, 7))
    found = nearest_documents(corpus, corpus, 28)
    assert not np.isin(np.delete(found.indices, [0, 7], axis=0), [0, 7]).any()
    np.testing.assert_array_equal(found.indices[[0, 7]], -1)
    assert np.isnan(found.distances[[0, 7]]).all()
    with pytest.raises(ValueError, match=r"`k` must be at most 28.* Got 29."):
        nearest_documents(corpus, corpus, 29)


def test_zero_vectors_have_no_direction():
    table = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    bags = documents_from_tokens([["o"], ["o", "x"], ["y", "x"]], {"o": 0, "x": 1, "y": 2}, table)
    found = nearest_documents(bags, bags, 2, distance="wrd")
    np.testing.assert_array_equal(found.indices, [[-1, -1], [1, 2], [2, 1]])
    np.testing.assert_allclose(found.distances[1:], [[0, 0.5], [0, 0.5]], atol=1e-15)


def test_other_tables_on_both_sides():
    rng = np.random.default_rng(8)
    queries = documents_from_vectors([rng.random((3, 4)).astype(np.float32) for _ in range(3)])
    corpus = documents_from_vectors([rng.random((5, 4)) for _ in range(40)])
    found = nearest_documents(queries, corpus, 4)
    np.testing.assert_array_equal(found.indices, brute_force(queries, corpus, 4, "wmd")[0])


def test_no_queries():
    corpus = corpus_of(9, 5)
    found = nearest_documents(corpus[:0], corpus, 3)
    assert found.indices.shape == (0, 3)
    assert found.spared == 0


def test_what_is_refused():
    corpus = corpus_of(10, 5)
    with pytest.raises(ValueError, match=r"`distance` must be 'wmd' or 'wrd'. Got 'cosine'."):
        nearest_documents(corpus, corpus, 1, distance="cosine")
    with pytest.raises(ValueError, match=r"`k` must be a positive integer. Got 0."):
        nearest_documents(corpus, corpus, 0)
    with pytest.raises(ValueError, match=r"`chunk` must be a positive integer. Got 2.5."):
        nearest_documents(corpus, corpus, 1, chunk=2.5)
    with pytest.raises(ValueError, match="the same dimensions"):
        nearest_documents(documents_from_vectors([np.eye(2)]), corpus, 1)
