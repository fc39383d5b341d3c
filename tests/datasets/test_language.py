"""The corpora against their published sizes, and the way from text to numbers."""

import numpy as np
import pytest
from tests.datasets.files import needs

from scispaces.datasets import LanguageData, load_language, parallel_streams
from scispaces.datasets.language import CORPORA, data_descriptions

# Tokens with the end of each line as one, in the three parts; words of the vocabulary.
PENN_WORDS = (929_589, 73_760, 82_430, 10_000)
WIKITEXT_WORDS = (2_088_628, 217_646, 245_569, 33_278)


def sizes(data: LanguageData) -> tuple[int, int, int, int]:
    parts = (data.train, data.validation, data.test)
    for part in parts:
        assert part.dtype == np.int64
        assert part.min() >= 0
        assert part.max() < len(data.vocabulary)
    return (*map(len, parts), len(data.vocabulary))


def spell(data: LanguageData, tokens: np.ndarray, glue: str) -> str:
    return glue.join(data.vocabulary[token] for token in tokens)


@needs("lm/ptb/")
def test_penn_treebank_has_the_published_size() -> None:
    data = load_language("penn-treebank", "words")
    assert sizes(data) == PENN_WORDS
    text = CORPORA["penn-treebank"]()[0]
    assert spell(data, data.train[:200], " ").split() == text.replace("\n", " <eos> ").split()[:200]


@needs("lm/wikitext-2/")
def test_wikitext_has_the_published_size() -> None:
    assert sizes(load_language("wikitext-2", "words")) == WIKITEXT_WORDS


@needs("lm/tinyshakespeare/")
def test_shakespeare_is_cut_without_loss() -> None:
    data = load_language("tinyshakespeare")
    assert sum(sizes(data)[:3]) == 1_115_394
    assert len(data.train) == int(1_115_394 * 0.9)
    text = CORPORA["tinyshakespeare"]()
    assert spell(data, data.train, "") == text[0]
    assert spell(data, data.test, "").replace("<unk>", "") == text[2]


def test_the_descriptions_need_no_file_and_come_back_from_their_numbers() -> None:
    data = load_language("data-descriptions")
    train, validation, test = data_descriptions()
    assert spell(data, data.train, "") == train
    assert len(data.validation) == len(validation) > 4000
    assert len(data.test) == len(test) > 4000
    assert "breast cancer" in train.lower()
    # Each description gives eight tenths to training.
    assert len(train) / (len(train) + len(validation) + len(test)) == pytest.approx(0.8, abs=1e-3)


def test_the_vocabulary_is_ranked_by_training_text_alone() -> None:
    data = load_language("data-descriptions", "words")
    counts = np.bincount(data.train, minlength=len(data.vocabulary))
    known = [
        count for token, count in zip(data.vocabulary, counts, strict=True) if token != "<unk>"
    ]
    assert known == sorted(known, reverse=True)
    assert min(known) == 1
    assert data.vocabulary.count("<unk>") == 1


def test_a_small_vocabulary_keeps_the_most_frequent_and_makes_the_rest_unknown() -> None:
    whole, small = (
        load_language("data-descriptions", "words", most_tokens=most) for most in (None, 50)
    )
    assert len(small.vocabulary) == 50
    kept = set(whole.vocabulary[:49])
    assert set(small.vocabulary) == kept | {"<unk>"}
    unknown = small.vocabulary.index("<unk>")
    for before, after in zip(whole.train[:500], small.train[:500], strict=True):
        word = whole.vocabulary[before]
        assert small.vocabulary[after] == (word if word in kept else "<unk>")
    assert 0 < (small.train == unknown).mean() < 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"name": "genesis"}, r"`name` must be one of penn-treebank, .* Got 'genesis'"),
        ({"name": "wikitext-2", "level": "bytes"}, r"`level` must be words .* Got 'bytes'"),
        ({"name": "wikitext-2", "most_tokens": 1}, r"`most_tokens` must be at least 2\. Got 1"),
    ],
)
def test_wrong_requests_are_refused(arguments: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        load_language(**arguments)


def test_streams_are_consecutive_pieces_side_by_side() -> None:
    tokens = np.arange(20)
    streams = parallel_streams(tokens, 3)
    assert streams.shape == (6, 3)
    np.testing.assert_array_equal(streams.T.reshape(-1), tokens[:18])
    for wrong in (0, 21):
        with pytest.raises(ValueError, match=rf"`streams` must be .* the 20 tokens\. Got {wrong}"):
            parallel_streams(tokens, wrong)
