"""Small tasks with flipped labels, laid out for several seeds (chapter `flooding`).

Three synthetic tasks with two classes follow the public code of Ishida et al., except that a rate
of flips is a rate in all of them (two of that code's four noisy generators flip a single label):

- gaussians: ten features, N(0, I) against N((1, …, 1), I), equally many rows of each;
- sinusoid: two features, uniform in the disc of radius 2, class 1 where
  1.5 x₁ + sin(1.5 x₂) > 0;
- spiral: two features, two arms θ (cos θ, sin θ) and (θ + π) (cos θ, sin θ) with θ equally spaced
  in [0, 4π], plus standard normal noise; equally many rows of each arm.

The real ones are drawn from scikit-learn's digits, MNIST and Fashion-MNIST, the images of the last
two reduced to 14 x 14 by the mean over blocks of 2 x 2 pixels.

The labels of training and validation rows are flipped: a method is chosen on what a user has. The
test rows have their true labels, to judge what a user wants, and flipped ones beside them: a
probability that is right for flipped labels is too cautious for true ones, so calibration is
judged by both. A rate p flips exactly round(p n) of n labels, each to one of the other classes at
random.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from scispaces.datasets import (
    ClassificationData,
    load_digits,
    load_fashion_mnist,
    load_mnist,
)

RADIUS = 2.0
WAVE = 1.5
TURNS = 4 * math.pi
GAUSSIAN_FEATURES = 10


@dataclass(frozen=True)
class Sizes:
    """How many rows a seed draws."""

    train: int
    held_out: int
    test: int


SYNTHETIC_SIZES = Sizes(train=100, held_out=100, test=1000)
REAL_SIZES = {
    "digits": Sizes(train=800, held_out=400, test=540),
    "mnist": Sizes(train=1000, held_out=500, test=1000),
    "fashion-mnist": Sizes(train=1000, held_out=500, test=1000),
}
LOADERS: dict[str, Callable[[], ClassificationData]] = {
    "digits": load_digits,
    "mnist": load_mnist,
    "fashion-mnist": load_fashion_mnist,
}


@dataclass(frozen=True)
class NoisyTask:
    """A task for several seeds; the features are rows of a matrix, the examples its columns.

    Attributes:
        x, y: what to train on, `(seeds, features, n)` and `(seeds, n)`, labels flipped.
        clean_y: the labels of these rows before the flips.
        held_x, held_y: for choosing, labels flipped at the same rate.
        test_x, test_y: for judging, no label flipped.
        test_noisy_y: the labels of these rows, flipped at the same rate.
        classes: their number.
    """

    x: Tensor
    y: Tensor
    clean_y: Tensor
    held_x: Tensor
    held_y: Tensor
    test_x: Tensor
    test_y: Tensor
    test_noisy_y: Tensor
    classes: int


def noise_floor(rate: float, classes: int) -> float:
    """Cross-entropy in nats of the flips alone: −(1−p) log(1−p) − p log(p / (classes − 1)).

    With exactly a share p of flipped labels it is also the training loss of the model that gives
    the right class 1 − p and every other class the same rest.

    Example:
        >>> round(noise_floor(0.1, 2), 4), round(noise_floor(0.1, 10), 4), noise_floor(0, 2)
        (0.3251, 0.5448, 0.0)
    """
    if not 0 <= rate < 1:
        raise ValueError(f"`rate` must be at least 0 and below 1. Got {rate:g}.")
    if rate == 0:
        return 0.0
    return -(1 - rate) * math.log(1 - rate) - rate * math.log(rate / (classes - 1))


def flip(labels: Tensor, classes: int, rate: float, generator: torch.Generator) -> Tensor:
    """A copy of labels `(n,)` in which exactly round(rate n) have become another class.

    Example:
        >>> clean = torch.zeros(50, dtype=torch.long)
        >>> int((flip(clean, 3, 0.1, torch.Generator().manual_seed(0)) != clean).sum())
        5
    """
    chosen = torch.randperm(len(labels), generator=generator)[: round(rate * len(labels))]
    shift = torch.randint(1, classes, (len(chosen),), generator=generator)
    flipped = labels.clone()
    flipped[chosen] = (labels[chosen] + shift) % classes
    return flipped


def gaussians(rows: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Features `(10, rows)` and classes of the two Gaussians."""
    y = torch.arange(rows) % 2
    return torch.randn(GAUSSIAN_FEATURES, rows, generator=generator) + y, y


def sinusoid(rows: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Features `(2, rows)` and classes of the sinusoid."""
    radius = RADIUS * torch.rand(rows, generator=generator).sqrt()
    angle = 2 * math.pi * torch.rand(rows, generator=generator)
    x = radius * torch.stack([angle.cos(), angle.sin()])
    return x, (WAVE * x[0] + (WAVE * x[1]).sin() > 0).long()


def spiral(rows: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Features `(2, rows)` and classes of the spiral."""
    angle = torch.linspace(0, TURNS, rows // 2).repeat_interleave(2)
    y = torch.arange(len(angle)) % 2
    x = (angle + math.pi * (1 - y)) * torch.stack([angle.cos(), angle.sin()])
    return x + torch.randn(x.shape, generator=generator), y


SYNTHETIC = {"gaussians": gaussians, "sinusoid": sinusoid, "spiral": spiral}
DATA_SETS = (*SYNTHETIC, *LOADERS)


def load(data_set: str) -> ClassificationData | None:
    """What a real data set reads, None for a synthetic one."""
    return LOADERS[data_set]() if data_set in LOADERS else None


def _columns(images: Tensor) -> Tensor:
    """Images as columns of features, of 14 x 14 pixels where they have 28 x 28."""
    if images.shape[-1] == 28:
        images = torch.nn.functional.avg_pool2d(images.unsqueeze(1), 2).squeeze(1)
    return images.flatten(1).T


def _synthetic(data_set: str, seed: int) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    sizes = (SYNTHETIC_SIZES.train, SYNTHETIC_SIZES.held_out, SYNTHETIC_SIZES.test)
    return [SYNTHETIC[data_set](rows, generator) for rows in sizes]


def _real(data_set: str, seed: int) -> list[tuple[Tensor, Tensor]]:
    data, sizes = LOADERS[data_set](), REAL_SIZES[data_set]
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(data.train_y), generator=generator)
    own = [order[: sizes.train], order[sizes.train : sizes.train + sizes.held_out]]
    train = [(data.train_x[rows.numpy()], data.train_y[rows.numpy()]) for rows in own]
    rows = torch.randperm(len(data.test_y), generator=generator)[: sizes.test].numpy()
    parts = [*train, (data.test_x[rows], data.test_y[rows])]
    made = [(_columns(torch.from_numpy(x)), torch.from_numpy(y)) for x, y in parts]
    deviation, mean = torch.std_mean(made[0][0])
    return [((x - mean) / deviation, y) for x, y in made]


def lay_out(data_set: str, rate: float, seeds: Sequence[int]) -> NoisyTask:
    """Draw the rows of a data set for every seed and flip their labels.

    Args:
        data_set: one of `DATA_SETS`.
        rate: share of flipped labels in training and validation rows.
        seeds: each decides the rows and the flips.

    Raises:
        ValueError: for another data set.
        DataUnavailableError: the files of a real one are not here and cannot be downloaded.

    Example:
        >>> task = lay_out("sinusoid", 0.1, seeds=[0, 1])
        >>> task.x.shape, task.test_y.shape, task.classes
        (torch.Size([2, 2, 100]), torch.Size([2, 1000]), 2)
    """
    if data_set not in DATA_SETS:
        raise ValueError(f"`data_set` must be one of {', '.join(DATA_SETS)}. Got {data_set!r}.")
    draw = _synthetic if data_set in SYNTHETIC else _real
    classes = 2 if data_set in SYNTHETIC else 10
    rows: dict[str, list[Tensor]] = {}
    for seed in seeds:
        (x, y), (held_x, held_y), (test_x, test_y) = draw(data_set, seed)
        generator = torch.Generator().manual_seed(10_000 + seed)
        parts = {
            "x": x,
            "y": flip(y, classes, rate, generator),
            "clean_y": y,
            "held_x": held_x,
            "held_y": flip(held_y, classes, rate, generator),
            "test_x": test_x,
            "test_y": test_y,
            "test_noisy_y": flip(test_y, classes, rate, generator),
        }
        for name, part in parts.items():
            rows.setdefault(name, []).append(part)
    return NoisyTask(**{name: torch.stack(parts) for name, parts in rows.items()}, classes=classes)
