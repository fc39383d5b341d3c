"""Pairs of sequences: their parts and symbols, and the rules of the invented spelling."""

import numpy as np
import pytest
from tests.datasets.files import needs

from scispaces.datasets import (
    DataUnavailableError,
    SequenceData,
    SequencePairs,
    load_cmudict,
    load_multi30k,
    make_spelling_rules,
    store,
)
from scispaces.datasets.sequences import (
    BEGIN,
    END,
    PADDING,
    UNKNOWN,
    cmudict_entries,
    pairs_as_data,
    sounds_of,
)

CMUDICT = needs("seq/cmudict/cmudict.dict")
MULTI30K = needs("seq/multi30k/")


def decoded(rows: np.ndarray, symbols: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The symbols of each row up to its end, which must be followed by padding alone."""
    found = []
    for row in rows.tolist():
        at = row.index(END)
        assert set(row[at + 1 :]) <= {PADDING}
        assert PADDING not in row[:at]
        found.append(tuple(symbols[index] for index in row[:at]))
    return found


def words(data: SequenceData, part: SequencePairs) -> list[str]:
    return ["".join(word) for word in decoded(part.source, data.source_symbols)]


def test_the_training_part_decides_the_symbols() -> None:
    data = pairs_as_data("tiny", ([("ab", "x"), ("b", "yx")], [("c", "z")], [("a", "y")]))
    assert data.source_symbols[4:] == ("b", "a")
    assert data.target_symbols[4:] == ("x", "y")
    assert data.valid.source.tolist() == [[UNKNOWN, END]]
    assert data.test.target.tolist() == [[5, END]]
    assert data.train.target.tolist() == [[4, END, PADDING], [5, 4, END]]


def test_a_cut_vocabulary_makes_rare_symbols_unknown() -> None:
    parts = [[("aab", "x")]] * 3
    data = pairs_as_data("tiny", parts, source_most=1)
    assert data.train.source.tolist() == [[4, 4, UNKNOWN, END]]


@CMUDICT
def test_cmudict_has_its_39_phonemes_and_first_pronunciations() -> None:
    entries = cmudict_entries()
    assert len(set().union(*entries.values())) == 39
    # The line "adaptations(2) …" and the comment of "aalborg" are left out.
    assert " ".join(entries["adaptations"]) == "AE D AE P T EY SH AH N Z"
    assert " ".join(entries["aalborg"]) == "AO L B AO R G"
    assert "'bout" not in entries


@CMUDICT
def test_cmudict_parts_are_disjoint_words_with_their_pronunciations() -> None:
    data = load_cmudict(3, train=2000, valid=100, test=300)
    parts = data.train, data.valid, data.test
    assert [len(part) for part in parts] == [2000, 100, 300]
    drawn = [word for part in parts for word in words(data, part)]
    assert len(set(drawn)) == 2400
    assert max(map(len, drawn)) == 10
    entries = cmudict_entries()
    spoken = decoded(data.test.target, data.target_symbols)
    assert spoken == [entries[word] for word in words(data, data.test)]
    assert len(data.source_symbols) == 4 + 26
    assert len(data.target_symbols) == 4 + 39


@CMUDICT
def test_the_seed_decides_the_words() -> None:
    small = {"train": 50, "valid": 5, "test": 5}
    first, again, other = (load_cmudict(seed, **small) for seed in (0, 0, 1))
    assert words(first, first.train) == words(again, again.train)
    assert words(first, first.train) != words(other, other.train)


@CMUDICT
def test_too_many_words_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`train \+ valid \+ test` must be at most \d+\. Got"):
        load_cmudict(0, train=10**6)


@MULTI30K
def test_multi30k_has_the_published_parts() -> None:
    data = load_multi30k()
    assert (len(data.valid), len(data.test)) == (1014, 1000)
    assert 28_000 < len(data.train) <= 29_000
    assert data.train.source.shape[1] <= 26
    assert len(data.source_symbols) == len(data.target_symbols) == 4004
    first = decoded(data.train.source[:1], data.source_symbols)[0]
    assert " ".join(first) == "two young , white males are outside near many bushes ."


def test_multi30k_is_refused_without_its_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_local", lambda file: None)
    monkeypatch.setenv("SCISPACES_OFFLINE", "1")
    with pytest.raises(DataUnavailableError, match="seq/multi30k"):
        load_multi30k()


def test_invented_words_are_different_and_spoken_by_the_rules() -> None:
    data = make_spelling_rules(5, train=300, valid=50, test=100)
    parts = data.train, data.valid, data.test
    assert [len(part) for part in parts] == [300, 50, 100]
    drawn = [word for part in parts for word in words(data, part)]
    assert len(set(drawn)) == 450
    assert decoded(data.test.target, data.target_symbols) == [
        sounds_of(word) for word in words(data, data.test)
    ]
    assert BEGIN not in data.train.target
    again = make_spelling_rules(5, train=300, valid=50, test=100)
    assert np.array_equal(again.train.source, data.train.source)


@pytest.mark.parametrize(
    ("word", "sounds"),
    [
        ("caci", "K A S I"),
        ("gege", "J E: G"),
        ("gogo", "G O G O"),
        ("shathe", "SH A TH"),
        ("bane", "B A: N"),
        ("chu", "CH U"),
        ("xa", "K S A"),
        ("ssitta", "S I T A"),
        ("banen", "B A N E N"),
    ],
)
def test_spelling_rules(word: str, sounds: str) -> None:
    assert sounds_of(word) == tuple(sounds.split())
