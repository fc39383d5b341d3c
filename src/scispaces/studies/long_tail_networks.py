"""Plain small networks on long-tailed data, one per run, trained together with any optimiser."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from scispaces.studies.long_tail_data import LongTail

Model = Literal["linear", "mlp"]
Optimiser = Literal["adam", "sgd", "sgd_decay"]

HIDDEN_UNITS = 32
BATCH = 64
ADAM_RATE, SGD_RATE = 0.01, 0.05
MOMENTUM = 0.9
DECAY = 0.01
OPTIMISERS: tuple[Optimiser, ...] = ("adam", "sgd", "sgd_decay")


class Networks:
    """Models with the same shape, one per run, on features of the size of pixels.

    Attributes:
        parameters: weights `(runs, inputs, outputs)` and biases `(runs, 1, outputs)` of each layer.
    """

    def __init__(self, model: Model, features: int, classes: int, seeds: Sequence[int]) -> None:
        sizes = [features, classes] if model == "linear" else [features, HIDDEN_UNITS, classes]
        self.parameters: list[Tensor] = []
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        for inputs, outputs in pairwise(sizes):
            scale = math.sqrt((1 if outputs == classes else 2) / inputs)
            drawn = [torch.randn(inputs, outputs, generator=each) for each in generators]
            self.parameters += [torch.stack(drawn) * scale, torch.zeros(len(seeds), 1, outputs)]

    def scores(self, rows: Tensor) -> Tensor:
        """Scores `(runs, rows, classes)` of rows `(runs, rows, features)`."""
        hidden = rows
        for at in range(0, len(self.parameters), 2):
            inner = hidden.relu() if at else hidden
            hidden = inner @ self.parameters[at] + self.parameters[at + 1]
        return hidden


def pixel_features(task: LongTail) -> tuple[Tensor, Tensor]:
    """Training and test features with mean absolute value about 1."""
    return task.x * task.x.shape[1], task.test_x * task.x.shape[1]


def optimiser_for(name: Optimiser, parameters: list[Tensor]) -> torch.optim.Optimizer:
    """Adam, SGD with momentum, or SGD with weight decay on weights and biases alike."""
    if name == "adam":
        return torch.optim.Adam(parameters, lr=ADAM_RATE)
    decay = DECAY if name == "sgd_decay" else 0.0
    return torch.optim.SGD(parameters, lr=SGD_RATE, momentum=MOMENTUM, weight_decay=decay)


def train(
    networks: Networks,
    task: LongTail,
    runs: Sequence[tuple[int, int]],
    optimiser: Optimiser,
    checkpoints: Sequence[int],
    *,
    offsets: Tensor | None = None,
    held: Tensor | None = None,
) -> Iterator[int]:
    """Minimise cross-entropy of scores + offset, stopping at each checkpoint.

    Runs of one seed see the same batches.

    Args:
        networks: trained in place.
        task: the data.
        runs: position of the seed in the task, and the seed, of each run.
        optimiser: one of `OPTIMISERS`.
        checkpoints: rising numbers of updates, the last one the end.
        offsets: added to the scores of each run in the loss, `(runs, classes)`; none if left out.
        held: boolean `(runs,)`, whose last bias stays as it is; none if left out.

    Yields:
        Each checkpoint, when so many updates are done.
    """
    x, _ = pixel_features(task)
    generators = [np.random.default_rng([seed, 4]) for _, seed in runs]
    places = torch.tensor([[place] for place, _ in runs])
    bias = networks.parameters[-1]
    mask = torch.ones(len(runs)) if held is None else (~held).float()
    for part in networks.parameters:
        part.requires_grad_(True)
    stepping = optimiser_for(optimiser, networks.parameters)
    start = bias.detach().clone()
    for update in range(checkpoints[-1] + 1):
        if update in checkpoints:
            yield update
        if update == checkpoints[-1]:
            return
        drawn = [
            generator.choice(task.train[place], BATCH)
            for generator, (place, _) in zip(generators, runs, strict=True)
        ]
        rows = torch.from_numpy(np.stack(drawn))
        logits, targets = networks.scores(x[rows]), task.y[places, rows]
        if offsets is not None:
            logits = logits + offsets.unsqueeze(1)
        stepping.zero_grad()
        (cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum") / BATCH).backward()
        stepping.step()
        with torch.no_grad():
            bias.lerp_(start, 1 - mask[:, None, None])


def balanced_error(scores: Tensor, targets: Tensor) -> float:
    """Mean over the classes of the share of wrong decisions, of scores `(rows, classes)`."""
    wrong = (scores.argmax(-1) != targets).double()
    own = torch.bincount(targets)
    return float((wrong / own[targets]).sum() / len(own))
