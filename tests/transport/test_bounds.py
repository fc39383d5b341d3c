"""Lower bounds: that they are, how they agree with their formulas, singly and in bulk."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from tests.transport.problems import random_texts

from scispaces.transport import (
    documents_from_tokens,
    documents_from_vectors,
    rwmd,
    wcd,
    wmd,
    wmd_pairs,
    wrd,
    wrd_lower_bound,
    wrd_pairs,
)


def random_pairs(count, seed, **options):
    table, texts = random_texts(np.random.default_rng(seed), 2 * count, **options)
    return [(table[texts[k]], table[texts[count + k]]) for k in range(count)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bounds_are_bounds_and_neither_is_always_the_better(dtype):
    pairs = random_pairs(300, 0, dtype=dtype, dimensions=10)
    exact = np.array([wmd(x, y) for x, y in pairs])
    relaxed = np.array([rwmd(x, y) for x, y in pairs])
    centres = np.array([wcd(x, y) for x, y in pairs])
    rotated = np.array([wrd(x, y) for x, y in pairs])
    rotated_bound = np.array([wrd_lower_bound(x, y) for x, y in pairs])
    assert (relaxed <= exact * (1 + 1e-12)).all()
    assert (centres <= exact * (1 + 1e-6)).all()  # the means of float32 vectors are rounded
    assert (rotated_bound <= rotated * (1 + 1e-6)).all()
    assert (relaxed > centres).any()
    assert 0.5 < (relaxed / exact).mean() < 1


def test_values_by_hand():
    rng = np.random.default_rng(1)
    x, y, p, q = rng.random((4, 3)), rng.random((6, 3)), rng.dirichlet(np.ones(4)), np.ones(6) / 6
    cost = cdist(x, y)
    assert rwmd(x, y, p=p, side="first") == pytest.approx(p @ cost.min(1), rel=1e-12)
    assert rwmd(x, y, p=p, side="second") == pytest.approx(q @ cost.min(0), rel=1e-12)
    assert rwmd(x, y, p=p) == pytest.approx(max(p @ cost.min(1), q @ cost.min(0)), rel=1e-12)
    assert wcd(x, y, p=2 * p) == pytest.approx(np.linalg.norm(p @ x - q @ y), rel=1e-12)
    norms = np.linalg.norm(x, axis=1).sum(), np.linalg.norm(y, axis=1).sum()
    expected = np.square(x.sum(0) / norms[0] - y.sum(0) / norms[1]).sum() / 2
    assert wrd_lower_bound(x, y) == pytest.approx(expected, rel=1e-12)


def test_tight_where_the_theory_says_so():
    rng = np.random.default_rng(2)
    x, y = rng.random((5, 4)), rng.random((1, 4))
    assert rwmd(x, y) == pytest.approx(wmd(x, y), rel=1e-12)  # one word: nowhere else to go
    assert wcd(x, x + 0.3) == pytest.approx(wmd(x, x + 0.3), rel=1e-12)  # a shift of all words
    assert rwmd(x, x[::-1]) == wcd(x[:1], x[:1]) == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("repeated", [False, True])
def test_bulk_bounds_are_bounds_close_to_the_single_ones(dtype, repeated):
    table, texts = random_texts(np.random.default_rng(3), 30, dtype=dtype, dimensions=50)
    names = {str(k): k for k in range(len(table))}
    documents = documents_from_tokens([[str(k) for k in rows] for rows in texts], names, table)
    if not repeated:
        documents = documents_from_vectors([table[rows] for rows in texts])
    one, other = documents[:10], documents[5:]
    every = np.repeat(np.arange(10), 25), np.tile(np.arange(25), 10)
    exact = wmd_pairs(one[every[0]], other[every[1]]).values.reshape(10, 25)
    rotated = wrd_pairs(one[every[0]], other[every[1]]).values.reshape(10, 25)
    assert (rwmd(one, other) <= exact).all()
    assert (wcd(one, other) <= exact + 1e-6).all()
    assert (wrd_lower_bound(one, other) <= rotated + 1e-6).all()
    for k, side in enumerate(("first", "second", "max")):
        bulk = rwmd(one, other, side=side)
        for i, j in ((0, 0), (3, 20), (9, 24), (k, 7)):
            pair = [
                documents.vectors[part.words[part.starts[n] : part.starts[n + 1]]]
                for part, n in ((one, i), (other, j))
            ]
            weights = [
                part.weights[part.starts[n] : part.starts[n + 1]]
                for part, n in ((one, i), (other, j))
            ]
            single = rwmd(*pair, p=weights[0], q=weights[1], side=side)
            assert bulk[i, j] <= single * (1 + 1e-12)
            assert bulk[i, j] == pytest.approx(single, rel=1e-3, abs=0.1)
            centre = wcd(*pair, p=weights[0], q=weights[1])
            assert wcd(one, other)[i, j] == pytest.approx(centre, rel=1e-5)


def test_empty_documents_have_nan():
    table = np.eye(2)
    bags = documents_from_tokens([["a"], [], ["b"]], {"a": 0, "b": 1}, table, empty="keep")
    for bound in (rwmd, wcd, wrd_lower_bound):
        found = np.isnan(bound(bags, bags))
        np.testing.assert_array_equal(found[1], True)
        np.testing.assert_array_equal(found[:, 1], True)
        assert not found[np.ix_([0, 2], [0, 2])].any()
        assert bound(bags[:0], bags).shape == (0, 3)


def test_zero_vectors_do_not_count_for_the_rotated_bound():
    zeros = np.zeros((2, 3))
    x = np.array([[1.0, 0, 0], [0, 0, 0]])
    assert wrd_lower_bound(x, x[:1]) == 0
    with pytest.raises(ValueError, match="a vector other than 0"):
        wrd_lower_bound(x, zeros)
    both = documents_from_vectors([x, zeros])
    assert np.isnan(wrd_lower_bound(both, both)).tolist() == [[False, True], [True, True]]


def test_tensors_and_refusals():
    x = torch.rand(3, 4)
    for bound in (rwmd, wcd, wrd_lower_bound):
        assert bound(x, 2 * x + 1).dtype == torch.float64
        with pytest.raises(ValueError, match="both be texts or both be documents"):
            bound(x, documents_from_vectors([x]))
        with pytest.raises(ValueError, match="must not be given for documents"):
            bound(documents_from_vectors([x]), documents_from_vectors([x]), p=[1.0, 1, 1])
        with pytest.raises(ValueError, match="the same dimensions"):
            bound(x, x[:, :2])
    with pytest.raises(ValueError, match=r"`side` must be 'first', 'second' or 'max'."):
        rwmd(x, x, side="both")
