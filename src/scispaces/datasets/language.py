"""Running text as numbers: words or characters of four corpora, laid out in parallel streams.

Three corpora are registered files; the fourth, the descriptions of scikit-learn's data sets, comes
with scikit-learn and needs no file.
"""

import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scispaces.datasets.store import path

Level = Literal["words", "characters"]
LEVELS = ("words", "characters")
END, UNKNOWN = "<eos>", "<unk>"
PARTS = ("train", "validation", "test")
# Share of a text that is training, then share that is training or validation, where the corpus
# has no split of its own.
SHAKESPEARE_CUTS = (0.9, 0.95)
DESCRIPTIONS_CUTS = (0.8, 0.9)


@dataclass(frozen=True)
class LanguageData:
    """A corpus as the numbers of its tokens.

    Attributes:
        name: the name of the corpus.
        level: words or characters.
        train, validation, test: the tokens in the order of the text, each a number below the size
            of the vocabulary.
        vocabulary: the tokens by number, from the most to the least frequent in training.
    """

    name: str
    level: Level
    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]
    vocabulary: tuple[str, ...]


def penn_treebank() -> list[str]:
    """Training, validation and test text of the Penn Treebank in Mikolov's preparation.

    Words are in lower case, numbers are N, rare words `<unk>`, punctuation is left out.

    Raises:
        DataUnavailableError: the file is not here and cannot be downloaded.

    Reference:
        [1] M. Marcus, B. Santorini, M. A. Marcinkiewicz, "Building a large annotated corpus of
        English: the Penn Treebank", Computational Linguistics 19 (1993), 313-330.
        [2] T. Mikolov et al., "Recurrent neural network based language model", Interspeech (2010).
    """
    with zipfile.ZipFile(path("lm/ptb/ptb.zip")) as archive:
        return [
            archive.read(f"ptb/ptb.{part}.txt").decode("ascii")
            for part in ("train", "valid", "test")
        ]


def wikitext2() -> list[str]:
    """Training, validation and test text of WikiText-2, good and featured articles of Wikipedia.

    Raises:
        DataUnavailableError: the files are not here and cannot be downloaded.

    Reference:
        [1] S. Merity, C. Xiong, J. Bradbury, R. Socher, "Pointer sentinel mixture models", ICLR
        (2017).
    """
    return [
        path(f"lm/wikitext-2/{part}.txt").read_text(encoding="utf-8")
        for part in ("train", "valid", "test")
    ]


def tinyshakespeare() -> list[str]:
    """A million characters of Shakespeare's plays: the first 90 % training, then twice 5 %.

    Raises:
        DataUnavailableError: the file is not here and cannot be downloaded.

    Reference:
        [1] A. Karpathy, "char-rnn", github.com/karpathy/char-rnn (2015).
    """
    text = path("lm/tinyshakespeare/input.txt").read_text(encoding="utf-8")
    return _cut(text, SHAKESPEARE_CUTS)


def data_descriptions() -> list[str]:
    """The descriptions of data sets that come with scikit-learn, some 43,000 characters.

    Of every description the first 80 % are training, the next 10 % validation, the last 10 % test,
    so that the parts speak of the same things.
    """
    folder = files("sklearn.datasets.descr")
    pages = sorted((file for file in folder.iterdir() if file.name.endswith(".rst")), key=str)
    cuts = [_cut(page.read_text(encoding="utf-8"), DESCRIPTIONS_CUTS) for page in pages]
    return ["".join(part) for part in zip(*cuts, strict=True)]


CORPORA: dict[str, Callable[[], list[str]]] = {
    "penn-treebank": penn_treebank,
    "wikitext-2": wikitext2,
    "tinyshakespeare": tinyshakespeare,
    "data-descriptions": data_descriptions,
}


@cache
def load_language(
    name: str, level: Level = "characters", *, most_tokens: int | None = None
) -> LanguageData:
    """A corpus as numbers. Read once per process; the arrays are shared, do not write into them.

    A word is what stands between blanks; the end of a line is a word of its own, `<eos>`. Tokens
    that are not in the vocabulary, which is that of the training text, become `<unk>`.

    Args:
        name: a key of `CORPORA`.
        level: words or characters.
        most_tokens: size of the vocabulary, `<unk>` among it; all of the training text if left out.

    Raises:
        ValueError: another name or level, or a vocabulary of less than two tokens.
        DataUnavailableError: the files are not here and cannot be downloaded.

    Example:
        >>> load_language("data-descriptions").vocabulary[:3]
        (' ', 'e', 't')
    """
    if name not in CORPORA:
        raise ValueError(f"`name` must be one of {', '.join(CORPORA)}. Got {name!r}.")
    if level not in LEVELS:
        raise ValueError(f"`level` must be words or characters. Got {level!r}.")
    if most_tokens is not None and most_tokens < 2:
        raise ValueError(f"`most_tokens` must be at least 2. Got {most_tokens}.")
    tokens = [_tokens(text, level) for text in CORPORA[name]()]
    vocabulary = _vocabulary(tokens[0], most_tokens)
    numbers = {token: number for number, token in enumerate(vocabulary)}
    unknown = numbers[UNKNOWN]
    train, validation, test = (
        np.array([numbers.get(token, unknown) for token in part], dtype=np.int64) for part in tokens
    )
    return LanguageData(name, level, train, validation, test, vocabulary)


def parallel_streams(tokens: NDArray[np.int64], streams: int) -> NDArray[np.int64]:
    """The text cut into equally long pieces that are read side by side.

    Args:
        tokens: the text; what is left over at its end is dropped.
        streams: how many pieces.

    Returns:
        `(length, streams)`; each column is a piece of the text.

    Raises:
        ValueError: there are fewer tokens than streams, or no stream.

    Example:
        >>> parallel_streams(np.arange(7), 2).tolist()
        [[0, 3], [1, 4], [2, 5]]
    """
    if not 0 < streams <= len(tokens):
        raise ValueError(
            f"`streams` must be at least 1 and at most the {len(tokens)} tokens. Got {streams}."
        )
    length = len(tokens) // streams
    return np.ascontiguousarray(tokens[: length * streams].reshape(streams, length).T)


def _cut(text: str, shares: tuple[float, float]) -> list[str]:
    first, second = (int(len(text) * share) for share in shares)
    return [text[:first], text[first:second], text[second:]]


def _tokens(text: str, level: Level) -> list[str]:
    return list(text) if level == "characters" else text.replace("\n", f" {END} ").split()


def _vocabulary(tokens: Iterable[str], most: int | None) -> tuple[str, ...]:
    counts = Counter(tokens)
    ranked = sorted(counts, key=lambda token: (-counts[token], token))
    kept = [token for token in ranked if token != UNKNOWN]
    if most is not None:
        kept = kept[: most - 1]
    place = ranked.index(UNKNOWN) if UNKNOWN in counts else len(kept)
    kept.insert(min(place, len(kept)), UNKNOWN)
    return tuple(kept)
