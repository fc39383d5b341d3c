"""Word mover's and word rotator's distance: values, axioms, invariances, traps of others."""

import numpy as np
import ot
import pytest
import torch
from scipy.spatial.distance import cdist
from tests.transport.problems import linear_programme, random_texts

from scispaces.transport import (
    Documents,
    documents_from_tokens,
    documents_from_vectors,
    wmd,
    wmd_pairs,
    wrd,
    wrd_pairs,
)


def by_hand(x, y, distance, p=None, q=None):
    """The distance by POT from costs and masses of the definition, in float64."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    p = np.ones(len(x)) if p is None else p
    q = np.ones(len(y)) if q is None else q
    if distance is wmd:
        cost = cdist(x, y)
    else:
        p, q = p * np.linalg.norm(x, axis=1), q * np.linalg.norm(y, axis=1)
        units = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (x, y)]
        cost = cdist(*units, "sqeuclidean") / 2
    return ot.emd2(p / p.sum(), q / q.sum(), cost)


def some_texts(rng, count=2, dtype=np.float64, dimensions=20):
    table, texts = random_texts(rng, count, dimensions=dimensions, dtype=dtype)
    return [table[rows] for rows in texts]


@pytest.mark.parametrize("distance", [wmd, wrd])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_agree_with_the_definition(distance, dtype):
    rng = np.random.default_rng(0)
    for dimensions in (1, 3, 16, 17, 50):
        x, y = some_texts(rng, dtype=dtype, dimensions=dimensions)
        p, q = rng.random(len(x)), rng.integers(0, 3, len(y)).astype(float)
        q[0] = 1
        # abs: in one dimension cosines are 1 or -1, and many a distance is 0 but for rounding.
        close = {"rel": 1e-9, "abs": 1e-15}
        assert distance(x, y) == pytest.approx(by_hand(x, y, distance), **close)
        assert distance(x, y, p=p, q=q) == pytest.approx(by_hand(x, y, distance, p, q), **close)


@pytest.mark.parametrize(("pairs", "single"), [(wmd_pairs, wmd), (wrd_pairs, wrd)])
def test_pairs_are_the_single_distances_whatever_the_threads(pairs, single):
    rng = np.random.default_rng(1)
    first, second = some_texts(rng, 60), some_texts(rng, 60)
    result = pairs(first, second, n_jobs=1)
    expected = [single(x, y) for x, y in zip(first, second, strict=True)]
    np.testing.assert_array_equal(result.values, expected)
    assert (abs(result.gaps) < 1e-13).all()
    np.testing.assert_array_equal(pairs(first, second, n_jobs=3, progress=True).values, expected)


@pytest.mark.parametrize(("pairs", "single"), [(wmd_pairs, wmd), (wrd_pairs, wrd)])
def test_documents_give_what_their_tokens_do(pairs, single):
    """Merging repeated words changes nothing but the size of the problem."""
    rng = np.random.default_rng(2)
    table, texts = random_texts(rng, 80)
    names = {f"word{k}": k for k in range(len(table))}
    tokens = [[f"word{k}" for k in rows] for rows in texts]
    documents = documents_from_tokens(tokens, names, table)
    assert documents.starts[-1] < sum(map(len, texts))
    values = pairs(documents[:40], documents[40:]).values
    for k in range(40):
        expected = single(table[texts[k]], table[texts[40 + k]])
        assert values[k] == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_wmd_is_a_metric():
    rng = np.random.default_rng(3)
    texts = documents_from_vectors(some_texts(rng, 40, np.float32))
    pairs = np.stack(np.meshgrid(np.arange(40), np.arange(40), indexing="ij")).reshape(2, -1)
    distances = wmd_pairs(texts[pairs[0]], texts[pairs[1]]).values.reshape(40, 40)
    np.testing.assert_array_equal(np.diag(distances), 0)
    assert (distances[~np.eye(40, dtype=bool)] > 0).all()
    np.testing.assert_allclose(distances, distances.T, rtol=1e-12)
    assert (distances[:, None] <= distances[:, :, None] + distances[None] + 1e-12).all()


def test_wrd_breaks_the_triangle_inequality():
    """At 0, 45 and 90 degrees: 1 - cos 90 = 1, by the middle 2 (1 - cos 45) = 0.586."""
    a, b, c = np.array([[1.0, 0.0]]), np.array([[1.0, 1.0]]), np.array([[0.0, 1.0]])
    assert wrd(a, c) == 1
    assert wrd(a, b) + wrd(b, c) == pytest.approx(2 - np.sqrt(2), rel=1e-12)


def test_wrd_of_random_triples_breaks_it_too_and_lies_between_0_and_2():
    rng = np.random.default_rng(4)
    triples = [[rng.standard_normal((2, 2)) for _ in range(3)] for _ in range(200)]
    far = np.array([[wrd(a, c), wrd(a, b), wrd(b, c)] for a, b, c in triples])
    assert ((far >= 0) & (far <= 2)).all()
    assert 0.01 < (far[:, 0] > far[:, 1] + far[:, 2] + 1e-9).mean() < 0.5


def test_what_changes_a_distance_and_what_does_not():
    rng = np.random.default_rng(5)
    x, y = some_texts(rng)
    turn = np.linalg.qr(rng.standard_normal((20, 20)))[0]
    shift = rng.standard_normal(20)
    for distance in (wmd, wrd):
        value = distance(x, y)
        assert distance(y, x) == pytest.approx(value, rel=1e-12)
        assert distance(x @ turn, y @ turn) == pytest.approx(value, rel=1e-10)
        assert distance(x[::-1], y) == pytest.approx(value, rel=1e-12)
        twice = np.concatenate([x, x])
        assert distance(twice, y) == pytest.approx(value, rel=1e-12)
    assert wmd(x + shift, y + shift) == pytest.approx(wmd(x, y), rel=1e-10)
    assert abs(wrd(x + shift, y + shift) - wrd(x, y)) > 1e-3
    assert wmd(3 * x, 3 * y) == pytest.approx(3 * wmd(x, y), rel=1e-12)
    assert wrd(3 * x, 0.5 * y) == pytest.approx(wrd(x, y), rel=1e-12)


def test_the_cost_is_the_root_of_the_sum_of_squares_not_of_their_mean():
    """The article's own code takes the mean, and returns WMD over the root of the dimension."""
    x, y = np.zeros((1, 16)), np.ones((1, 16))
    assert wmd(x, y) == 4


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_identical_and_nearly_identical_words(dtype, size):
    """From a product of matrices, in float32, identical words are up to 3e-4 apart."""
    rng = np.random.default_rng(6)
    words = (size * (5 + rng.standard_normal((12, 300)))).astype(dtype)
    assert wmd(words, words) == 0
    assert wrd(words, words) == 0
    near = words + (1e-6 * size * rng.standard_normal(words.shape)).astype(dtype)
    for distance in (wmd, wrd):
        assert distance(words, near) == pytest.approx(by_hand(words, near, distance), rel=1e-9)
    shared = np.concatenate([words[:6], near[6:] + size])
    assert wmd(words, shared) == pytest.approx(by_hand(words, shared, wmd), rel=1e-10)


def test_different_words_of_equal_vectors_are_at_distance_0():
    """gensim returns infinity there."""
    table = np.ones((2, 5), np.float32)
    bags = documents_from_tokens([["a"], ["b"]], {"a": 0, "b": 1}, table)
    assert wmd_pairs(bags[:1], bags[1:]).values[0] == 0
    assert wrd_pairs(bags[:1], bags[1:]).values[0] == 0


def test_shared_words_are_not_cancelled_where_the_cost_is_no_metric():
    """Leaving what both texts share in its place is right for WMD, and wrong for WRD."""
    angles = np.radians([0, 45, 90])
    a, b, c = np.stack([np.cos(angles), np.sin(angles)], 1)
    x, y = np.stack([a, b]), np.stack([b, c])
    cost = 1 - x @ y.T
    half = np.array([0.5, 0.5])
    assert wrd(x, y) == pytest.approx(linear_programme(half, half, cost), rel=1e-9)
    assert wrd(x, y) == pytest.approx(0.5 * 2 * (1 - np.sqrt(0.5)), rel=1e-12)
    assert wrd(x, y) < 0.5 * wrd(a[None], c[None]) - 0.1  # what cancelling b would leave
    assert wmd(x, y) == pytest.approx(0.5 * wmd(a[None], c[None]), rel=1e-12)


def test_zero_vectors():
    x, nothing = np.array([[0.0, 0.0], [0.0, 2.0]]), np.zeros((3, 2))
    assert wrd(x, x[1:]) == 0
    assert wmd(nothing, nothing[:1]) == 0
    with pytest.raises(ValueError, match="a vector other than 0"):
        wrd(x, nothing)
    assert np.isnan(wrd_pairs([x, x], [nothing, x]).values).tolist() == [True, False]


def test_empty_documents_are_nan_where_they_are_kept():
    bags = documents_from_tokens([["a"], ["?"]], {"a": 0}, np.eye(1), empty="keep")
    for pairs in (wmd_pairs, wrd_pairs):
        result = pairs(bags[[0, 1, 0]], bags[[1, 1, 0]])
        assert np.isnan(result.values).tolist() == [True, True, False]
        assert np.isnan(result.gaps).tolist() == [True, True, False]


def test_no_pairs_at_all():
    assert wmd_pairs([], []).values.shape == (0,)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_tensors_in_a_float64_tensor_out(dtype):
    x, y = (torch.tensor(rows).to(dtype) for rows in some_texts(np.random.default_rng(7)))
    value = wmd(x, y)
    assert value.dtype == torch.float64
    assert value.shape == ()
    expected = by_hand(x.double().numpy(), y.double().numpy(), wmd)
    assert value.item() == pytest.approx(expected, rel=1e-9)
    assert type(wmd(x.double().numpy(), y.double().numpy())) is float


def test_a_table_in_float32_is_not_copied():
    table = np.ones((4, 3), np.float32)
    assert documents_from_tokens([["a"]], {"a": 0}, table).vectors is table
    tensor = torch.ones(4, 3)
    shared = documents_from_tokens([["a"]], {"a": 0}, tensor).vectors
    assert shared.ctypes.data == tensor.data_ptr()


@pytest.mark.parametrize("distance", [wmd, wrd])
def test_bad_input_is_refused(distance):
    x = np.ones((2, 3))
    for bad, sentence in [
        (np.ones(3), r"must have 2 axes. Got shape \(3,\)."),
        (np.ones((0, 3)), r"must hold at least one vector. Got shape \(0, 3\)."),
        (np.array([[1.0, np.inf, 0.0]]), r"must be finite. Got inf at index \(0, 1\)."),
        (np.full((1, 3), 1e101), "must be at most 1e100 in size"),
        (np.full((1, 3), 1e-101), "must not all be below 1e-100"),
        (np.ones((2, 4)), r"vectors of the same dimensions. Got 3 and 4."),
    ]:
        with pytest.raises(ValueError, match=sentence):
            distance(x, bad)
    with pytest.raises(ValueError, match=r"must have 2 elements. Got 1."):
        distance(x, x, p=[1.0])
    with pytest.raises(ValueError, match="must not be negative"):
        distance(x, x, q=[1.0, -1.0])
    with pytest.raises(TypeError, match="must hold real numbers"):
        distance(x, x + 1j)


def test_unequal_numbers_of_documents_are_refused():
    with pytest.raises(ValueError, match=r"must hold as many documents. Got 1 and 2."):
        wmd_pairs([np.eye(2)], [np.eye(2)] * 2)
    assert isinstance(documents_from_vectors([np.eye(2)]), Documents)
