"""Word vectors, sentence pairs and documents: sizes, alignment, and what is refused."""

import lzma

import numpy as np
import pytest
from tests.datasets.files import needs

from scispaces.datasets import (
    STS_YEARS,
    load_film_reviews,
    load_glove_8k,
    load_google_news_8k,
    load_manual,
    load_ohsumed,
    load_r8,
    load_sts,
    load_sts_benchmark,
    load_twenty_newsgroups,
    load_twitter,
    load_wikipedia_counts,
    manual_corpus,
    vectors_by_counting,
)
from scispaces.datasets.documents import subject_and_body
from scispaces.datasets.rdata import read_rdata


@needs("wordvec/")
def test_published_tables_are_lower_case_and_know_related_words():
    for load, size, dimensions in ((load_google_news_8k, 7924, 300), (load_glove_8k, 8453, 50)):
        table = load()
        assert table.vectors.shape == (size, dimensions)
        assert table.vectors.dtype == np.float32
        assert all(word == word.lower() for word in table.words)
        unit = table.vectors / np.linalg.norm(table.vectors, axis=1, keepdims=True)
        near, far = (
            float(unit[table.rows["school"]] @ unit[table.rows[word]])
            for word in ("students", "oil")
        )
        assert near > far + 0.2


@needs("wordvec/")
def test_a_capitalised_word_fills_in_where_the_lower_case_one_is_missing():
    table = load_google_news_8k()
    assert "shenzhen" in table.rows
    assert len(table.rows) == len(table.words)
    assert load_wikipedia_counts()["the"] > load_wikipedia_counts()["shenzhen"]


@needs("sts/stsbenchmark/")
def test_benchmark_has_its_published_sizes():
    for part, size in (("train", 5749), ("dev", 1500), ("test", 1379)):
        pairs = load_sts_benchmark(part)
        assert len(pairs) == len(pairs.first) == len(pairs.second) == size
        assert 0 <= pairs.scores.min() <= pairs.scores.max() <= 5
    assert pairs.first[0] == ["a", "girl", "is", "styling", "her", "hair"]
    assert pairs.scores[0] == 2.5


@needs("sts/semeval/")
def test_years_have_their_published_sizes():
    sizes = {year: sum(map(len, load_sts(year))) for year in STS_YEARS}
    assert sizes == {2012: 3108, 2013: 1500, 2014: 3750, 2015: 3000, 2016: 1186}


@pytest.mark.parametrize(
    ("load", "wrong"),
    [(load_sts, 2011), (load_sts_benchmark, "valid"), (load_ohsumed, 24), (load_ohsumed, 0)],
)
def test_unknown_parts_are_refused(load, wrong):
    with pytest.raises(ValueError, match="must be"):
        load(wrong)


@needs("docs/")
def test_documents_have_their_published_sizes():
    for load, size, train, classes in (
        (load_r8, 7674, 5485, 8),
        (load_twitter, 3115, None, 3),
        (load_film_reviews, 10662, 7108, 2),
    ):
        data = load()
        assert (len(data), data.train, len(data.labels)) == (size, train, classes)
        assert len(data.texts) == len(data.classes)
        assert set(data.classes.tolist()) == set(range(classes))


def _share(data, word, label):
    """The share of the documents of a class that hold a word, and that of the others."""
    holds = np.array([word in text for text in data.texts])
    own = data.classes == data.labels.index(label)
    return holds[own].mean(), holds[~own].mean()


@needs("docs/20news-bydate.tar.xz")
def test_newsgroups_have_their_published_split_and_words_of_their_subjects():
    data = load_twenty_newsgroups()
    assert (len(data), data.train, len(data.labels)) == (18846, 11314, 20)
    trained, tested = (np.bincount(part) for part in np.split(data.classes, [data.train]))
    space = data.labels.index("sci.space")
    assert (trained[space], tested[space]) == (593, 394)
    assert all(data.texts)
    for word, label in (("orbit", "sci.space"), ("goalie", "rec.sport.hockey")):
        own, other = _share(data, word, label)
        assert own > 0.05 > 0.01 > other
    # Nearly every header names the sender's organisation; few bodies use the word.
    assert np.mean(["organization" in text for text in data.texts]) < 0.1


def test_of_a_message_the_subject_and_the_body_are_kept():
    message = "From: someone\nSubject: Re: long\n\tand folded\nLines: 2\n\nSubject: body\n\nend\n"
    kept = " ".join(subject_and_body(message).split())
    assert kept == "Re: long and folded Subject: body end"


@needs("docs/ohsumed_single_23.tar.xz")
def test_ohsumed_has_its_published_split_and_by_default_its_first_ten_classes():
    data = load_ohsumed()
    assert (len(data), data.train) == (2881, 1249)
    assert data.labels == tuple(f"C{number:02}" for number in range(1, 11))
    trained, tested = (np.bincount(part) for part in np.split(data.classes, [data.train]))
    assert (trained[3], tested[3]) == (430, 600)
    assert (trained.min(), tested.min()) == (21, 28)
    assert all(data.texts)
    for word, label in (("carcinoma", "C04"), ("seizures", "C10")):
        own, other = _share(data, word, label)
        assert own > 0.05 > 0.02 > other
    whole = load_ohsumed(23)
    assert (len(whole), whole.train, len(whole.labels)) == (7400, 3357, 23)
    assert whole.texts[:1249] == data.texts[:1249]


def test_manual_is_the_same_text_every_time_and_has_ten_parts():
    data = load_manual()
    assert len(data.labels) == 10
    assert len(data) > 1000
    assert data.texts == load_manual().texts
    assert len(manual_corpus()) == len(data)
    assert not any(
        character.isdigit() for text in data.texts for word in text for character in word
    )


def test_counted_vectors_put_words_of_one_company_together():
    corpus = [["red", "apple"], ["green", "apple"], ["red", "pear"], ["green", "pear"]] * 9
    corpus += [["fast", "car"], ["slow", "car"], ["fast", "bus"], ["slow", "bus"]] * 9
    table = vectors_by_counting(corpus, dimensions=3)
    apple, pear, car = (table.vectors[table.rows[word]] for word in ("apple", "pear", "car"))
    assert np.linalg.norm(apple - pear) < 1e-3 < np.linalg.norm(apple - car)


def test_counted_vectors_are_the_same_every_time():
    generator = np.random.default_rng(0)
    corpus = [[str(word) for word in generator.zipf(1.7, 12)] for _ in range(200)]
    first, second = (vectors_by_counting(corpus, dimensions=5) for _ in range(2))
    assert first.words == second.words
    assert np.array_equal(first.vectors, second.vectors)


def test_counting_does_not_cross_documents_and_passes_over_rare_words():
    together = [["a", "b", "c"], ["b", "c", "a"]] * 5 + [["rare"]]
    assert vectors_by_counting(together, dimensions=2).words == ("a", "b", "c")
    table = vectors_by_counting([["a", "b"]] * 5 + [["c", "d"]] * 10, dimensions=2, window=9)
    a, c = table.vectors[table.rows["a"]], table.vectors[table.rows["c"]]
    assert abs(float(a @ c)) < 1e-6


def test_coverage_counts_running_words():
    table = vectors_by_counting([["a", "b", "c"]] * 5, dimensions=2)
    assert table.coverage([["a", "a", "x"], ["b"]]) == 0.75


def test_another_format_of_r_is_refused(tmp_path):
    file = tmp_path / "x.rda"
    file.write_bytes(lzma.compress(b"RDX3\nX\n"))
    with pytest.raises(ValueError, match="format 2"):
        read_rdata(file)
