"""The study of word distances: its parts against plain computations."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist
from scipy.stats import pearsonr, spearmanr

from scispaces.datasets.documents import LabelledDocuments
from scispaces.datasets.sentences import SentencePairs
from scispaces.datasets.word_vectors import WordVectors
from scispaces.studies import word_converters, word_neighbours, word_similarity
from scispaces.studies import word_transport as study
from scispaces.transport import wmd, wrd

GENERATOR = np.random.default_rng(0)
WORDS = tuple("abcdefghijklmnop")
TABLE = WordVectors("toy", WORDS, GENERATOR.normal(size=(16, 5)).astype(np.float32))
COUNTS = {word: 1000 // (rank + 1) for rank, word in enumerate(WORDS)}


def _texts(count, seed):
    generator = np.random.default_rng(seed)
    return [list(generator.choice(WORDS, size=generator.integers(2, 7))) for _ in range(count)]


PAIRS = SentencePairs(
    "toy", [*_texts(30, 1), ["?"]], [*_texts(30, 2), ["a"]], GENERATOR.uniform(0, 5, 31)
)


def test_similarities_are_minus_the_distances_of_running_words():
    found, usable = word_similarity.similarities(PAIRS, TABLE, COUNTS, frozenset("ab"))
    assert set(found) == set(word_similarity.METHODS)
    assert usable.tolist() == [True] * 30 + [False]
    for number in (0, 7):
        x, y = (
            TABLE.vectors[[TABLE.rows[word] for word in side[number]]]
            for side in (PAIRS.first, PAIRS.second)
        )
        assert found["wmd"][number] == pytest.approx(-wmd(x, y), rel=1e-6)
        assert found["wrd"][number] == pytest.approx(-wrd(x, y), rel=1e-6)
        unit = [word_converters.unit_lengths(side) for side in (x, y)]
        assert found["wmd-unit"][number] == pytest.approx(-wmd(*unit), rel=1e-5)
        assert found["cosine-counts"][number] == pytest.approx(-wrd(*unit), rel=1e-5)
        lengths = [np.linalg.norm(side, axis=1) for side in (x, y)]
        weighted = -wmd(x, y, p=lengths[0], q=lengths[1])
        assert found["wmd-norm-mass"][number] == pytest.approx(weighted, rel=1e-5)
        means = [side.mean(0) for side in (x, y)]
        cosine = means[0] @ means[1] / np.prod([np.linalg.norm(mean) for mean in means])
        assert found["mean-cosine"][number] == pytest.approx(cosine, rel=1e-5)


def test_correlations_agree_with_scipy_and_lie_in_their_intervals():
    found, usable = word_similarity.similarities(PAIRS, TABLE, COUNTS)
    rows = word_similarity.correlations(PAIRS, TABLE, COUNTS, resamples=50)
    assert [row["method"] for row in rows] == list(word_similarity.METHODS)
    for row in rows:
        values, scores = found[row["method"]], PAIRS.scores[usable]
        assert row["pearson"] == pytest.approx(pearsonr(values, scores)[0])
        assert row["spearman"] == pytest.approx(spearmanr(values, scores)[0])
        assert row["pearson_low"] <= row["pearson"] <= row["pearson_high"]
        assert (row["pairs"], row["left_out"]) == (30, 1)
    reference = next(row for row in rows if row["method"] == "wmd")
    assert reference["difference"] == reference["difference_low"] == 0


def test_sparse_distances_agree_with_dense_ones():
    dense = GENERATOR.poisson(0.4, (9, 30)).astype(float)
    matrix = csr_array(dense)
    for ours, name in (
        (word_neighbours.manhattan, "cityblock"),
        (word_neighbours.euclidean, "euclidean"),
    ):
        expected = cdist(dense[:4], dense[4:], name)
        assert ours(matrix[:4], matrix[4:]) == pytest.approx(expected, abs=1e-9)


def test_classification_finds_classes_made_of_different_words():
    halves = WORDS[:8], WORDS[8:]
    generator = np.random.default_rng(3)
    classes = np.tile([0, 1], 60)
    texts = [list(generator.choice(halves[k], size=4)) for k in classes]
    texts[5] = ["?"]
    data = LabelledDocuments("toy", texts, classes, ("one", "two"), None)
    rows = word_neighbours.errors(data, TABLE, 0, train=80, test=30)
    assert [row["method"] for row in rows] == list(word_neighbours.METHODS)
    assert {row["left_out"] for row in rows} == {1}
    errors = {row["method"]: row["error"] for row in rows}
    assert errors["bow-l1"] <= 0.1
    assert errors["wmd"] <= 0.1
    assert word_neighbours.errors(data, TABLE, 0, train=80, test=30) == rows


def test_published_splits_are_kept():
    data = LabelledDocuments("toy", _texts(60, 4), np.arange(60) % 2, ("one", "two"), 40)
    rows = word_neighbours.errors(data, TABLE, 0, train=100, test=100)
    assert {(row["train"], row["test"]) for row in rows} == {(40, 20)}


def test_converters_do_what_their_names_say():
    table = TABLE.vectors + 3
    assert np.linalg.norm(word_converters.unit_lengths(table), axis=1) == pytest.approx(1, abs=1e-6)
    top = word_converters.all_but_the_top(table, 1)
    assert np.abs(top.mean(0)).max() < 1e-5
    assert np.linalg.matrix_rank(top, tol=1e-4) == 4
    strong = table.mean(0) / np.linalg.norm(table.mean(0))
    damped = word_converters.conceptor_negation(table)
    assert np.abs(damped @ strong).mean() < 0.2 * np.abs(table @ strong).mean()


def test_blocks_cover_tasks_and_unknown_ones_are_refused():
    full = study.blocks("full")
    assert len(full) == 32
    named = {"sts-glove-8k", "manual-counted-4", "r8-google-news-8k-0", "ohsumed-google-news-8k-1"}
    assert named | {"twenty-newsgroups-google-news-8k-2"} <= set(full)
    assert {name for name, profile in study.SIZES if profile == "full"} == set(study.SOURCES)
    assert set(study.WITHOUT_STOP_WORDS) <= set(study.SOURCES)
    with pytest.raises(ValueError, match="must be one of"):
        study.run_block("manual-counted-9", "quick")
