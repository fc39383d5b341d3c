"""Edit distance against the plain table, BLEU against values computed by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scispaces.datasets.sequences import END, PADDING, UNKNOWN
from scispaces.studies.sampling_metrics import (
    bleu_losses,
    corpus_bleu,
    edit_distances,
    lengths,
    score,
)

CAP = 7
SEQUENCES = st.lists(st.integers(4, 6), max_size=CAP)


def plain_distance(one: list[int], other: list[int]) -> int:
    """The table of Wagner and Fischer, cell by cell."""
    table = [[max(i, j) for j in range(len(other) + 1)] for i in range(len(one) + 1)]
    for i, a in enumerate(one, start=1):
        for j, b in enumerate(other, start=1):
            table[i][j] = min(
                table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + (a != b)
            )
    return table[-1][-1]


def as_rows(sequences: list[list[int]], width: int) -> np.ndarray:
    rows = np.full((len(sequences), width), PADDING)
    for row, sequence in zip(rows, sequences, strict=True):
        ended = [*sequence, END][:width]
        row[: len(ended)] = ended
    return rows


@given(st.lists(st.tuples(SEQUENCES, SEQUENCES), min_size=1, max_size=5))
def test_edit_distance_is_that_of_the_plain_table(pairs: list[tuple[list[int], list[int]]]) -> None:
    outputs = as_rows([output for output, _ in pairs], CAP)  # the longest have no end
    references = as_rows([reference for _, reference in pairs], CAP + 1)
    expected = [plain_distance(output, reference) for output, reference in pairs]
    assert edit_distances(outputs, references).tolist() == expected
    assert lengths(outputs).tolist() == [len(output) for output, _ in pairs]


def test_symbols_after_the_end_count_nothing() -> None:
    outputs = np.array([[4, END, 5, 6]])
    assert edit_distances(outputs, np.array([[4, END]])).tolist() == [0]


def test_an_output_without_an_end_costs_its_symbols_and_counts_as_unfinished() -> None:
    scores = score(np.array([[4, 4, 4, 4], [5, END, 0, 0]]), np.array([[4, END], [5, END]]))
    assert scores.unfinished == 0.5
    assert scores.symbol_error == 3 / 2
    assert scores.sequence_error == 0.5
    assert scores.distance == 1.5


def test_unknown_symbols_of_a_reference_are_never_right() -> None:
    same = np.array([[UNKNOWN, 5, END]])
    assert score(same, same).symbol_error == 0.5
    assert corpus_bleu(np.tile(same[:, :2], 4), np.tile(same[:, :2], 4)) == 0.0


# the cat the cat on the mat, against: the cat is on the mat. Unigrams: the twice of thrice, cat
# once of twice, on, mat: 5 of 7. Bigrams: the cat once of twice, on the, the mat: 3 of 6. Trigrams:
# on the mat: 1 of 5. 4-grams: none of 4.
THE, CAT, ON, MAT, IS = range(4, 9)
OUTPUT = [THE, CAT, THE, CAT, ON, THE, MAT]
REFERENCE = [THE, CAT, IS, ON, THE, MAT]


def test_bleu_without_a_matching_four_gram_is_zero() -> None:
    assert corpus_bleu(as_rows([OUTPUT], 9), as_rows([REFERENCE], 9)) == 0.0


def test_bleu_pools_the_counts_of_the_corpus() -> None:
    # A second pair, on the mat the cat, against itself and one word more: 5/5, 4/4, 3/3, 2/2.
    second = [ON, THE, MAT, THE, CAT]
    outputs, references = as_rows([OUTPUT, second], 9), as_rows([REFERENCE, [*second, IS, IS]], 9)
    precisions = (5 + 5) / 12, (3 + 4) / 10, (1 + 3) / 8, (0 + 2) / 6
    brevity = math.exp(1 - 13 / 12)
    assert corpus_bleu(outputs, references) == pytest.approx(
        brevity * math.prod(precisions) ** 0.25
    )


def test_bleu_of_the_references_themselves_is_one_and_length_alone_has_no_reward() -> None:
    references = as_rows([REFERENCE, OUTPUT], 9)
    assert corpus_bleu(references, references) == 1.0
    assert bleu_losses(references, references) == pytest.approx([0, 0])
    longer = as_rows([[*REFERENCE, *REFERENCE]], 13)
    # 6 of 12, 5 of 11, 4 of 10 and 3 of 9 match; an output too long has no brevity penalty.
    expected = (6 / 12 * 5 / 11 * 4 / 10 * 3 / 9) ** 0.25
    assert corpus_bleu(longer, references[:1]) == pytest.approx(expected)


def test_sentence_bleu_adds_one_above_single_words() -> None:
    [loss] = bleu_losses(as_rows([OUTPUT], 9), as_rows([REFERENCE], 9))
    assert loss == pytest.approx(1 - (5 / 7 * 4 / 7 * 2 / 6 * 1 / 5) ** 0.25)
    short = bleu_losses(as_rows([[THE, CAT]], 9), as_rows([REFERENCE], 9))
    assert short == pytest.approx([1 - math.exp(1 - 6 / 2)])


def test_sentence_bleu_of_nothing_or_of_wrong_words_alone_is_zero() -> None:
    outputs, references = as_rows([[], [IS]], 9), as_rows([[THE, CAT]] * 2, 9)
    assert bleu_losses(outputs, references).tolist() == [1.0, 1.0]
