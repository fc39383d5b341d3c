"""Training of stacked bias-free networks with a penalty on their weights."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from scispaces.studies.weight_scale_data import Task
from scispaces.studies.weight_scale_methods import MOMENTUM, Method, Optimiser
from scispaces.studies.weight_scale_networks import Weights, squared_norms

BATCH = 64
Look = Callable[[int, Weights], None]


class NormHistory:
    """Reads the squared norms of the layers whenever a training lets it look.

    Attributes:
        seen: `(networks, layers)` of every look.
    """

    def __init__(self) -> None:
        self.seen: list[Tensor] = []

    def __call__(self, update: int, weights: Weights) -> None:
        self.seen.append(squared_norms(weights))


def batches(task: Task, updates: int) -> Tensor:
    """Training rows of every update, `(updates, seeds, batch)`; they depend on the seed alone."""
    rows = task.train.y.shape[1]
    drawn = [
        np.random.default_rng([seed, 2]).integers(rows, size=(updates, BATCH))
        for seed in task.seeds
    ]
    return torch.from_numpy(np.stack(drawn, axis=1))


def optimiser_of(
    name: Optimiser, weights: Weights, rate: float, momentum: float
) -> torch.optim.Optimizer:
    """The optimiser of a method, without any decay of its own."""
    if name == "sgd":
        return torch.optim.SGD(weights, lr=rate, momentum=momentum)
    return torch.optim.Adam(weights, lr=rate, fused=True)


def train(
    task: Task,
    method: Method,
    strengths: Sequence[float],
    rate: float,
    updates: int,
    *,
    start: Weights | None = None,
    momentum: float = MOMENTUM,
    look: Look | None = None,
    looks: Sequence[int] = (),
) -> Weights:
    """Minimise cross-entropy and penalty; one network per seed and strength.

    Args:
        task: the rows, the seeds and the shape of the networks.
        method: optimiser and penalty.
        strengths: of the penalty, or of the decay beside the step.
        rate: learning rate.
        updates: how many steps.
        start: first weights of all networks, all strengths of the first seed first; those of the
            seed if left out.
        momentum: of SGD.
        look: called with the number of updates done and the weights, at every one of `looks`.
        looks: numbers of updates, from 0 to `updates`.

    Returns:
        The weights, all strengths of the first seed first.
    """
    copies = len(strengths)
    dtype = task.train.x.dtype
    if start is None:
        weights = task.architecture.start(task.seeds, copies, dtype=dtype)
    else:
        weights = [weight.detach().clone() for weight in start]
    for weight in weights:
        weight.requires_grad_(True)
    each = torch.tensor(strengths, dtype=dtype).repeat(len(task.seeds))
    kept = [1 - rate * each.view(-1, *[1] * (weight.dim() - 1)) for weight in weights]
    optimiser = optimiser_of(method.optimiser, weights, rate, momentum)
    places = torch.arange(len(task.seeds))[:, None]
    for update, rows in enumerate(batches(task, updates)):
        if look is not None and update in looks:
            look(update, weights)
        x = task.train.x[places, rows].repeat_interleave(copies, 0)
        y = task.train.y[places, rows].repeat_interleave(copies, 0)
        scores = task.architecture.scores(weights, x)
        loss = cross_entropy(scores.flatten(0, 1), y.flatten(), reduction="sum") / BATCH
        if method.penalty is not None:
            loss = loss + (each * method.penalty(weights)).sum()
        optimiser.zero_grad()
        loss.backward()
        if method.decoupled:
            with torch.no_grad():
                for weight, factor in zip(weights, kept, strict=True):
                    weight.mul_(factor)
        optimiser.step()
    weights = [weight.detach() for weight in weights]
    if look is not None and updates in looks:
        look(updates, weights)
    return weights
