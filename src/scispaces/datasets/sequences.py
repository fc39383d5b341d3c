"""Pairs of sequences: spelling and pronunciation, and English captions with their German ones."""

import gzip
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from scispaces.datasets.store import path

PADDING, END, BEGIN, UNKNOWN = range(4)
_SPECIAL = ("<padding>", "<end>", "<begin>", "<unknown>")
WORD = re.compile(r"[a-z]+")
TOKEN = re.compile(r"\w+|[^\w\s]")

Pair = tuple[Sequence[str], Sequence[str]]


@dataclass(frozen=True)
class SequencePairs:
    """One part of a task.

    Attributes:
        source, target: int64 symbol indices `(rows, length)`; after the last symbol of a row comes
            `END`, then `PADDING`.
    """

    source: NDArray[np.int64]
    target: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.source)


@dataclass(frozen=True)
class SequenceData:
    """A task that turns one sequence into another.

    Attributes:
        name: the name of the data set.
        train, valid, test: its parts.
        source_symbols, target_symbols: what the indices mean; the first four are padding, end,
            begin and unknown.
    """

    name: str
    train: SequencePairs
    valid: SequencePairs
    test: SequencePairs
    source_symbols: tuple[str, ...]
    target_symbols: tuple[str, ...]


def symbols_of(sequences: Iterable[Sequence[str]], most: int | None = None) -> tuple[str, ...]:
    """The special symbols, then the `most` frequent others, ties in alphabetical order.

    Example:
        >>> symbols_of(["abba", "ca"])[4:], symbols_of(["abba", "ca"], most=1)[4:]
        (('a', 'b', 'c'), ('a',))
    """
    counts = Counter(chain.from_iterable(sequences))
    return (*_SPECIAL, *sorted(counts, key=lambda symbol: (-counts[symbol], symbol))[:most])


def to_indices(sequences: Sequence[Sequence[str]], symbols: Sequence[str]) -> NDArray[np.int64]:
    """Rows of indices with their end marked, padded to one length.

    Example:
        >>> to_indices(["ba", "c"], symbols_of(["ab"])).tolist()
        [[5, 4, 1], [3, 1, 0]]
    """
    index = {symbol: at for at, symbol in enumerate(symbols)}
    length = max(map(len, sequences)) + 1
    rows = np.full((len(sequences), length), PADDING, dtype=np.int64)
    for row, sequence in zip(rows, sequences, strict=True):
        row[: len(sequence)] = [index.get(symbol, UNKNOWN) for symbol in sequence]
        row[len(sequence)] = END
    return rows


def pairs_as_data(
    name: str,
    parts: Sequence[Sequence[Pair]],
    source_most: int | None = None,
    target_most: int | None = None,
) -> SequenceData:
    """Training, validation and test pairs as arrays; the training part decides the symbols."""
    sources, targets = zip(*parts[0], strict=True)
    source_symbols = symbols_of(sources, source_most)
    target_symbols = symbols_of(targets, target_most)
    train, valid, test = (
        SequencePairs(
            to_indices([source for source, _ in part], source_symbols),
            to_indices([target for _, target in part], target_symbols),
        )
        for part in parts
    )
    return SequenceData(name, train, valid, test, source_symbols, target_symbols)


def cmudict_entries() -> dict[str, tuple[str, ...]]:
    """The words of CMUdict that consist of the letters a to z, each with its first pronunciation.

    Comments, further pronunciations and the digits that mark stress are left out, which leaves 39
    phonemes.

    Raises:
        DataUnavailableError: the file is not here and cannot be downloaded.

    Reference:
        [1] The CMU Pronouncing Dictionary, Carnegie Mellon University.
    """
    entries = {}
    for line in path("seq/cmudict/cmudict.dict").read_text(encoding="utf-8").splitlines():
        word, *phonemes = line.partition("#")[0].split()
        if WORD.fullmatch(word):
            entries[word] = tuple(phoneme.rstrip("012") for phoneme in phonemes)
    return entries


def load_cmudict(
    seed: int, *, train: int = 10_000, valid: int = 1000, test: int = 4000, most_letters: int = 10
) -> SequenceData:
    """Letters to phonemes: words of CMUdict drawn by seed, split at random.

    CMUdict has no split of its own. Names and inflected forms are in it, so a test word may have
    a relative among the training words.

    Args:
        seed: of the draw and the split.
        train, valid, test: how many words.
        most_letters: longer words are left out.

    Raises:
        ValueError: so many words are not there.
        DataUnavailableError: the file is not here and cannot be downloaded.
    """
    entries = [entry for entry in cmudict_entries().items() if len(entry[0]) <= most_letters]
    total = train + valid + test
    if total > len(entries):
        raise ValueError(f"`train + valid + test` must be at most {len(entries)}. Got {total}.")
    drawn = np.random.default_rng(seed).permutation(len(entries))[:total]
    rows = [entries[at] for at in drawn]
    parts = rows[:train], rows[train : train + valid], rows[train + valid :]
    return pairs_as_data("cmudict", parts)


def load_multi30k(*, words: int = 4000, most_tokens: int = 25) -> SequenceData:
    """English captions to German ones, in the published split: 29,000, 1,014 and 1,000 (2016).

    Text is put in lower case and cut into words and punctuation marks.

    Args:
        words: of each language, the most frequent in training; all others are unknown.
        most_tokens: longer training sentences, of either language, are left out.

    Raises:
        DataUnavailableError: the files are not here and cannot be downloaded.

    Reference:
        [1] D. Elliott, S. Frank, K. Sima'an, L. Specia, "Multi30K: Multilingual English-German
        Image Descriptions", Workshop on Vision and Language (2016).
    """

    def read(part: str) -> list[Pair]:
        sides = [
            gzip.decompress(path(f"seq/multi30k/{part}.{language}.gz").read_bytes())
            .decode("utf-8")
            .rstrip("\n")
            .split("\n")
            for language in ("en", "de")
        ]
        tokens = ([TOKEN.findall(line.lower()) for line in side] for side in sides)
        return list(zip(*tokens, strict=True))

    train = [pair for pair in read("train") if max(map(len, pair)) <= most_tokens]
    parts = (train, read("val"), read("test_2016_flickr"))
    return pairs_as_data("multi30k", parts, words, words)


def make_spelling_rules(
    seed: int, *, train: int = 2000, valid: int = 500, test: int = 1000
) -> SequenceData:
    """Letters to sounds of an invented language whose spelling follows a few rules.

    Words have two to four syllables of a consonant or two and a vowel, and sometimes a silent
    final e. See `sounds_of` for the rules. Nothing is downloaded.

    Args:
        seed: of the words.
        train, valid, test: how many different words.

    Example:
        >>> data = make_spelling_rules(0, train=2, valid=1, test=1)
        >>> [len(part) for part in (data.train, data.valid, data.test)]
        [2, 1, 1]
    """
    generator = np.random.default_rng(seed)
    drawn: dict[str, tuple[str, ...]] = {}
    while len(drawn) < train + valid + test:
        word = _invent(lambda options: options[int(generator.integers(len(options)))])
        drawn[word] = sounds_of(word)
    rows = list(drawn.items())
    parts = rows[:train], rows[train : train + valid], rows[train + valid :]
    return pairs_as_data("spelling-rules", parts)


_ONSETS = ("b", "d", "c", "t", "s", "sh", "th", "ch", "x", "tt", "ss", "n", "r", "g")
_VOWELS = tuple("aeiou")


def _invent(pick: Callable[[Sequence[str]], str]) -> str:
    syllables = [pick(_ONSETS) + pick(_VOWELS) for _ in range(int(pick("234")))]
    return "".join(syllables) + pick(("", "n", "ne", "te"))


def sounds_of(word: str) -> tuple[str, ...]:
    """How a word of the invented language is spoken.

    c is S before e and i, else K; g is J before e and i, else G; sh, th and ch are one sound, x is
    K S, a double consonant one sound; a final e is silent and makes the vowel two letters before
    it long.

    Example:
        >>> sounds_of("cittaxine"), sounds_of("gucha")
        (('S', 'I', 'T', 'A', 'K', 'S', 'I:', 'N'), ('G', 'U', 'CH', 'A'))
    """
    silent = len(word) > 2 and word[-1] == "e" and word[-2] not in _VOWELS
    letters = word[:-1] if silent else word
    long = len(letters) - 2 if silent and letters[-2] in _VOWELS else -1
    sounds: list[str] = []
    at = 0
    while at < len(letters):
        here, after = letters[at], letters[at + 1 : at + 2]
        soft = after != "" and after in "ei"
        if here in "stc" and after == "h":
            sounds.append(here.upper() + "H")
            at += 1
        elif here == "c":
            sounds.append("S" if soft else "K")
        elif here == "g":
            sounds.append("J" if soft else "G")
        elif here == "x":
            sounds += ["K", "S"]
        else:
            sounds.append(here.upper() + ":" * (at == long))
            at += here == after and here not in _VOWELS
        at += 1
    return tuple(sounds)
