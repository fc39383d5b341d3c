"""The ARFF reader against small files written here."""

from pathlib import Path

import numpy as np
import pytest

from scispaces.datasets import Relation, read_arff

HEADER = """% a comment
@relation 'small one'
@attribute 'two words' numeric
@ATTRIBUTE colour {red, 'dark blue', "a,b"}
@attribute size REAL

@data
"""


def read(tmp_path: Path, text: str) -> Relation:
    file = tmp_path / "small.arff"
    file.write_text(text, encoding="utf-8")
    return read_arff(file)


def test_dense_rows_with_quotes_comments_and_missing_values(tmp_path: Path) -> None:
    relation = read(
        tmp_path, HEADER + "1.5,'dark blue',2\n% between\n\n -3 , red , ?\n0,'a,b',1e2\n"
    )
    assert relation.names == ("two words", "colour", "size")
    assert relation.domains == (None, ("red", "dark blue", "a,b"), None)
    np.testing.assert_array_equal(relation.values, [[1.5, 1, 2], [-3, 0, np.nan], [0, 2, 100]])
    assert relation.values.dtype == np.float32


def test_sparse_rows_fill_with_zero_and_keep_quoted_values_whole(tmp_path: Path) -> None:
    relation = read(tmp_path, HEADER + "{0 2, 1 'a,b'}\n{}\n{1 'dark blue',2 0.25}\n")
    np.testing.assert_array_equal(relation.values, [[2, 2, 0], [0, 0, 0], [0, 1, 0.25]])


def test_a_file_without_rows_has_an_empty_table(tmp_path: Path) -> None:
    assert read(tmp_path, HEADER).values.shape == (0, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + "1,red\n", r"must have 3 values. Got 2 at small.arff, line 8"),
        (HEADER + "1,green,2\n", r"must be one of .* Got 'green'"),
        (HEADER + "one,red,2\n", r"must be a number. Got 'one'"),
        (HEADER + "{3 1}\n", r"position must be below 3. Got 3"),
        (HEADER + "{0 1}, {5}\n", r"sparse row must be .* Got '}, {5'"),
        ("@attribute when date\n@data\n", r"must be nominal or one of .* Got 'date'"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(tmp_path, text)
