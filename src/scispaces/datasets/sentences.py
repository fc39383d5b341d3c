"""Pairs of sentences with a similarity that people gave: the STS tasks."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scispaces.datasets.store import path, registry

STS_YEARS = (2012, 2013, 2014, 2015, 2016)

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|[0-9]+")


def words_of(text: str) -> list[str]:
    """The words of a text in lower case: runs of letters with an inner apostrophe, or of digits.

    Example:
        >>> words_of("It isn't 3,000-year-old.")
        ['it', "isn't", '3', '000', 'year', 'old']
    """
    return _WORD.findall(text.lower())


@dataclass(frozen=True, eq=False)
class SentencePairs:
    """Sentences side by side, as words, with scores from 0 (unrelated) to 5 (same meaning)."""

    name: str
    first: list[list[str]]
    second: list[list[str]]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.scores)


def _pairs(name: str, rows: list[tuple[str, str, str]]) -> SentencePairs:
    return SentencePairs(
        name,
        [words_of(first) for _, first, _ in rows],
        [words_of(second) for _, _, second in rows],
        np.array([float(score) for score, _, _ in rows]),
    )


def load_sts_benchmark(part: str) -> SentencePairs:
    """A part of STS-B: train (5,749 pairs), dev (1,500) or test (1,379).

    Raises:
        ValueError: there is no such part.
        DataUnavailableError: the file is not here and cannot be downloaded.

    Reference:
        [1] D. Cer et al., "SemEval-2017 task 1: semantic textual similarity", SemEval (2017).
    """
    if part not in ("train", "dev", "test"):
        raise ValueError(f"`part` must be train, dev or test. Got {part!r}.")
    text = path(f"sts/stsbenchmark/sts-{part}.csv").read_text(encoding="utf-8")
    fields = [line.split("\t") for line in text.rstrip("\n").split("\n")]
    return _pairs(f"sts-b-{part}", [(row[4], row[5], row[6]) for row in fields])


def load_sts(year: int) -> list[SentencePairs]:
    """The test sets of a year's SemEval task on textual similarity, 2012 to 2016.

    Pairs without a score were not annotated and are left out.

    Raises:
        ValueError: there was none in that year.
        DataUnavailableError: a file is not here and cannot be downloaded.

    Reference:
        [1] E. Agirre et al., "SemEval-2016 task 1: semantic textual similarity", SemEval (2016).
    """
    if year not in STS_YEARS:
        raise ValueError(f"`year` must be from 2012 to 2016. Got {year!r}.")
    folder = f"sts/semeval/{year}/"
    sets = []
    for file in sorted(registry()):
        if not file.startswith(folder):
            continue
        name = file.removeprefix(folder)
        if name.endswith(".test.tsv"):
            rows = [tuple(line.split("\t")[:3]) for line in _lines(file)]
        elif name.startswith("STS.input."):
            scores = _lines(file.replace("STS.input.", "STS.gs."))
            texts = [line.split("\t")[:2] for line in _lines(file)]
            rows = [(score, *pair) for score, pair in zip(scores, texts, strict=True)]
        else:
            continue
        task = name.removeprefix("STS.input.").removesuffix(".txt").removesuffix(".test.tsv")
        scored = [(score, one, other) for score, one, other in rows if score.strip()]
        sets.append(_pairs(f"sts-{year}-{task}", scored))
    return sets


def _lines(file: str) -> list[str]:
    text = path(file).read_text(encoding="utf-8")
    return text.replace("\r", "").rstrip("\n").split("\n")
