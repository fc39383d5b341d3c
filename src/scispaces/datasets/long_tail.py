"""Long tails made from balanced data: how many rows of each class remain, and which."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Profile = Literal["exponential", "step"]


def long_tail_counts(
    largest: int, ratio: float, classes: int, profile: Profile = "exponential"
) -> tuple[int, ...]:
    """Rows of each class in a long tail, from the most to the least frequent class.

    `exponential`: largest · ratio^(−k / (classes − 1)), rounded down, for k = 0, …, classes − 1.
    `step`: the first half of the classes keeps the largest number, the others have
    largest / ratio, rounded down; with an odd number of classes the middle one is frequent.

    Args:
        largest: rows of the most frequent class.
        ratio: how many times more frequent the first class is than the last, at least 1.
        classes: number of classes, at least 2.
        profile: exponential or step.

    Returns:
        The counts, none below 1.

    Raises:
        ValueError: an argument outside its range, or a class would have no row.

    Example:
        >>> long_tail_counts(5000, 100, 10)
        (5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50)
        >>> long_tail_counts(5000, 100, 4, "step")
        (5000, 5000, 50, 50)

    Reference:
        [1] K. Cao, C. Wei, A. Gaidon, N. Arechiga, T. Ma, "Learning imbalanced datasets with
        label-distribution-aware margin loss", NeurIPS (2019), section 4.
    """
    if ratio < 1:
        raise ValueError(f"`ratio` must be at least 1. Got {ratio}.")
    if classes < 2:
        raise ValueError(f"`classes` must be at least 2. Got {classes}.")
    if profile == "exponential":
        exponents = [position / (classes - 1) for position in range(classes)]
    elif profile == "step":
        exponents = [float(2 * position >= classes + classes % 2) for position in range(classes)]
    else:
        raise ValueError(f"`profile` must be exponential or step. Got {profile!r}.")
    # A whole number can come out a rounding error too small.
    counts = tuple(int(largest * ratio**-exponent + 1e-6) for exponent in exponents)
    if counts[-1] < 1:
        raise ValueError(f"`largest` must be at least `ratio`. Got {largest} and {ratio}.")
    return counts


def long_tail_rows(
    targets: NDArray[np.int64], counts: Sequence[int], seed: int | Sequence[int]
) -> NDArray[np.int64]:
    """Rows that make a long tail of a data set, in rising order.

    Args:
        targets: class of each row, `(rows,)`.
        counts: how many rows of class 0, 1, … to keep. Which class is frequent is thus the
            caller's choice: for the published sets class 0 is; see `shuffled_classes`.
        seed: of the choice of rows within a class.

    Raises:
        ValueError: a class has fewer rows than wanted.

    Example:
        >>> long_tail_rows(np.array([0, 0, 1, 1, 1]), [2, 1], seed=0).tolist()
        [0, 1, 4]
    """
    generator = np.random.default_rng(seed)
    chosen = []
    for name, count in enumerate(counts):
        rows = np.flatnonzero(targets == name)
        if len(rows) < count:
            raise ValueError(
                f"`counts` must not exceed the rows of a class. "
                f"Got {count} for class {name}, which has {len(rows)}."
            )
        chosen.append(generator.permutation(rows)[:count])
    return np.sort(np.concatenate(chosen))


def shuffled_classes(
    targets: NDArray[np.int64], classes: int, seed: int | Sequence[int]
) -> NDArray[np.int64]:
    """The targets after a random renaming of the classes.

    In a long tail whose head is always the same class, how rare a class is and how hard it is
    cannot be told apart. With another renaming for every seed they can.

    Args:
        targets: class of each row.
        classes: their number.
        seed: of the renaming; the same seed renames any part of a data set alike.

    Example:
        >>> shuffled_classes(np.array([0, 1, 2, 2]), 3, seed=2).tolist()
        [2, 0, 1, 1]
    """
    return np.random.default_rng(seed).permutation(classes)[targets]
