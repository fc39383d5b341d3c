"""Train and tune one loss on one data set, all seeds and all configurations together.

A seed decides which fifth of the training data is held out for validation, the first weights and
the order of the batches. Each seed is tuned by itself: among its configurations and checkpoints
the best on its validation rows is taken, and only that one meets the test rows.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scispaces.datasets import MultilabelData
from scispaces.studies.multilabel_losses import ComparedLoss
from scispaces.studies.multilabel_metrics import count, macro_average_precision, one_error, rank
from scispaces.studies.multilabel_tuning import RANKING_CRITERION, Best, Budget, judge
from scispaces.studies.stacked_models import StackedModels

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


def metrics_of_chosen(
    criterion: str, best: Best, rows: Tensor, positives: Tensor
) -> dict[str, Tensor]:
    """What the models chosen by a criterion are worth on the test rows, `(seeds,)` each."""
    scores = best.models.scores(rows.unsqueeze(0)).squeeze(1)
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
    x, test_x = (part.to(device) for part in prepare(data))
    y, test_y = (torch.from_numpy(part).to(device) for part in (data.train_y, data.test_y))
    splits = [split_rows(len(x), seed) for seed in seeds]
    held_out = torch.from_numpy(np.stack([rows for _, rows in splits])).to(device)
    order = [batches(rows, budget, seed) for (rows, _), seed in zip(splits, seeds, strict=True)]
    steps = torch.from_numpy(np.stack(order, axis=1)).to(device)
    actual = torch.stack([y[rows].sum(0) for rows, _ in splits])[:, None, None]
    imbalance = (len(splits[0][0]) - actual) / actual.clamp(min=1)

    configurations = budget.pairs(loss, hidden)
    parameters = list(dict.fromkeys(parameter for parameter, _ in configurations))
    usual = torch.tensor([parameter == loss.usual for parameter, _ in configurations])
    rates = torch.tensor([[rate for _, rate in configurations]] * len(seeds), device=device)

    def stack(rates: Tensor) -> StackedModels:
        norm = float(x.square().sum(1).mean().sqrt())
        return StackedModels(
            x.shape[1], y.shape[1], hidden=hidden, learning_rates=rates, seeds=seeds,
            feature_norm=norm,
        )  # fmt: skip

    models, best = stack(rates), dict[str, Best]()
    optimiser, checkpoints = models.optimiser(), budget.checkpoints_within(len(steps))
    for at, rows in enumerate(steps, start=1):
        logits = models.scores(x[rows])
        targets = y[rows].unsqueeze(1).expand_as(logits).to(logits.dtype)
        chunks = (tensor.chunk(len(parameters), dim=1) for tensor in (logits, targets))
        losses = [
            loss.function(scores, truth, parameter, imbalance)
            for scores, truth, parameter in zip(*chunks, parameters, strict=True)
        ]
        optimiser.zero_grad()
        (torch.stack(losses).sum() / rows.shape[1]).backward()
        optimiser.step()
        if at in checkpoints:
            with torch.no_grad():
                outcome = models.scores(x[held_out])
            judged = judge(
                outcome, y[held_out], has_threshold=loss.has_threshold, usual=usual.to(device)
            )
            for criterion, (value, thresholds) in judged.items():
                if criterion not in best:
                    best[criterion] = Best(
                        stack(torch.ones_like(rates[:, :1])),
                        torch.full_like(value[:, 0], -1.0),
                        thresholds[:, 0].clone(),
                    )
                best[criterion].update(models, value, thresholds, at)

    results: list[dict[str, Any]] = [{} for _ in seeds]
    for criterion, kept in best.items():
        for name, values in metrics_of_chosen(criterion, kept, test_x, test_y).items():
            for result, value in zip(results, values.tolist(), strict=True):
                result[name] = value
        for seed, result in enumerate(results):
            configuration, updates = kept.choice[seed]
            parameter, rate = configurations[configuration]
            result[f"chosen_{criterion}"] = f"{parameter};{rate:.3g};{updates}"
    return results
