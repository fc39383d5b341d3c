"""Token lists as bags of words: merging, stop words, unknown words, empty documents."""

import re

import numpy as np
import pytest
import torch

from scispaces.transport import (
    Documents,
    documents_from_tokens,
    documents_from_vectors,
    wmd_pairs,
)

VOCABULARY = {"president": 3, "speaks": 1, "media": 0, "the": 2}
TABLE = np.arange(12, dtype=np.float32).reshape(4, 3)


def bags(*texts, **options):
    return documents_from_tokens([text.split() for text in texts], VOCABULARY, TABLE, **options)


def test_words_are_merged_counted_and_sorted():
    documents = bags("the president speaks the president the", "media")
    np.testing.assert_array_equal(documents.starts, [0, 3, 4])
    np.testing.assert_array_equal(documents.words, [1, 2, 3, 0])
    np.testing.assert_array_equal(documents.weights, [1, 3, 2, 1])
    assert len(documents) == 2


def test_stop_words_and_unknown_words_are_left_out():
    documents = bags("the Media the media xyz", stop_words=["the", "of"])
    np.testing.assert_array_equal(documents.words, [0])  # "Media" is not "media"
    np.testing.assert_array_equal(documents.weights, [1])


def test_unknown_words_can_be_refused_stop_words_are_known_enough():
    with pytest.raises(ValueError, match=r"known words only. Got 'xyz' in document 1."):
        bags("the of media", "of xyz", stop_words={"of"}, unknown="refuse")
    assert len(bags("the of media", stop_words={"of"}, unknown="refuse")) == 1


def test_empty_documents_are_refused_by_name_or_kept():
    with pytest.raises(ValueError, match=r"at least one known word.* Got none in document 1;"):
        bags("media", "xyz the", stop_words=["the"])
    kept = bags("", "media", "xyz", empty="keep")
    np.testing.assert_array_equal(kept.starts, [0, 0, 1, 1])


def test_word_weights_multiply_counts():
    documents = bags("the the media media speaks", word_weights=[2.0, 1.5, 0.0, 1.0])
    np.testing.assert_array_equal(documents.words, [0, 1])
    np.testing.assert_array_equal(documents.weights, [4, 1.5])
    tensor = bags("media", word_weights=torch.tensor([0.5, 1, 1, 1]))
    assert tensor.weights[0] == 0.5


def test_parts_of_documents():
    documents = bags("the media", "", "speaks speaks", "president media the", empty="keep")
    for chosen in (slice(1, 3), np.array([3, 0, 3]), [2], slice(None, None, -1)):
        part = documents[chosen]
        for new, old in enumerate(np.arange(4)[chosen]):
            own = slice(documents.starts[old], documents.starts[old + 1])
            found = slice(part.starts[new], part.starts[new + 1])
            np.testing.assert_array_equal(part.words[found], documents.words[own])
            np.testing.assert_array_equal(part.weights[found], documents.weights[own])


def test_vectors_of_tokens_as_documents():
    documents = documents_from_vectors([np.eye(3), np.ones((2, 3))], [[1, 0, 2], [1, 1]])
    np.testing.assert_array_equal(documents.starts, [0, 2, 4])
    np.testing.assert_array_equal(documents.words, [0, 2, 3, 4])
    np.testing.assert_array_equal(documents.weights, [1, 2, 1, 1])
    assert documents_from_vectors([TABLE]).vectors.dtype == np.float32
    assert len(documents_from_vectors([])) == 0


def test_no_documents():
    nothing = documents_from_tokens([], VOCABULARY, TABLE)
    assert len(nothing) == 0
    assert len(nothing[:]) == 0
    assert len(wmd_pairs(nothing, nothing).values) == 0


def test_what_is_refused():
    with pytest.raises(TypeError, match=r"sequences of tokens. Got the string 'the media'"):
        documents_from_tokens(["the media"], VOCABULARY, TABLE)
    with pytest.raises(ValueError, match=r"rows of `vectors`, below 2. Got 3."):
        documents_from_tokens([["president"]], VOCABULARY, TABLE[:2])
    with pytest.raises(ValueError, match=r"`unknown` must be one of \('drop', 'refuse'\)"):
        bags("media", unknown="ignore")
    with pytest.raises(ValueError, match=r"`empty` must be one of \('refuse', 'keep'\)"):
        bags("media", empty="nan")
    with pytest.raises(ValueError, match=r"`word_weights` must have 4 elements. Got 1."):
        bags("media", word_weights=[1.0])
    with pytest.raises(ValueError, match="`vectors` must be finite"):
        documents_from_tokens([["a"]], {"a": 0}, np.array([[np.nan]]))
    with pytest.raises(ValueError, match=r"must agree in dimensions. Got \[2, 3\]."):
        documents_from_vectors([np.eye(2), np.eye(3)])
    with pytest.raises(ValueError, match=r"for all 1 documents. Got 2."):
        documents_from_vectors([np.eye(2)], [[1, 1], [1, 1]])


@pytest.mark.parametrize(
    ("starts", "words", "weights", "message"),
    [
        ([0, 5], [0, 1], [1.0, 1.0], "`starts` must rise from 0"),
        ([0, 2, 1, 2], [0, 1], [1.0, 1.0], "`starts` must rise from 0"),
        ([0, 2], [0, 1], [1.0], "`starts` must rise from 0"),
        ([0, 2], [0, 9], [1.0, 1.0], "`words` must be rows of 4 vectors. Got 9 at index 1"),
        ([0, 2], [-1, 0], [1.0, 1.0], "`words` must be rows of 4 vectors. Got -1 at index 0"),
        ([0, 2], [0, 1], [1.0, -1.0], "`weights` must be positive and finite. Got -1 at index 1"),
        ([0, 2], [0, 1], [np.nan, 1.0], "`weights` must be positive and finite. Got nan"),
    ],
)
def test_documents_that_would_be_read_outside_their_arrays_are_refused(
    starts, words, weights, message
):
    arrays = np.array(starts), np.array(words, np.int32), np.array(weights)
    with pytest.raises(ValueError, match=re.escape(message)):
        Documents(np.eye(4), *arrays)
