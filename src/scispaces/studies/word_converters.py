"""Ways to change word vectors before they are compared, borrowed from work on sentence vectors.

1. J. Mu, P. Viswanath: All-but-the-top, ICLR 2018.
2. S. Arora, Y. Liang, T. Ma: A simple but tough-to-beat baseline for sentence embeddings, ICLR
   2017.
3. T. Liu, L. Ungar, J. Sedoc: Unsupervised post-processing of word vectors via conceptor negation,
   AAAI 2019.
4. S. Yokoi et al.: Word rotator's distance, EMNLP 2020, section 6.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


def unit_lengths(vectors: Vectors) -> Vectors:
    """Vectors divided by their lengths; a vector of zeros stays one.

    Example:
        >>> unit_lengths(np.array([[3.0, 4.0], [0.0, 0.0]], np.float32)).tolist()
        [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def without_directions(vectors: Vectors, directions: NDArray[np.float64]) -> Vectors:
    """Vectors less their parts along orthonormal `directions`, shape (directions, dimensions)."""
    return (vectors - (vectors @ directions.T) @ directions).astype(np.float32)


def all_but_the_top(vectors: Vectors, removed: int | None = None) -> Vectors:
    """Subtract the mean of the table and its strongest directions [1].

    Args:
        vectors: the table, (words, dimensions).
        removed: how many directions; a hundredth of the dimensions, at least one, if none.
    """
    centred = vectors.astype(np.float64) - vectors.mean(0, dtype=np.float64)
    _, basis = np.linalg.eigh(centred.T @ centred)
    count = max(1, vectors.shape[1] // 100) if removed is None else removed
    return without_directions(centred.astype(np.float32), basis[:, ::-1][:, :count].T)


def conceptor_negation(vectors: Vectors, aperture: float = 2.0) -> Vectors:
    """Damp every direction the more, the stronger the table is along it [3].

    With R the mean of the outer products of the vectors, a vector is multiplied by
    I − R (R + α⁻² I)⁻¹, α being the aperture.
    """
    table = vectors.astype(np.float64)
    correlation = table.T @ table / len(table)
    strengths, basis = np.linalg.eigh(correlation)
    kept = 1 - strengths / (strengths + aperture**-2)
    return ((table @ basis) * kept @ basis.T).astype(np.float32)


def sif_weights(
    words: Sequence[str], counts: Mapping[str, int], a: float = 1e-3
) -> NDArray[np.float64]:
    """a/(a + p(w)) with p the frequency of a word in running text [2]; 1 for words never counted.

    Example:
        >>> sif_weights(["the", "sea"], {"the": 999, "sea": 1}).round(4).tolist()
        [0.001, 0.5]
    """
    total = sum(counts.values())
    return np.array([a / (a + counts.get(word, 0) / total) for word in words])


def first_direction(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The strongest direction of some rows, not centred, shape (1, dimensions) [2]."""
    _, basis = np.linalg.eigh(rows.T @ rows)
    return basis[:, -1:].T
