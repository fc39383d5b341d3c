"""Linear classifiers, their rows, and the losses they are trained for or by.

The task losses, error and F1, have no gradient of use. The surrogates put probabilities in the
place of decisions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from scispaces.datasets import load_breast_cancer_rows, load_digits
from scispaces.losses import smooth_accuracy_loss, soft_f1_loss

OUTLIERS = 0.12
DISTANCE = 6.0
TOY_ROWS = 400
TEST_ROWS = 4000


@dataclass(frozen=True)
class Rows:
    """Features `(rows, features)`, a constant one last, and classes `(rows,)`."""

    x: Tensor
    y: Tensor


@dataclass(frozen=True)
class Task:
    """Training and validation rows, contaminated alike where outliers are asked for; clean test."""

    train: Rows
    valid: Rows
    test: Rows
    classes: int


@cache
def _load(base: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    if base == "breast-cancer":
        data = load_breast_cancer_rows()
        return data.features(np.arange(len(data.positives))).astype(float), data.positives.astype(
            np.int64
        )
    digits = load_digits()
    x = np.concatenate([digits.train_x, digits.test_x])
    return x.reshape(len(x), -1).astype(float), np.concatenate([digits.train_y, digits.test_y])


def toy_rows(seed: int, rows: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Two round clouds in the plane, of equal size in expectation, their means 2.8 apart."""
    generator = np.random.default_rng(seed)
    y = generator.integers(2, size=rows)
    return generator.normal(size=(rows, 2)) + np.where(y[:, None] == 1, 1.0, -1.0), y


def lay_out(data_set: str, seed: int) -> Task:
    """The rows of one repetition.

    Args:
        data_set: toy, breast-cancer or digits; with "-outliers" behind it 12 % of the rows of
            training and validation are replaced by six times a row of another class.
        seed: of the split (half for training, a quarter each for validation and test; the toy
            has 400 rows for training and validation together and 4,000 for the test) and of the
            outliers.
    """
    base = data_set.removesuffix("-outliers")
    generator = np.random.default_rng(seed)
    if base == "toy":
        x, y = toy_rows(seed, TOY_ROWS + TEST_ROWS)
        ends = TOY_ROWS * 2 // 3, TOY_ROWS
    else:
        x, y = _load(base)
        order = generator.permutation(len(x))
        x, y = x[order], y[order]
        ends = len(x) // 2, len(x) * 3 // 4
    x = x - x[: ends[0]].mean(0)
    x = x / np.maximum(x[: ends[0]].std(0), 1e-3) / np.sqrt(x.shape[1])
    if data_set.endswith("-outliers"):
        x[: ends[1]] = _with_outliers(x[: ends[1]], y[: ends[1]], generator)
    x = np.column_stack([x, np.ones(len(x))])
    train, valid, test = (
        Rows(torch.from_numpy(features).float(), torch.from_numpy(classes))
        for features, classes in zip(np.split(x, ends), np.split(y, ends), strict=True)
    )
    return Task(train, valid, test, int(y.max()) + 1)


def _with_outliers(
    x: NDArray[np.float64], y: NDArray[np.int64], generator: np.random.Generator
) -> NDArray[np.float64]:
    moved = x.copy()
    for at in generator.choice(len(x), round(OUTLIERS * len(x)), replace=False):
        moved[at] = DISTANCE * x[generator.choice(np.flatnonzero(y != y[at]))]
    return moved


def decisions(weights: Tensor, rows: Rows) -> Tensor:
    """The class of each row; with one column of weights, whether its score is above 0."""
    scores = rows.x @ weights
    return scores.argmax(1) if scores.shape[1] > 1 else (scores[:, 0] > 0).long()


def error(decided: Tensor, rows: Rows) -> float:
    """Share of wrong decisions."""
    return (decided != rows.y).double().mean().item()


def f1_loss(decided: Tensor, rows: Rows) -> float:
    """One minus F1 of class 1 of two, or minus the mean F1 of more classes.

    Of a class that neither occurs nor is decided F1 is 1.
    """
    classes = int(rows.y.max()) + 1
    table = torch.bincount(rows.y * classes + decided, minlength=classes**2).view(classes, -1)
    both, total = table.diagonal().double(), (table.sum(0) + table.sum(1)).double()
    scores = torch.where(total > 0, 2 * both / total.clamp(min=1), 1.0)
    return 1 - scores[-1 if classes == 2 else slice(None)].mean().item()


TASK_LOSSES: Mapping[str, Callable[[Tensor, Rows], float]] = {"error": error, "f1": f1_loss}


def cross_entropy(weights: Tensor, rows: Rows) -> Tensor:
    """Mean cross-entropy, of the sigmoid for two classes."""
    scores = rows.x @ weights
    if scores.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(scores[:, 0], rows.y.to(scores.dtype))
    return F.cross_entropy(scores, rows.y)


def smooth_error(weights: Tensor, rows: Rows) -> Tensor:
    """Mean probability of the wrong classes."""
    scores = rows.x @ weights
    if scores.shape[1] == 1:
        return smooth_accuracy_loss(scores, rows.y[:, None])
    return 1 - scores.softmax(1).gather(1, rows.y[:, None]).mean()


def soft_f1(weights: Tensor, rows: Rows) -> Tensor:
    """F1 loss with probabilities in place of decisions, each class against the rest."""
    scores = rows.x @ weights
    if scores.shape[1] == 1:
        return soft_f1_loss(scores, rows.y[:, None], average="macro")
    # The sigmoid of the log-odds is the probability.
    odds = scores.softmax(1).logit(eps=1e-6)
    return soft_f1_loss(odds, F.one_hot(rows.y, scores.shape[1]), average="macro")


SURROGATES: Mapping[str, Callable[[Tensor, Rows], Tensor]] = {
    "error": smooth_error,
    "f1": soft_f1,
}
