"""The form of a task in which every row has exactly one class."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ClassificationData:
    """A single-label task with its train/test split.

    Attributes:
        name: the name of the data set.
        train_x, test_x: float32 features `(rows, ...)`, neither centred nor scaled.
        train_y, test_y: int64 class indices `(rows,)`.
        classes: the names of the classes, in the order of their indices.
    """

    name: str
    train_x: NDArray[np.float32]
    train_y: NDArray[np.int64]
    test_x: NDArray[np.float32]
    test_y: NDArray[np.int64]
    classes: tuple[str, ...]
