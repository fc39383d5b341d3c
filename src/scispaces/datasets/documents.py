"""Texts with one class each, as words: news, tweets, reviews, abstracts, and a library's manual."""

import importlib
import inspect
import re
import tarfile
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scispaces.datasets.sentences import words_of
from scispaces.datasets.store import path

# What differs in every process: numbers and addresses, the outcomes of examples, and a note that
# lists the elements of a set in whatever order they have.
_UNSTABLE = re.compile(r"\S*\d\S*|^[^\n]*by position is deprecated[^\n]*$", re.MULTILINE)
_EXAMPLES = re.compile(r"^\s*Examples\n\s*-{4,}\n", re.MULTILINE)
# A subject may go on in lines that begin with white space.
_SUBJECT = re.compile(r"^Subject:(.*(?:\n[ \t].*)*)", re.MULTILINE)

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


def _archived(file: str, training: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Class and text of every member of an archive whose folders are root/part/class.

    Bytes are read as Latin-1: the few that are not ASCII are no UTF-8.

    Args:
        file: a path of the registry.
        training: the folder of the part for training; there is one other part.

    Returns:
        Those for training and the others, each in the order of the archive.
    """
    trained: list[tuple[str, str]] = []
    tested: list[tuple[str, str]] = []
    with tarfile.open(path(file)) as archive:
        for member in archive:
            held = archive.extractfile(member)
            if held is not None:  # a file, no folder
                _, part, label, _ = member.name.split("/")
                row = label, held.read().decode("latin-1")
                (trained if part == training else tested).append(row)
    return trained, tested


def subject_and_body(message: str) -> str:
    """The subject of a message and what follows its header; no other line of the header.

    Example:
        >>> subject_and_body("From: a@b.c\\nSubject: Re: orbits\\nLines: 1\\n\\nFrom: is kept here")
        ' Re: orbits\\nFrom: is kept here'
    """
    header, _, body = message.partition("\n\n")
    subject = _SUBJECT.search(header)
    return f"{subject[1] if subject else ''}\n{body}"


def load_twenty_newsgroups() -> LabelledDocuments:
    """20 Newsgroups, split by date: 11,314 messages for training and 7,532 later ones for the test.

    A document is the subject and the whole body of a message, quotations and signature included.
    The other lines of the header, such as sender, organisation and keywords, are left out, as in
    the files of [1], whose split the WMD paper takes. There attachments, keys and duplicates are
    removed too, which leaves 25 messages fewer; here they are kept.

    Raises:
        DataUnavailableError: the file is not here; no address gives it as it is.

    References:
        [1] A. Cardoso-Cachopo, "Improving methods for single-label text categorization", PhD
        thesis, Instituto Superior Técnico (2007).
        [2] K. Lang, "NewsWeeder: learning to filter netnews", ICML (1995).
    """
    parts = _archived("docs/20news-bydate.tar.xz", "20news-bydate-train")
    rows = [(label, words_of(subject_and_body(text))) for part in parts for label, text in part]
    return _labelled("twenty-newsgroups", rows, len(parts[0]))


def load_ohsumed(classes: int = 10) -> LabelledDocuments:
    """Ohsumed: medical papers on ten groups of diseases, 1,249 for training, 1,632 for the test.

    A document is a title with its abstract; the class is the group of diseases, C01 to C10: the
    first ten of 23, as in the WMD paper. That paper's set is larger: the one here, of [1], holds
    only papers that belong to a single group of the 23.

    Args:
        classes: how many groups, the first ones. All 23 have 3,357 documents for training and
            4,043 for the test.

    Raises:
        ValueError: there are not so many.
        DataUnavailableError: the file is not here; no address gives it as it is.

    References:
        [1] L. Yao, C. Mao, Y. Luo, "Graph convolutional networks for text classification", AAAI
        (2019).
        [2] W. Hersh et al., "OHSUMED: an interactive retrieval evaluation and new large test
        collection for research", SIGIR (1994).
    """
    if not 1 <= classes <= 23:
        raise ValueError(f"`classes` must be from 1 to 23. Got {classes!r}.")
    parts = [
        [(label, words_of(text)) for label, text in part if int(label[1:]) <= classes]
        for part in _archived("docs/ohsumed_single_23.tar.xz", "training")
    ]
    return _labelled("ohsumed", parts[0] + parts[1], len(parts[0]))


def load_stop_words() -> frozenset[str]:
    """The stop words of the WMD paper's code.

    Raises:
        DataUnavailableError: the file is not here and cannot be downloaded.
    """
    text = path("docs/twitter/stop_words.txt").read_text(encoding="utf-8")
    return frozenset(text.split())
