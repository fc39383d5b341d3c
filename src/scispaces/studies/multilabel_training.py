"""Train and tune one loss on one data set, all seeds and all configurations together.

A seed decides which fifth of the training data is held out for validation, the first weights and
the order of the batches. Each seed is tuned by itself: among its configurations and checkpoints
the best on its validation rows is taken, and only that one meets the test rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scispaces.datasets import MultilabelData
from scispaces.studies.multilabel_losses import ComparedLoss, Parameter
from scispaces.studies.multilabel_metrics import count, macro_average_precision, one_error, rank
from scispaces.studies.multilabel_tuning import (
    RANKING_CRITERION,
    Best,
    Budget,
    judge,
)
from scispaces.studies.stacked_models import StackedModels
from scispaces.studies.stacked_training import Judged, fit_stacked, rows_of_chosen

VALIDATION_SHARE = 0.2
MOST_VALIDATION_ROWS = 1000
MOSTLY_ZERO = 0.5


def prepare(data: MultilabelData) -> tuple[Tensor, Tensor]:
    """Training and test features in the unit that `StackedModels` expects.

    Columns are centred and divided by their standard deviation, both of the training rows, except
    in data that is mostly zeros (words), which keeps its zeros. Then everything is divided by
    the mean absolute sum of a training row.
    """
    train, test = torch.from_numpy(data.train_x), torch.from_numpy(data.test_x)
    if (train == 0).float().mean() < MOSTLY_ZERO:
        deviation, mean = torch.std_mean(train, dim=0, correction=0)
        deviation[deviation == 0] = 1.0
        train, test = (train - mean) / deviation, (test - mean) / deviation
    unit = train.abs().sum(1).mean()
    return train / unit, test / unit


def split_rows(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The training and the validation rows of a seed."""
    held_out = min(int(rows * VALIDATION_SHARE), MOST_VALIDATION_ROWS)
    order = np.random.default_rng([seed, 0]).permutation(rows)
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def batches(rows: np.ndarray, budget: Budget, seed: int) -> np.ndarray:
    """The rows of each step, `(updates, batch)`, from one shuffle after the other."""
    generator = np.random.default_rng([seed, 1])
    size = min(budget.batch, len(rows))
    updates = budget.updates_for(len(rows))
    shuffles = -(-updates * size // len(rows))
    order = np.concatenate([generator.permutation(rows) for _ in range(shuffles)])
    return order[: updates * size].reshape(updates, size)


@dataclass(frozen=True)
class Task:
    """A data set laid out for several seeds.

    Attributes:
        x, y: training and validation rows of all seeds.
        test_x, test_y: the test rows.
        steps: the rows of each step, `(updates, seeds, batch)`.
        held_out: the validation rows of each seed, `(seeds, rows)`.
        imbalance: negatives over positives in the training rows, `(seeds, 1, 1, labels)`.
    """

    x: Tensor
    y: Tensor
    test_x: Tensor
    test_y: Tensor
    steps: Tensor
    held_out: Tensor
    imbalance: Tensor


def lay_out(data: MultilabelData, seeds: Sequence[int], budget: Budget, device: str) -> Task:
    """Prepare the features, and split and shuffle the rows for every seed."""
    x, test_x = (part.to(device) for part in prepare(data))
    y, test_y = (torch.from_numpy(part).to(device) for part in (data.train_y, data.test_y))
    splits = [split_rows(len(x), seed) for seed in seeds]
    held_out = np.stack([rows for _, rows in splits])
    steps = [batches(rows, budget, seed) for (rows, _), seed in zip(splits, seeds, strict=True)]
    positives = torch.stack([y[rows].sum(0) for rows, _ in splits])[:, None, None]
    return Task(
        x,
        y,
        test_x,
        test_y,
        steps=torch.from_numpy(np.stack(steps, axis=1)).to(device),
        held_out=torch.from_numpy(held_out).to(device),
        imbalance=(len(splits[0][0]) - positives) / positives.clamp(min=1),
    )


def train(
    data: MultilabelData,
    loss: ComparedLoss,
    *,
    hidden: int | None,
    seeds: Sequence[int],
    budget: Budget,
    device: str = "cpu",
) -> list[dict[str, Any]]:
    """Train every configuration of a loss with every seed and test what validation chooses.

    Args:
        data: the task.
        loss: one of the compared losses.
        hidden: width of the hidden layer, or None for a linear model.
        seeds: each a split of the training rows, first weights and an order of batches.
        budget: what the loss may spend.
        device: where to compute.

    Returns:
        For each seed the test metrics, and for each criterion `chosen_…`, what it chose:
        "parameter;learning rate;updates". A loss without a threshold of its own lacks the metrics
        that need one.
    """
    task = lay_out(data, seeds, budget, device)
    pairs = budget.pairs(loss, hidden)
    models = StackedModels.start(
        task.x.shape[1],
        task.y.shape[1],
        hidden=hidden,
        learning_rates=torch.tensor([rate for _, rate in pairs], device=device),
        seeds=seeds,
        feature_norm=float(task.x.square().sum(1).mean().sqrt()),
    )
    best = fit(models, task, loss, [parameter for parameter, _ in pairs], budget.checkpoints)
    return rows_of_chosen(best, pairs, partial(metrics_of_chosen, task=task))


def fit(
    models: StackedModels,
    task: Task,
    loss: ComparedLoss,
    of_model: list[Parameter],
    checkpoints: int,
) -> dict[str, Best]:
    """`fit_stacked` on a task.

    Args:
        models: before their training; trained after.
        task: the data.
        loss: one of the compared losses.
        of_model: its parameter in each configuration, equal ones together and equally many.
        checkpoints: how often to look at the validation rows.
    """
    usual = torch.tensor([value == loss.usual for value in of_model], device=task.x.device)

    def batch(rows: Tensor) -> tuple[Tensor, Tensor]:
        return task.x[rows], task.y[rows].unsqueeze(1)

    def judged() -> Judged:
        outcome, positives = models.scores(task.x[task.held_out]), task.y[task.held_out]
        return judge(outcome, positives, has_threshold=loss.has_threshold, usual=usual)

    return fit_stacked(
        models,
        loss,
        of_model,
        task.steps,
        task.imbalance,
        checkpoints,
        batch=batch,
        judge=judged,
    )


def metrics_of_chosen(criterion: str, best: Best, task: Task) -> dict[str, Tensor]:
    """What the models chosen by a criterion are worth on the test rows, `(seeds,)` each."""
    scores, positives = best.models.scores(task.test_x.unsqueeze(0)).squeeze(1), task.test_y
    if criterion == RANKING_CRITERION:
        ranking = rank(scores, positives)
        return {
            RANKING_CRITERION: ranking.average_precision().mean(-1),
            "macro_average_precision": macro_average_precision(scores, positives),
            "ranking_loss": ranking.ranking_loss().mean(-1),
            "one_error": one_error(scores, positives),
            "coverage": ranking.coverage().mean(-1),
        }
    counts = count(scores, positives, best.thresholds.unsqueeze(-2))
    is_micro = criterion.startswith("micro")
    return {criterion: counts.micro_f1() if is_micro else counts.macro_f1()}
