"""Single-label tasks with rare classes, laid out for several seeds.

Classes are renumbered for every seed from the most to the least frequent in training, so one
vector of counts serves all seeds and class 0 is always the head. In the made long tails a seed
also decides which class is how frequent (`shuffled_classes`), so that rarity and difficulty of a
class are not confounded; in the natural ones the frequencies are what they are.

A fifth of the training rows, but no more than 3,000, is held out for validation, in every class
alike: at least one row of a class that has two, none of a class that has one. Balanced error on
validation rows is the mean over the classes that have any; where a class has one or two such rows
its error is 0, 1/2 or 1, and the choice among configurations is as noisy as that makes it, for
every method alike.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scispaces.datasets import (
    ClassificationData,
    load_digits,
    load_fashion_mnist,
    load_goemotions_single,
    load_mnist,
    load_reuters_r52,
    long_tail_counts,
    long_tail_rows,
    shuffled_classes,
)

VALIDATION_SHARE = 0.2
MOST_VALIDATION_ROWS = 3000


@dataclass(frozen=True)
class Source:
    """Where a task comes from.

    Attributes:
        load: the data.
        largest, ratio: the long tail to make of it (exponential), or None for a natural one.
    """

    load: Callable[[], ClassificationData]
    largest: int | None = None
    ratio: float | None = None


# The rarest of the ten digits has 5,421 training images in MNIST and 120 in the bundled digits.
SOURCES = {
    "digits-lt-10": Source(load_digits, 120, 10),
    "digits-lt-100": Source(load_digits, 120, 100),
    "fashion-mnist-lt-10": Source(load_fashion_mnist, 6000, 10),
    "fashion-mnist-lt-100": Source(load_fashion_mnist, 6000, 100),
    "mnist-lt-10": Source(load_mnist, 5400, 10),
    "mnist-lt-100": Source(load_mnist, 5400, 100),
    "reuters-r52": Source(load_reuters_r52),
    "goemotions-single": Source(load_goemotions_single),
}


@dataclass(frozen=True)
class LongTail:
    """A task for several seeds.

    Attributes:
        x: features of all rows that a seed may train on, `(rows, features)`.
        y: their classes, 0 the most frequent, `(seeds, rows)`.
        train, held_out: the training and the validation rows, `(seeds, n)`.
        test_x: features of the test rows.
        test_y: their classes, `(seeds, test rows)`.
        counts: training rows of each class, `(classes,)`.
        natural: weight of each test row such that the classes are as frequent as in training,
            `(seeds, test rows)`, sum 1. Equal weights where the test has the natural frequencies.
    """

    x: Tensor
    y: Tensor
    train: NDArray[np.int64]
    held_out: NDArray[np.int64]
    test_x: Tensor
    test_y: Tensor
    counts: Tensor
    natural: Tensor

    @property
    def prior(self) -> Tensor:
        """Share of each class in the training rows."""
        return self.counts / self.counts.sum()


@cache
def load(data_set: str) -> ClassificationData:
    """The data behind a name of `SOURCES`, read once per process."""
    return SOURCES[data_set].load()


def split_rows(
    rows: NDArray[np.int64], targets: NDArray[np.int64], seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Training and validation rows, with the same share of validation rows in every class.

    Args:
        rows: the rows to divide.
        targets: the classes of all rows, indexed by `rows`.
        seed: of the choice.
    """
    share = min(VALIDATION_SHARE, MOST_VALIDATION_ROWS / len(rows))
    generator = np.random.default_rng([seed, 0])
    held_out = []
    for name in np.unique(targets[rows]):
        own = generator.permutation(rows[targets[rows] == name])
        wanted = max(1, round(share * len(own))) if len(own) > 1 else 0
        held_out.append(own[:wanted])
    chosen = np.sort(np.concatenate(held_out))
    return np.setdiff1d(rows, chosen), chosen


def _ranked(data: ClassificationData, source: Source, seed: int) -> list[NDArray[np.int64]]:
    """Training classes and test classes, 0 the most frequent, and the rows that remain."""
    if source.largest is None or source.ratio is None:
        frequency = np.bincount(data.train_y)
        rank = np.argsort(np.argsort(-frequency, kind="stable"))
        return [rank[data.train_y], rank[data.test_y], np.arange(len(data.train_y))]
    classes = len(data.classes)
    renamed = [
        shuffled_classes(part, classes, seed=[seed, 2]) for part in (data.train_y, data.test_y)
    ]
    counts = long_tail_counts(source.largest, source.ratio, classes)
    return [*renamed, long_tail_rows(renamed[0], counts, seed=[seed, 3])]


def _test_weights(targets: NDArray[np.int64], source: Source, prior: Tensor) -> Tensor:
    if source.ratio is None:
        return torch.full((len(targets),), 1 / len(targets))
    own = torch.from_numpy(np.bincount(targets, minlength=len(prior)))
    return (prior / own)[torch.from_numpy(targets)]


def features(data: ClassificationData, *, standardised: bool) -> tuple[Tensor, Tensor]:
    """Training and test rows as vectors, in the unit that the models expect.

    Args:
        data: as loaded.
        standardised: all features shifted and scaled by one number each, to mean 0 and variance
            1 over all training rows and pixels; otherwise scaled alone, to a mean absolute sum of
            1 in a training row, which keeps zeros.
    """
    train, test = (torch.from_numpy(part).flatten(1) for part in (data.train_x, data.test_x))
    if standardised:
        deviation, mean = torch.std_mean(train)
        return (train - mean) / deviation, (test - mean) / deviation
    unit = train.abs().sum(1).mean()
    return train / unit, test / unit


def lay_out(
    data_set: str, seeds: Sequence[int], *, standardised: bool = False, device: str = "cpu"
) -> LongTail:
    """Choose, rank and split the rows of a data set for every seed.

    Args:
        data_set: a key of `SOURCES`.
        seeds: each decides which class is how frequent, which rows remain and the split.
        standardised: see `features`.
        device: of the tensors.

    Example:
        >>> task = lay_out("digits-lt-10", seeds=[0, 1])
        >>> task.counts.int().tolist()
        [96, 74, 57, 44, 34, 26, 20, 16, 12, 10]
    """
    data, source = load(data_set), SOURCES[data_set]
    ranked = [_ranked(data, source, seed) for seed in seeds]
    splits = [split_rows(rows, y, seed) for (y, _, rows), seed in zip(ranked, seeds, strict=True)]
    counts = torch.from_numpy(np.bincount(ranked[0][0][splits[0][0]])).float()
    x, test_x = (part.to(device) for part in features(data, standardised=standardised))
    weights = [_test_weights(test_y, source, counts / counts.sum()) for _, test_y, _ in ranked]
    return LongTail(
        x=x,
        y=torch.from_numpy(np.stack([y for y, _, _ in ranked])).to(device),
        train=np.stack([rows for rows, _ in splits]),
        held_out=np.stack([rows for _, rows in splits]),
        test_x=test_x,
        test_y=torch.from_numpy(np.stack([test_y for _, test_y, _ in ranked])).to(device),
        counts=counts.to(device),
        natural=torch.stack(weights).float().to(device),
    )


def class_average_weights(targets: Tensor, classes: int) -> Tensor:
    """Weights of rows with which a mean over rows is the mean over the classes present.

    Args:
        targets: `(seeds, rows)`.
        classes: their number.

    Returns:
        `(seeds, rows)`, sum 1 for every seed.

    Example:
        >>> class_average_weights(torch.tensor([[0, 0, 2]]), classes=3).tolist()
        [[0.25, 0.25, 0.5]]
    """
    own = torch.nn.functional.one_hot(targets, classes).sum(1)
    return 1 / (own.gather(1, targets) * (own > 0).sum(1, keepdim=True))
