"""Texts with one class each, as words: news, tweets, film reviews, and a library's own manual."""

import importlib
import inspect
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scispaces.datasets.sentences import words_of
from scispaces.datasets.store import path

# What differs in every process: numbers and addresses, the outcomes of examples, and a note that
# lists the elements of a set in whatever order they have.
_UNSTABLE = re.compile(r"\S*\d\S*|^[^\n]*by position is deprecated[^\n]*$", re.MULTILINE)
_EXAMPLES = re.compile(r"^\s*Examples\n\s*-{4,}\n", re.MULTILINE)

MANUAL_PARTS = (
    "fft",
    "integrate",
    "interpolate",
    "linalg",
    "ndimage",
    "optimize",
    "signal",
    "sparse",
    "special",
    "stats",
)


@dataclass(frozen=True, eq=False)
class LabelledDocuments:
    """Texts as words, the class of each, and for how many of the first a split is given."""

    name: str
    texts: list[list[str]]
    classes: NDArray[np.int64]
    labels: tuple[str, ...]
    train: int | None  # the first so many are for training; None if no split is published

    def __len__(self) -> int:
        return len(self.texts)


def _labelled(
    name: str, rows: list[tuple[str, list[str]]], train: int | None = None
) -> LabelledDocuments:
    labels = tuple(sorted({label for label, _ in rows}))
    places = {label: number for number, label in enumerate(labels)}
    classes = np.array([places[label] for label, _ in rows])
    return LabelledDocuments(name, [words for _, words in rows], classes, labels, train)


def load_manual() -> LabelledDocuments:
    """The reference manual of SciPy, as installed: what a function does, and where it belongs.

    A document is the description of a public function or class, up to its list of parameters;
    the class is the part of the library, one of ten. No download is needed. Its text is that of
    the installed version, without examples and numbers. Texts that two names share occur once.
    """
    return _labelled("manual", [(part, description(words)) for part, words in _manual()])


def manual_corpus() -> list[list[str]]:
    """The entries of which `load_manual` takes the beginnings, up to their examples."""
    return [words_of(text) for _, text in _manual()]


def description(text: str) -> list[str]:
    """The words of a documentation string before its first section.

    Example:
        >>> description("Add two numbers.\\n\\n    Parameters\\n    ----------\\n    a : int")
        ['add', 'two', 'numbers']
    """
    lines = text.split("\n")
    ends = [number for number, line in enumerate(lines) if line.strip().startswith("----")]
    return words_of("\n".join(lines[: ends[0] - 1] if ends else lines))


def _manual() -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for part in MANUAL_PARTS:
        module = importlib.import_module(f"scipy.{part}")
        for name in sorted(module.__all__):
            member = getattr(module, name)
            shown = member.__doc__ if callable(member) and not inspect.ismodule(member) else None
            text = _UNSTABLE.sub(" ", _EXAMPLES.split(shown or "")[0])
            if len(description(text)) >= 5:
                found.setdefault(text, part)
    return [(part, text) for text, part in found.items()]


def load_r8() -> LabelledDocuments:
    """R8: Reuters-21578 with one of eight topics, 5,485 texts for training and 2,189 for the test.

    The file holds words already cleaned of numbers and punctuation.

    Raises:
        DataUnavailableError: a file is not here and cannot be downloaded.

    Reference:
        [1] A. Cardoso-Cachopo, "Improving methods for single-label text categorization", PhD
        thesis, Instituto Superior Técnico (2007).
    """
    parts = []
    for part in ("train", "test"):
        text = path(f"docs/r8/{part}.txt").read_text(encoding="utf-8")
        lines = [line.split("\t") for line in text.rstrip("\n").split("\n")]
        parts.append([(label, words.split()) for label, words in lines])
    return _labelled("r8", parts[0] + parts[1], len(parts[0]))


def load_twitter() -> LabelledDocuments:
    """The tweets of the WMD paper: 3,115, positive, negative or neutral. No split is published.

    Raises:
        DataUnavailableError: the file is not here and cannot be downloaded.

    Reference:
        [1] M. J. Kusner et al., "From word embeddings to document distances", ICML (2015).
    """
    text = path("docs/twitter/all_twitter_by_line.txt").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.rstrip("\n").split("\n")]
    return _labelled("twitter", [(row[0].strip('"'), words_of(row[1])) for row in rows])


def load_film_reviews() -> LabelledDocuments:
    """MR: sentences of film reviews, positive or negative, 7,108 for training, 3,554 for the test.

    Raises:
        DataUnavailableError: a file is not here and cannot be downloaded.

    Reference:
        [1] B. Pang, L. Lee, "Seeing stars: exploiting class relationships for sentiment
        categorization with respect to rating scales", ACL (2005).
    """
    parts = []
    for part in ("train", "test"):
        texts, labels = (
            path(f"docs/mr/{kind}_{part}.txt")
            .read_text(encoding="latin-1")
            .rstrip("\n")
            .split("\n")
            for kind in ("text", "label")
        )
        pairs = zip(labels, texts, strict=True)
        parts.append([(label.strip(), words_of(text)) for label, text in pairs])
    return _labelled("film-reviews", parts[0] + parts[1], len(parts[0]))


def load_stop_words() -> frozenset[str]:
    """The stop words of the WMD paper's code.

    Raises:
        DataUnavailableError: the file is not here and cannot be downloaded.
    """
    text = path("docs/twitter/stop_words.txt").read_text(encoding="utf-8")
    return frozenset(text.split())
