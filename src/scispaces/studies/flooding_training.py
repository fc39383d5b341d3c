"""Training of stacked networks under one method, looked at again and again on the way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from scispaces.studies.flooding_data import NoisyTask
from scispaces.studies.flooding_methods import Method
from scispaces.studies.flooding_metrics import judge, losses_and_accuracy
from scispaces.studies.flooding_networks import StackedNetworks


@dataclass(frozen=True)
class Schedule:
    """How networks are trained, the same for every method.

    Attributes:
        hidden: widths of the hidden layers.
        normalised: whether they have batch normalisation.
        epochs: passes through the training rows.
        batch: rows of a step.
        rate: Adam's learning rate.
        looks: how often validation and test rows are looked at, at epochs growing by equal factors
            from one per cent of all to all of them.
    """

    hidden: tuple[int, ...]
    normalised: bool
    epochs: int
    batch: int
    rate: float = 1e-3
    looks: int = 14

    def epochs_looked_at(self) -> list[int]:
        """After how many epochs.

        Example:
            >>> Schedule((), False, epochs=100, batch=1, looks=3).epochs_looked_at()
            [1, 10, 100]
        """
        first = max(1.0, self.epochs / 100)
        return sorted({round(at) for at in np.geomspace(first, self.epochs, self.looks)})


@dataclass(frozen=True)
class Look:
    """What the networks are worth after some epochs.

    Attributes:
        epoch: how many.
        values: of every measure, `(seeds, values)`: train_loss, held_loss, held_accuracy and those
            of `flooding_metrics.METRICS`.
    """

    epoch: int
    values: dict[str, Tensor]


def row_losses(scores: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy `(seeds, copies, n)` of scores `(seeds, copies, classes, n)`."""
    each = targets.unsqueeze(1).expand(-1, scores.shape[1], -1)
    losses = cross_entropy(scores.flatten(0, 1), each.flatten(0, 1), reduction="none")
    return losses.unflatten(0, scores.shape[:2])


def batches(
    task: NoisyTask, schedule: Schedule, seeds: Sequence[int]
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Epoch, features and labels of every step; rows in a new order in each epoch and seed."""
    n = task.y.shape[1]
    if schedule.batch >= n:
        for epoch in range(1, schedule.epochs + 1):
            yield epoch, task.x, task.y
        return
    generators = [torch.Generator().manual_seed(20_000 + seed) for seed in seeds]
    for epoch in range(1, schedule.epochs + 1):
        order = torch.stack([torch.randperm(n, generator=each) for each in generators])
        x = task.x.gather(2, order.unsqueeze(1).expand_as(task.x))
        y = task.y.gather(1, order)
        for start in range(0, n - schedule.batch + 1, schedule.batch):
            yield (
                epoch,
                x[:, :, start : start + schedule.batch],
                y[:, start : start + schedule.batch],
            )


def squared_gradient_norm(losses: Tensor, networks: StackedNetworks) -> Tensor:
    """‖∇L‖² of every network, `(seeds, copies)`, itself differentiable.

    Args:
        losses: L of every network, `(seeds, copies)`.
        networks: whose parameters the gradient is taken with respect to.
    """
    gradients = torch.autograd.grad(losses.sum(), networks.parameters, create_graph=True)
    squares = torch.stack([part.square().flatten(1).sum(1) for part in gradients]).sum(0)
    return squares.unflatten(0, losses.shape)


def look_at(networks: StackedNetworks, task: NoisyTask, epoch: int) -> Look:
    """Measure the networks on all rows."""
    with torch.no_grad():
        statistics = networks.statistics(task.x)
        shape = (networks.seeds, networks.copies)
        each = {}
        for part, x, y in (
            ("train", task.x, task.y),
            ("held", task.held_x, task.held_y),
            ("test", task.test_x, task.test_y),
        ):
            scores = networks.scores(x, statistics).flatten(0, 1)
            each[part] = scores, y.repeat_interleave(networks.copies, 0)
        train_loss, _ = losses_and_accuracy(*each["train"])
        held_loss, held_accuracy = losses_and_accuracy(*each["held"])
        found = {
            "train_loss": train_loss,
            "held_loss": held_loss,
            "held_accuracy": held_accuracy,
            **judge(*each["test"], task.test_noisy_y.repeat_interleave(networks.copies, 0)),
        }
    return Look(epoch, {name: values.view(shape) for name, values in found.items()})


def train(
    task: NoisyTask,
    method: Method,
    values: Sequence[float],
    seeds: Sequence[int],
    schedule: Schedule,
) -> list[Look]:
    """Train a network for every seed and value and measure it on the way.

    Networks of one seed have the same first weights and see the same batches.

    Args:
        task: rows of the same seeds.
        method: what keeps the networks from fitting everything.
        values: of the method.
        seeds: of the first weights and the batches.
        schedule: how to train.

    Returns:
        The looks in the order of their epochs, the last one after all.
    """
    sizes = (task.x.shape[1], *schedule.hidden, task.classes)
    networks = StackedNetworks(sizes, seeds, len(values), normalised=schedule.normalised)
    optimiser = torch.optim.Adam(networks.parameters, lr=schedule.rate, fused=True)
    weights = torch.tensor(values)
    kept = (1 - schedule.rate * weights).repeat(len(seeds)).view(-1, 1, 1)
    wanted = schedule.epochs_looked_at()
    looks = []
    last = 0
    for epoch, x, y in batches(task, schedule, seeds):
        if epoch != last and last in wanted:
            looks.append(look_at(networks, task, last))
        last = epoch
        losses = row_losses(networks.scores(x), y)
        objective = method.objective(losses, values)
        if method.penalises:
            squares = squared_gradient_norm(losses.mean(-1), networks)
            objective = objective + weights / 2 * squares
        optimiser.zero_grad()
        objective.sum().backward()
        if method.decays:
            with torch.no_grad():
                for part in networks.weights:
                    part.mul_(kept)
        optimiser.step()
    return [*looks, look_at(networks, task, last)]
