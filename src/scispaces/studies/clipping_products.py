r"""Races on two small networks without nonlinearity, all settings of a method side by side.

- product: four numbers, f(w) = (w1 w2 w3 w4 - 1)^2 / 2;
- matrices: two 3 × 3 matrices, f(V, W) = |V W - A|^2 / 2 with a fixed A.

Neither is (L0, L1)-smooth everywhere: where the product is right the gradient is 0, and the Hessian
grows without bound with the imbalance of the factors. Constants that hold everywhere do not exist,
so every method gets the same number of settings to choose from: gd (fixed step), hard and soft
clipping (step and threshold), normalised (fixed length) and normalised_falling (length over the
square root of the step's number). Armijo's line search has nothing to choose.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from scispaces.studies.clipping_races import count_armijo

Row = dict[str, Any]
Vectors = NDArray[np.float64]

SCALES = (1.0, 2.0, 3.0, 5.0)
METHODS = ("gd", "hard", "soft", "normalised", "normalised_falling")
SETTINGS = 36
STEPS = tuple(10 ** (0.5 - number / 7) for number in range(SETTINGS))
# Six steps and six thresholds, both over as many powers of ten as they need.
CLIPPED_STEPS = tuple(10 ** (-number / 2) for number in range(6))
THRESHOLDS = tuple(10 ** (1 - number / 2) for number in range(6))
TARGET = np.array([[1.0, 0.3, 0.0], [-0.2, 0.8, 0.1], [0.0, 0.4, -0.6]])


@dataclass(frozen=True)
class Network:
    """A loss of a vector of weights.

    Attributes:
        value, gradient: of many vectors at once, `(rows, weights)`.
        loss: the same of one vector, in torch.
        direction: the start at scale 1.
    """

    value: Callable[[Vectors], Vectors]
    gradient: Callable[[Vectors], Vectors]
    loss: Callable[[Tensor], Tensor]
    direction: Vectors


def _product_gradient(w: Vectors) -> Vectors:
    ones = np.ones_like(w[:, :1])
    before = np.cumprod(np.concatenate([ones, w[:, :-1]], axis=1), axis=1)
    after = np.cumprod(np.concatenate([ones, w[:, :0:-1]], axis=1), axis=1)[:, ::-1]
    return (w.prod(axis=1, keepdims=True) - 1) * before * after


def _factors(w: Vectors) -> tuple[Vectors, Vectors, Vectors]:
    left, right = w.reshape(-1, 2, *TARGET.shape).transpose(1, 0, 2, 3)
    return left, right, left @ right - TARGET


def _matrices_gradient(w: Vectors) -> Vectors:
    left, right, error = _factors(w)
    both = [error @ right.transpose(0, 2, 1), left.transpose(0, 2, 1) @ error]
    return np.stack(both, axis=1).reshape(len(w), -1)


def _matrices_loss(w: Tensor) -> Tensor:
    left, right = w.view(2, *TARGET.shape)
    return (left @ right - w.new_tensor(TARGET)).square().sum() / 2


NETWORKS = {
    "product": Network(
        lambda w: (w.prod(axis=1) - 1) ** 2 / 2,
        _product_gradient,
        lambda w: (w.prod() - 1) ** 2 / 2,
        np.array([0.7, 0.9, 1.1, 1.3]),
    ),
    "matrices": Network(
        lambda w: (_factors(w)[2] ** 2).sum(axis=(1, 2)) / 2,
        _matrices_gradient,
        _matrices_loss,
        np.random.default_rng(0).standard_normal(2 * TARGET.size),
    ),
}


def settings(method: str) -> list[tuple[float, float]]:
    """The settings of a method, as many for each: (step or length, threshold or infinity).

    Example:
        >>> len(settings("gd")), len(settings("hard"))
        (36, 36)
    """
    if method in ("hard", "soft"):
        return [(step, threshold) for step in CLIPPED_STEPS for threshold in THRESHOLDS]
    return [(step, math.inf) for step in STEPS]


def factors(
    method: str, sizes: Vectors, steps: Vectors, thresholds: Vectors, number: int
) -> Vectors:
    """What the gradients are multiplied with in a step, counted from 1."""
    if method == "gd":
        return steps
    if method == "hard":
        return steps * (thresholds / np.maximum(sizes, thresholds))
    if method == "soft":
        return steps * (1 / (1 + sizes / thresholds))
    falling = math.sqrt(number) if method == "normalised_falling" else 1.0
    return steps / (sizes * falling)


def count_all(
    network: Network,
    method: str,
    chosen: Sequence[tuple[float, float]],
    scale: float,
    tolerance: float,
    limit: int,
) -> list[int | None]:
    """Steps of a method to a gradient of the tolerance, for each setting; None beyond the limit."""
    steps, thresholds = np.array(chosen).T
    weights = np.tile(scale * network.direction, (len(chosen), 1))
    counts: list[int | None] = [None] * len(chosen)
    alive = np.arange(len(chosen))
    with np.errstate(over="ignore", invalid="ignore"):
        for number in range(limit + 1):
            gradients = network.gradient(weights)
            sizes = np.sqrt((gradients**2).sum(axis=1))
            done = sizes <= tolerance
            for at in alive[done]:
                counts[at] = number
            # What has diverged is not followed further.
            going = ~done & np.isfinite(sizes)
            if not going.any():
                break
            alive, weights, gradients = alive[going], weights[going], gradients[going]
            change = factors(method, sizes[going], steps[alive], thresholds[alive], number + 1)
            weights = weights - change[:, None] * gradients
    return counts


def race(
    name: str,
    scales: Sequence[float] = SCALES,
    tolerance: float = 1e-6,
    limit: int = 2000,
) -> list[Row]:
    """Count the steps of every method with each of its settings from starts of several scales.

    Args:
        name: a key of `NETWORKS`.
        scales: what the start is multiplied with.
        tolerance: length of the gradient at which to end.
        limit: give up after so many steps.

    Returns:
        One row each: network, method, scale, setting (its number), step, threshold, steps (None
        beyond the limit or diverged), evaluations (of f; armijo only).
    """
    network, rows = NETWORKS[name], []
    for method in METHODS:
        chosen = settings(method)
        for scale in scales:
            counts = count_all(network, method, chosen, scale, tolerance, limit)
            rows += [
                _row(name, method, scale, at, *setting, counts[at])
                for at, setting in enumerate(chosen)
            ]
    for scale in scales:
        steps, evaluations = count_armijo(
            lambda w: float(network.value(w)[0]),
            network.gradient,
            scale * network.direction[None],
            tolerance,
            limit,
            size=lambda g: float(np.sqrt((g**2).sum())),
        )
        row = _row(name, "armijo", scale, 0, None, None, steps)
        rows.append(row | {"evaluations": evaluations})
    return rows


def _row(
    name: str,
    method: str,
    scale: float,
    setting: int,
    step: float | None,
    threshold: float | None,
    steps: int | None,
) -> Row:
    return {
        "network": name,
        "method": method,
        "scale": scale,
        "setting": setting,
        "step": step,
        "threshold": None if threshold == math.inf else threshold,
        "steps": steps,
        "evaluations": None,
    }


def fewest_steps(rows: Sequence[Row], method: str, scale: float) -> Row | None:
    """The row of the method's best setting for the scale; None if no setting arrives."""
    found = [row for row in rows if (row["method"], row["scale"]) == (method, scale)]
    arrived = [row for row in found if row["steps"] is not None]
    return min(arrived, key=lambda row: row["steps"], default=None)


def one_setting_for_all(rows: Sequence[Row], method: str) -> list[Row] | None:
    """The rows of the setting whose largest number of steps over the scales is the smallest.

    Returns:
        Its row for every scale, or None if no setting arrives from every scale.
    """
    by_setting: dict[int, list[Row]] = {}
    for row in rows:
        if row["method"] == method:
            by_setting.setdefault(row["setting"], []).append(row)
    arriving = [
        found for found in by_setting.values() if all(row["steps"] is not None for row in found)
    ]
    return min(arriving, key=lambda found: max(row["steps"] for row in found), default=None)
