"""Training from the same function with its scale spread over the layers in different ways.

The first weights are shifted by the factors (c, 1 / c, c, 1 / c), which leaves the function as it
is. A method that did not see the split would learn as from c = 1.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from scispaces.optim import balance_weight_scale_
from scispaces.studies.comparison import Row
from scispaces.studies.weight_scale_data import Task, lay_out
from scispaces.studies.weight_scale_measures import glance
from scispaces.studies.weight_scale_methods import METHODS, Optimiser
from scispaces.studies.weight_scale_networks import Architecture, Weights, squared_norms
from scispaces.studies.weight_scale_training import train

NAMES = (
    "none_sgd",
    "l2_sgd",
    "log_norm_sgd",
    "balanced_sgd",
    "none_adam",
    "l2_adam",
    "adamw",
    "log_norm_adam",
    "balanced_adam",
)
SCALES = (1.0, 2.0, 4.0, 8.0)
STRENGTHS = 5
WIDTH = 32
# Smallest and largest of the learning rates, and how many; shifted starts may want smaller ones.
RATES: dict[Optimiser, tuple[float, float]] = {"sgd": (0.0005, 0.16), "adam": (0.0001, 0.032)}
RATE_VALUES = 6


def shifted_start(architecture: Architecture, seeds: Sequence[int], scale: float) -> Weights:
    """First weights of one network per seed, shifted by (c, 1 / c, c, 1 / c)."""
    start = architecture.start(seeds)
    return [w * (scale if at % 2 == 0 else 1 / scale) for at, w in enumerate(start)]


def balanced(architecture: Architecture, start: Weights) -> Weights:
    """The same functions with all layers of a network of equal norm."""
    networks = []
    for network in range(len(start[0])):
        chain = architecture.chain(start, network)
        balance_weight_scale_(chain)
        networks.append([each.detach().T for each in chain.parameters()])
    return [torch.stack(layers) for layers in zip(*networks, strict=True)]


def excess(weights: Weights) -> Tensor:
    """Sum of squares of each network over what balanced layers would have, `(networks,)`."""
    squares = squared_norms(weights).double()
    return squares.mean(1) / squares.log().mean(1).exp()


def _strength(task: Task, name: str, rate: float, updates: int) -> float:
    """The strength with the best mean validation accuracy from the start that is not shifted."""
    method = METHODS[name]
    grid = method.grid(STRENGTHS)
    weights = train(task, method, grid, rate, updates)
    seen = glance(task.architecture, weights, task.validation.repeated(STRENGTHS), attacked=1)
    means = seen.unflatten(0, (len(task.seeds), STRENGTHS)).mean(0)
    return grid[max(range(STRENGTHS), key=lambda at: (float(means[at, 0]), -float(means[at, 1])))]


def shifted_starts(
    names: Sequence[str] = NAMES,
    scales: Sequence[float] = SCALES,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    *,
    updates: int = 400,
    rate_values: int = RATE_VALUES,
) -> list[Row]:
    """Train from shifted starts with the settings of the plain start, and with new rates.

    Args:
        names: of the methods; before those with a penalty, the one without of their optimiser.
        scales: c of the shifts; 1 must be the first.
        seeds: of the repetitions.
        updates: of each training.
        rate_values: learning rates tried for every method and start.

    Returns:
        A row for each method, start, protocol and seed. start: c, or 0 for the balanced one.
        protocol: kept, with the learning rate that is best from c = 1; retuned, with the best for
        this start; both by mean validation accuracy, the strength of the penalty chosen at c = 1.
        rate, strength, accuracy and cross_entropy on test rows; excess_start, excess_end: sum of
        squares over that of balanced layers, None where it is not finite.
    """
    task = lay_out("digits", "mlp", seeds, width=WIDTH)
    plain_start = shifted_start(task.architecture, seeds, scales[0])
    others = [shifted_start(task.architecture, seeds, scale) for scale in scales[1:]]
    kinds = [plain_start, *others, balanced(task.architecture, plain_start)]
    labels = [*scales, 0.0]
    # All starts of the first seed first, as `train` wants them.
    start = [torch.stack(layers, 1).flatten(0, 1) for layers in zip(*kinds, strict=True)]
    shape = (len(seeds), len(labels))
    begun = excess(start).view(shape)
    parts = [part.repeated(len(labels)) for part in (task.validation, task.test)]
    best: dict[str, float] = {}
    rows: list[Row] = []
    for name in names:
        method = METHODS[name]
        rates = np.geomspace(*RATES[method.optimiser], rate_values).tolist()
        strength = 0.0
        if method.tuned:
            strength = _strength(task, name, best[f"none_{method.optimiser}"], updates)
        seen, ended = [], []
        for rate in rates:
            repeated = [strength] * len(labels)
            weights = train(task, method, repeated, rate, updates, start=start)
            judged = [glance(task.architecture, weights, part, attacked=1) for part in parts]
            seen.append(torch.stack(judged).unflatten(1, shape))
            ended.append(excess(weights).view(shape))
        tried = torch.stack(seen)
        accuracy, losses, _ = tried[:, 0].mean(1).unbind(-1)
        tops = [
            max(range(rate_values), key=lambda at: (float(accuracy[at, c]), -float(losses[at, c])))
            for c in range(len(labels))
        ]
        best[name] = rates[tops[0]]
        for c, label in enumerate(labels):
            for protocol, at in (("kept", tops[0]), ("retuned", tops[c])):
                for place, seed in enumerate(seeds):
                    after = float(ended[at][place, c])
                    rows.append(
                        {"loss": name, "start": label, "protocol": protocol, "seed": seed}
                        | {"rate": rates[at], "strength": strength}
                        | {"accuracy": float(tried[at, 1, place, c, 0])}
                        | {"cross_entropy": float(tried[at, 1, place, c, 1])}
                        | {"excess_start": float(begun[place, c])}
                        | {"excess_end": after if np.isfinite(after) else None}
                    )
    return rows
