"""Train and tune one loss on one yes-or-no task, all seeds and all configurations together.

A seed decides everything that chance decides: which positives remain where a ratio is imposed,
which rows are for training, validation and test, the first weights and the order of the batches.
Each seed is tuned by itself: among its configurations and checkpoints the best on its validation
rows is taken, by each criterion in turn, and only that one meets the test rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scispaces.datasets.imbalanced import BinaryData, impose_ratio, split_rows
from scispaces.studies.binary_metrics import (
    Cuts,
    balanced_error,
    brier,
    calibration_error,
    f1,
    platt_scaling,
)
from scispaces.studies.multilabel_losses import ComparedLoss, Parameter
from scispaces.studies.multilabel_training import batches
from scispaces.studies.multilabel_tuning import Best, Budget
from scispaces.studies.stacked_models import StackedModels
from scispaces.studies.stacked_training import Judged, fit_stacked, rows_of_chosen

# In units of the score, see `StackedModels`: wide ranges, because a loss that saturates needs small
# steps and one that does not needs large ones.
LINEAR_RATES = (0.02, 5.0)
NETWORK_RATES = (0.02, 2.0)
# Validation rows are few: many models reach the same F1. Among these the better order decides.
TIE_BREAK = 1e-3


@dataclass(frozen=True)
class Task:
    """A data set laid out for several seeds.

    Attributes:
        x, y: the training rows, `(seeds, rows, features)` and boolean `(seeds, rows)`.
        validation_x, validation_y: the validation rows.
        test_x, test_y: the test rows.
        steps: the training rows of each step, `(updates, seeds, batch)`.
        imbalance: negatives over positives in the training rows, `(seeds, 1, 1, 1)`.
    """

    x: Tensor
    y: Tensor
    validation_x: Tensor
    validation_y: Tensor
    test_x: Tensor
    test_y: Tensor
    steps: Tensor
    imbalance: Tensor


def prepare(data: BinaryData, training: np.ndarray) -> np.ndarray:
    """Features of all rows in the unit that `StackedModels` expects.

    Columns are centred and divided by their standard deviation, both of the training rows; a
    missing value becomes the mean. Weights of words stay as they are. Then everything is divided
    by the mean absolute sum of a training row.
    """
    features = data.features(training)
    if not data.texts:
        deviation = np.nanstd(features[training], axis=0)
        deviation[deviation == 0] = 1.0
        centred = (features - np.nanmean(features[training], axis=0)) / deviation
        features = np.nan_to_num(centred)
    return features / np.abs(features[training]).sum(1).mean()


def lay_out(
    data: BinaryData, ratio: int | None, seeds: Sequence[int], budget: Budget, device: str
) -> Task:
    """Split and prepare the rows for every seed.

    Args:
        data: the data set.
        ratio: negatives for each positive, imposed by leaving out positives, or None.
        seeds: all give parts of the same size.
        budget: how many updates.
        device: where to compute.
    """
    columns: list[list[np.ndarray]] = [[], [], []]
    answers: list[list[np.ndarray]] = [[], [], []]
    steps = []
    for seed in seeds:
        rows = np.arange(len(data.positives))
        if ratio is not None:
            rows = impose_ratio(data.positives, ratio, seed)
        parts = split_rows(data.positives, rows, seed)
        features = prepare(data, parts[0])
        for part, of_part, answer in zip(parts, columns, answers, strict=True):
            of_part.append(features[part])
            answer.append(data.positives[part])
        steps.append(batches(np.arange(len(parts[0])), budget, seed))
    x, validation_x, test_x = (torch.from_numpy(np.stack(part)).to(device) for part in columns)
    y, validation_y, test_y = (torch.from_numpy(np.stack(part)).to(device) for part in answers)
    number = y.sum(1)[:, None, None, None]
    return Task(
        x,
        y,
        validation_x,
        validation_y,
        test_x,
        test_y,
        steps=torch.from_numpy(np.stack(steps, axis=1)).to(device),
        imbalance=(y.shape[1] - number) / number,
    )


def pairs(
    loss: ComparedLoss, hidden: int | None, configurations: int
) -> list[tuple[Parameter, float]]:
    """The pairs of parameter and learning rate tried, grouped by parameter.

    Every loss has the same number of them. One with fewer parameter values has more learning
    rates, over the same range.

    Example:
        >>> from scispaces.studies.binary_losses import COMPARED
        >>> [rate for _, rate in pairs(COMPARED["bce"], None, 2)]
        [0.02, 5.0]
    """
    parameters = loss.parameters or (loss.usual,)
    lowest, highest = LINEAR_RATES if hidden is None else NETWORK_RATES
    rates = np.geomspace(lowest, highest, configurations // len(parameters)).round(6)
    return [(parameter, float(rate)) for parameter in parameters for rate in rates]


def train(
    task: Task,
    loss: ComparedLoss,
    *,
    hidden: int | None,
    seeds: Sequence[int],
    budget: Budget,
) -> list[dict[str, Any]]:
    """Train every configuration of a loss with every seed and test what validation chooses.

    Args:
        task: the data of the seeds.
        loss: one of the compared losses.
        hidden: width of the hidden layer, or None for a linear model.
        seeds: those the task was laid out for.
        budget: what the loss may spend.

    Returns:
        For each seed the test metrics; for each criterion `validation_…`, the value it chose by
        (more is better, a thousandth of the average precision included), and `chosen_…`:
        "parameter;learning rate;updates".
    """
    tried = pairs(loss, hidden, budget.configurations)
    models = StackedModels.start(
        task.x.shape[-1],
        1,
        hidden=hidden,
        learning_rates=torch.tensor([rate for _, rate in tried], device=task.x.device),
        seeds=seeds,
        feature_norm=float(task.x.square().sum(-1).mean().sqrt()),
    )
    best = fit(models, task, loss, [parameter for parameter, _ in tried], budget.checkpoints)
    rows = rows_of_chosen(best, tried, partial(metrics_of_chosen, task=task))
    for criterion, kept in best.items():
        for row, value in zip(rows, kept.value.tolist(), strict=True):
            row[f"validation_{criterion}"] = value
    return rows


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
    every_seed = torch.arange(len(task.x), device=task.x.device).unsqueeze(1)

    def batch(rows: Tensor) -> tuple[Tensor, Tensor]:
        return task.x[every_seed, rows], task.y[every_seed, rows][:, None, :, None]

    def judged() -> Judged:
        return judge(models.scores(task.validation_x).squeeze(-1), task.validation_y)

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


def judge(scores: Tensor, positives: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """For each criterion its value, more is better, and the threshold it was reached with.

    Args:
        scores: `(seeds, configurations, rows)`.
        positives: boolean `(seeds, rows)`.

    Returns:
        Values `(seeds, configurations)` and thresholds `(seeds, configurations, 1)`.
    """
    each = positives.unsqueeze(1)
    cuts = Cuts.of(scores, each)
    zero = scores.new_zeros(scores.shape[:2])
    precision = cuts.average_precision()
    slope, intercept = platt_scaling(scores, each)
    recalibrated = (slope * scores + intercept).sigmoid()
    found = {
        "f1_own": (f1(scores, each, 0.0), zero),
        "f1_tuned": cuts.best_f1(),
        "balanced_error_own": (1 - balanced_error(scores, each, 0.0), zero),
        "balanced_error_tuned": cuts.best_balanced_accuracy(),
        "average_precision": (precision, zero),
        "roc_auc": (cuts.roc_auc(), zero),
        "brier": (1 - brier(scores.sigmoid(), each), zero),
        "brier_recalibrated": ((1 - brier(recalibrated, each)).to(scores.dtype), zero),
    }
    # A model that has diverged is worse than any other.
    sane = scores.isfinite().all(-1)
    return {
        criterion: (
            torch.where(sane, value + TIE_BREAK * precision, -1.0),
            threshold.unsqueeze(-1),
        )
        for criterion, (value, threshold) in found.items()
    }


def metrics_of_chosen(criterion: str, best: Best, task: Task) -> dict[str, Tensor]:
    """What the models chosen by a criterion are worth on the test rows, `(seeds,)` each."""
    scores, positives = scores_of(best, task.test_x), task.test_y
    if criterion.startswith("f1"):
        return {criterion: f1(scores, positives, best.thresholds)}
    if criterion.startswith("balanced_error"):
        return {criterion: balanced_error(scores, positives, best.thresholds)}
    if criterion == "average_precision":
        return {criterion: Cuts.of(scores, positives).average_precision()}
    if criterion == "roc_auc":
        return {criterion: Cuts.of(scores, positives).roc_auc()}
    probabilities, suffix = scores.sigmoid(), ""
    if criterion == "brier_recalibrated":
        slope, intercept = platt_scaling(scores_of(best, task.validation_x), task.validation_y)
        probabilities, suffix = (slope * scores + intercept).sigmoid(), "_recalibrated"
    return {
        criterion: brier(probabilities, positives),
        f"calibration_error{suffix}": calibration_error(probabilities, positives),
    }


def scores_of(best: Best, rows: Tensor) -> Tensor:
    """Scores `(seeds, rows)` of the best model of each seed."""
    return best.models.scores(rows).squeeze(-1).squeeze(1)
