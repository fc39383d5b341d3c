"""The images of the chapter `weight-scale-shift`, split anew for every seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scispaces.datasets import ClassificationData, load_digits, load_fashion_mnist, load_mnist
from scispaces.studies.weight_scale_networks import Architecture, Model

DATA_SETS = {"digits": load_digits, "mnist": load_mnist, "fashion-mnist": load_fashion_mnist}
# Training, validation and test rows of a seed; all test rows where there are fewer.
ROWS = {"digits": (957, 300, 540), "mnist": (2000, 1000, 2000), "fashion-mnist": (2000, 1000, 2000)}


@dataclass(frozen=True)
class Part:
    """Rows of every seed: images `(seeds, rows, pixels)` in [0, 1], classes `(seeds, rows)`."""

    x: Tensor
    y: Tensor

    def first(self, rows: int) -> "Part":
        """The first rows of every seed."""
        return Part(self.x[:, :rows], self.y[:, :rows])

    def repeated(self, copies: int) -> "Part":
        """Every seed that many times, next to each other."""
        return Part(self.x.repeat_interleave(copies, 0), self.y.repeat_interleave(copies, 0))


@dataclass(frozen=True)
class Task:
    """A data set laid out for some seeds and one kind of network.

    Attributes:
        architecture: of the networks.
        seeds: of the splits, of the first weights and of the batches.
        train, validation, test: the rows of each seed, in random order.
    """

    architecture: Architecture
    seeds: tuple[int, ...]
    train: Part
    validation: Part
    test: Part

    def double(self) -> "Task":
        """The same in double precision."""
        parts = [Part(part.x.double(), part.y) for part in (self.train, self.validation, self.test)]
        return Task(self.architecture, self.seeds, *parts)


@cache
def load(data_set: str) -> ClassificationData:
    """The data set, read once per process."""
    return DATA_SETS[data_set]()


def _pixels(images: NDArray[np.float32]) -> Tensor:
    """Images as rows; those of 28 × 28 pixels as means of 2 × 2 pixels, 14 × 14."""
    if images.shape[1] == 28:
        images = images.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))
    return torch.from_numpy(images.reshape(len(images), -1))


def lay_out(data_set: str, model: Model, seeds: Sequence[int], *, width: int = 64) -> Task:
    """Draw the rows of every seed.

    Args:
        data_set: digits, mnist or fashion-mnist.
        model: mlp or cnn.
        seeds: each decides which rows train, validate and test.
        width: units of a hidden layer of the mlp.
    """
    data = load(data_set)
    counts = ROWS[data_set]
    parts: list[list[tuple[Tensor, Tensor]]] = [[], [], []]
    for seed in seeds:
        generator = np.random.default_rng([seed, 1])
        known = generator.permutation(len(data.train_y))
        unseen = generator.permutation(len(data.test_y))[: counts[2]]
        chosen = [known[: counts[0]], known[counts[0] : counts[0] + counts[1]]]
        for part, rows in zip(parts[:2], chosen, strict=True):
            part.append((_pixels(data.train_x[rows]), torch.from_numpy(data.train_y[rows])))
        parts[2].append((_pixels(data.test_x[unseen]), torch.from_numpy(data.test_y[unseen])))
    drawn = [Part(*map(torch.stack, zip(*part, strict=True))) for part in parts]
    side = round(drawn[0].x.shape[2] ** 0.5)
    return Task(Architecture(model, side, width), tuple(seeds), *drawn)
