"""Stacked models trained under one loss, and the best of each seed kept by every criterion."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from scispaces.studies.multilabel_losses import ComparedLoss, Parameter
from scispaces.studies.multilabel_tuning import Best, checkpoint_updates
from scispaces.studies.stacked_models import StackedModels

Judged = Mapping[str, tuple[Tensor, Tensor]]


def fit_stacked(
    models: StackedModels,
    loss: ComparedLoss,
    of_model: Sequence[Parameter],
    steps: Tensor,
    imbalance: Tensor,
    checkpoints: int,
    *,
    batch: Callable[[Tensor], tuple[Tensor, Tensor]],
    judge: Callable[[], Judged],
) -> dict[str, Best]:
    """Train all models together; return the best of each seed by every criterion.

    Args:
        models: before their training; trained after.
        loss: one of the compared losses.
        of_model: its parameter in each configuration, equal ones together and equally many.
        steps: the rows of each step, `(updates, seeds, batch)`.
        imbalance: negatives over positives in the training rows of each seed.
        checkpoints: how often to look at the validation rows.
        batch: from the rows of a step to features `(seeds, batch, features)` and targets that
            broadcast to the scores `(seeds, configurations, batch, labels)`.
        judge: for each criterion the value of every model, more is better, and its thresholds.
    """
    parameters = list(dict.fromkeys(of_model))
    optimiser = models.optimiser()
    looks = checkpoint_updates(len(steps), checkpoints)
    best: dict[str, Best] = {}
    for at, rows in enumerate(steps, start=1):
        features, targets = batch(rows)
        logits = models.scores(features)
        truth = targets.expand_as(logits).to(logits.dtype)
        chunks = (part.chunk(len(parameters), dim=1) for part in (logits, truth))
        losses = [
            loss.function(scores, answers, parameter, imbalance)
            for scores, answers, parameter in zip(*chunks, parameters, strict=True)
        ]
        optimiser.zero_grad()
        (torch.stack(losses).sum() / rows.shape[1]).backward()
        optimiser.step()
        if at in looks:
            with torch.no_grad():
                judged = judge()
            for criterion, (value, thresholds) in judged.items():
                if criterion not in best:
                    best[criterion] = Best.none_yet(models, value, thresholds)
                best[criterion].update(models, value, thresholds, at)
    return best


def rows_of_chosen(
    best: Mapping[str, Best],
    tried: Sequence[tuple[Parameter, float]],
    metrics: Callable[[str, Best], Mapping[str, Tensor]],
) -> list[dict[str, Any]]:
    """What was chosen and what it is worth, one row a seed.

    Args:
        best: the best models of each seed by every criterion.
        tried: parameter and learning rate of each configuration.
        metrics: of the models chosen by a criterion, `(seeds,)` each.

    Returns:
        Rows with the metrics and, for each criterion, `chosen_…`:
        "parameter;learning rate;updates".
    """
    rows: list[dict[str, Any]] = [{} for _ in next(iter(best.values())).choice]
    for criterion, kept in best.items():
        for name, values in metrics(criterion, kept).items():
            for row, value in zip(rows, values.tolist(), strict=True):
                row[name] = value
        for seed, row in enumerate(rows):
            configuration, updates = kept.choice[seed]
            parameter, rate = tried[configuration]
            row[f"chosen_{criterion}"] = f"{parameter};{rate:.3g};{updates}"
    return rows
