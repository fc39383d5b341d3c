"""What sequences are judged by: edit distance, missing ends, BLEU."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scispaces.datasets.sequences import END, UNKNOWN

Indices = NDArray[np.int64]
_NEVER = -1  # equal to no index
ORDERS = 4


def lengths(sequences: Indices) -> NDArray[np.int64]:
    """How many symbols stand before the first end, all of them where there is none.

    Example:
        >>> lengths(np.array([[5, 6, END, 7], [5, 6, 7, 8]])).tolist()
        [2, 4]
    """
    ended = sequences == END
    return np.where(ended.any(1), ended.argmax(1), sequences.shape[1])


def edit_distances(outputs: Indices, references: Indices) -> NDArray[np.int64]:
    """Levenshtein distance of each output from its reference, both up to their ends.

    Insertions, deletions and substitutions cost 1. A row of the table is computed for all pairs
    at once; the insertions, each of which needs its left neighbour, by a running minimum of the
    cells minus their column.

    Args:
        outputs, references: `(rows, length)`, see `SequencePairs`; an output without an end
            counts in full.

    Example:
        >>> kitten, sitting = [[11, 9, 20, 20, 5, 14, END]], [[19, 9, 20, 20, 9, 14, 7, END]]
        >>> edit_distances(np.array(kitten), np.array(sitting))
        array([3])
    """
    output_lengths, reference_lengths = lengths(outputs), lengths(references)
    columns = np.arange(references.shape[1] + 1)
    row = np.broadcast_to(columns, (len(outputs), len(columns)))
    rows = np.arange(len(outputs))
    found = row[rows, reference_lengths]
    for at in range(int(output_lengths.max(initial=0))):
        different = outputs[:, at, None] != references
        cells = np.empty_like(row)
        cells[:, 0] = at + 1
        cells[:, 1:] = np.minimum(row[:, 1:] + 1, row[:, :-1] + different)
        row = np.minimum.accumulate(cells - columns, axis=1) + columns
        found = np.where(output_lengths == at + 1, row[rows, reference_lengths], found)
    return found


def corpus_bleu(outputs: Indices, references: Indices) -> float:
    """BLEU of a corpus, one reference each, in [0, 1].

    Geometric mean of the clipped precisions of n-grams, n = 1 to 4, pooled over the corpus, times
    the brevity penalty exp(1 - reference length / output length) where the output is shorter.
    Without smoothing: 0 if no 4-gram matches. Unknown words match nothing.

    Args:
        outputs, references: as for `edit_distances`.

    Reference:
        [1] K. Papineni, S. Roukos, T. Ward, W.-J. Zhu, "BLEU: a Method for Automatic Evaluation
        of Machine Translation", ACL (2002).
    """
    matched, possible = (each.sum(0) for each in _gram_counts(outputs, references))
    if not matched.all():
        return 0.0
    brevity = min(0.0, 1 - lengths(references).sum() / lengths(outputs).sum())
    return float(np.exp(np.log(matched / possible).mean() + brevity))


def bleu_losses(outputs: Indices, references: Indices) -> NDArray[np.float64]:
    """One minus the BLEU of each sentence, with one added to both counts of every n above 1.

    Args:
        outputs, references: as for `edit_distances`.

    Reference:
        [1] C.-Y. Lin, F. J. Och, "ORANGE: a Method for Evaluating Automatic Evaluation Metrics for
        Machine Translation", COLING (2004).
    """
    matched, possible = _gram_counts(outputs, references)
    matched[:, 1:] += 1
    possible[:, 1:] += 1
    with np.errstate(divide="ignore"):
        precisions = np.log(matched / np.maximum(possible, 1)).mean(1)
    ratio = lengths(references) / np.maximum(lengths(outputs), 1)
    return 1 - np.exp(precisions + np.minimum(0, 1 - ratio))


def _gram_counts(
    outputs: Indices, references: Indices
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Clipped matches and n-grams of each output, `(rows, ORDERS)`; unknown words never match."""
    matched, possible = np.zeros((2, len(outputs), ORDERS))
    known = np.where(references == UNKNOWN, _NEVER, references).tolist()
    ends = zip(lengths(outputs), lengths(references), strict=True)
    for row, (output, reference, (long, wanted)) in enumerate(
        zip(outputs.tolist(), known, ends, strict=True)
    ):
        for order in range(ORDERS):
            got, right = (_grams(each, order) for each in (output[:long], reference[:wanted]))
            matched[row, order] = (got & right).total()
            possible[row, order] = got.total()
    return matched, possible


LOSSES = {"distance": edit_distances, "bleu": bleu_losses}


def _grams(symbols: list[int], order: int) -> Counter[tuple[int, ...]]:
    return Counter(zip(*(symbols[at:] for at in range(order + 1)), strict=False))


@dataclass(frozen=True)
class Scores:
    """What the outputs for some pairs are worth.

    Attributes:
        symbol_error: edit distances over the number of symbols of the references.
        sequence_error: share of outputs that differ from their reference.
        unfinished: share of outputs without an end.
        distance: mean edit distance.
        bleu: of the corpus.
    """

    symbol_error: float
    sequence_error: float
    unfinished: float
    distance: float
    bleu: float


def score(outputs: Indices, references: Indices) -> Scores:
    """The scores of outputs; unknown symbols of a reference match nothing.

    Example:
        >>> scores = score(np.array([[4, 5], [4, END]]), np.array([[4, END], [4, END]]))
        >>> scores.symbol_error, scores.sequence_error, scores.unfinished
        (0.5, 0.5, 0.5)
    """
    known = np.where(references == UNKNOWN, _NEVER, references)
    distances = edit_distances(outputs, known)
    return Scores(
        float(distances.sum() / lengths(references).sum()),
        float((distances > 0).mean()),
        float((~(outputs == END).any(1)).mean()),
        float(distances.mean()),
        corpus_bleu(outputs, references),
    )
