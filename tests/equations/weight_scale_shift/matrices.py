"""What the formulas take for granted: products and norms of matrices, given as lists of rows."""

from typing import Any

import mpmath
from tests.equations.arithmetic import sqrt


def frobenius(matrix: Any) -> Any:
    """Square root of the sum of all squared entries."""
    return sqrt(sum(entry**2 for row in matrix for entry in row))


def spectral(matrix: Any) -> Any:
    """The largest singular value."""
    values = mpmath.svd_r(mpmath.matrix(matrix), compute_uv=False)
    return max(values[i] for i in range(len(values)))


def length(vector: Any) -> Any:
    """Euclidean norm of a vector."""
    return sqrt(sum(entry**2 for entry in vector))


def inner(first: Any, second: Any) -> Any:
    """Sum of the products of entries in the same place."""
    return sum(
        a * b
        for row, other in zip(first, second, strict=True)
        for a, b in zip(row, other, strict=True)
    )


def apply(matrix: Any, vector: Any) -> list[Any]:
    """Matrix times vector."""
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def multiply(*matrices: Any) -> Any:
    """The product of matrices, the first leftmost."""
    result = matrices[0]
    for other in matrices[1:]:
        columns = list(zip(*other, strict=True))
        result = [apply(columns, row) for row in result]
    return result


def scale(factor: Any, matrix: Any) -> Any:
    """Factor times matrix."""
    return [[factor * entry for entry in row] for row in matrix]


def add(first: Any, second: Any) -> Any:
    """The sum of two matrices."""
    return [
        [a + b for a, b in zip(row, other, strict=True)]
        for row, other in zip(first, second, strict=True)
    ]


def identity(size: int) -> list[list[int]]:
    """Ones on the diagonal."""
    return [[int(i == j) for j in range(size)] for i in range(size)]
