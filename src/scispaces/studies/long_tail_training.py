"""Train every method on one long tail: all seeds, methods and configurations in one program.

A seed decides the rows, the first weights and the order of the batches; all methods of a seed share
them. Each method has the same number of configurations, pairs of its parameter and a learning
rate. Every seed is tuned by itself: the configuration, the checkpoint and the value of a post-hoc
parameter with the least balanced error on validation rows meet the test rows, once. Equal balanced
errors are common with few rows; among equals the smaller mean probability of error decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from scispaces.studies.long_tail_convolutions import StackedConvolutions
from scispaces.studies.long_tail_data import LongTail, class_average_weights
from scispaces.studies.long_tail_methods import DECISIONS, TRAINED, Decision, StackedLosses
from scispaces.studies.multilabel_training import batches
from scispaces.studies.multilabel_tuning import Budget, checkpoint_updates
from scispaces.studies.stacked_models import StackedModels

Model = Literal["linear", "mlp", "cnn"]

HIDDEN_UNITS = 32
# In units of the score for the first two, see `StackedModels`; of the weights for the last.
RATES: dict[Model, tuple[float, float]] = {
    "linear": (0.3, 3.0),
    "mlp": (0.1, 1.0),
    "cnn": (0.003, 0.01),
}
SOFT_SHARE = 1e-3


@dataclass(frozen=True)
class Configuration:
    """A method of `TRAINED` with a value of its parameter and a learning rate."""

    trained: str
    parameter: float | None
    rate: float


def configurations(model: Model, each: int) -> list[Configuration]:
    """The configurations of all methods, equally many of each.

    A method with fewer parameter values has more learning rates, over the same range.

    Args:
        model: linear, mlp or cnn.
        each: configurations of one method, a multiple of 6.

    Example:
        >>> found = configurations("linear", each=6)
        >>> len(found) == 6 * len(TRAINED)
        True
        >>> [(entry.parameter, entry.rate) for entry in found if entry.trained == "ldam"][:3]
        [(0.5, 0.3), (0.5, 3.0), (2.0, 0.3)]
    """
    lowest, highest = RATES[model]
    found = []
    for name, method in TRAINED.items():
        values = method.parameters or (None,)
        rates = np.geomspace(lowest, highest, each // len(values))
        found += [Configuration(name, value, float(rate)) for value in values for rate in rates]
    return found


def start(model: Model, task: LongTail, rates: Tensor, seeds: Sequence[int]) -> StackedModels:
    """Models before their training."""
    classes = len(task.counts)
    if model == "cnn":
        return StackedConvolutions.begin(classes, learning_rates=rates, seeds=seeds)
    return StackedModels.start(
        task.x.shape[1],
        classes,
        hidden=HIDDEN_UNITS if model == "mlp" else None,
        learning_rates=rates,
        seeds=seeds,
        feature_norm=float(task.x.square().sum(1).mean().sqrt()),
    )


def output_norms(models: StackedModels) -> Tensor:
    """Norm of each class's weights in the last layer, `(seeds, configurations, 1, classes)`."""
    weight = models.parameters[-2]
    if len(models.parameters) == 2:
        weight = weight.transpose(1, 2)
    return torch.linalg.vector_norm(weight, dim=2, keepdim=True) * models.rates


@dataclass
class Kept:
    """The best model of each seed so far, by one method of the comparison.

    Attributes:
        models: one model per seed.
        error: its validation error, `(seeds,)`.
        choice: of each seed the number of the configuration, the updates and the value of the
            decision's own parameter.
    """

    models: StackedModels
    error: Tensor
    choice: dict[int, tuple[int, int, float]] = field(default_factory=dict)


def fit(
    models: StackedModels,
    task: LongTail,
    steps: Tensor,
    plan: Sequence[Configuration],
    checkpoints: int,
) -> dict[str, Kept]:
    """Train all models together; return the best of each seed by every decision.

    Args:
        models: before their training; trained after.
        task: the data.
        steps: the rows of each step, `(updates, seeds, batch)`.
        plan: the configurations, those of one method and parameter together.
        checkpoints: how often to look at the validation rows.
    """
    losses = StackedLosses([(entry.trained, entry.parameter) for entry in plan], task.counts)
    optimiser = models.optimiser()
    looks = checkpoint_updates(len(steps), checkpoints)
    seeds = torch.arange(steps.shape[1], device=steps.device).unsqueeze(1)
    best: dict[str, Kept] = {}
    for at, rows in enumerate(steps, start=1):
        logits = models.scores(task.x[rows])
        targets = task.y[seeds, rows]
        optimiser.zero_grad()
        (losses(logits, targets) / rows.shape[1]).backward()
        optimiser.step()
        if at in looks:
            _look(models, task, plan, best, at)
    return best


def validation_error(scores: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Weighted share of wrong decisions, plus a thousandth of the mean probability of error.

    Args:
        scores: `(seeds, configurations, rows, classes)`.
        targets, weights: `(seeds, rows)`.

    Returns:
        `(seeds, configurations)`.
    """
    index = targets[:, None, :, None].expand(*scores.shape[:3], 1)
    doubt = 1 - scores.softmax(-1).gather(-1, index).squeeze(-1)
    wrong = (scores.argmax(-1) != targets.unsqueeze(1)).to(scores.dtype)
    return torch.einsum("scr,sr->sc", wrong + SOFT_SHARE * doubt, weights)


@torch.no_grad()
def _look(
    models: StackedModels,
    task: LongTail,
    plan: Sequence[Configuration],
    best: dict[str, Kept],
    at: int,
) -> None:
    """Judge all models on the validation rows and keep what is better than before."""
    rows = torch.from_numpy(task.held_out).to(task.y.device)
    targets = task.y.gather(1, rows)
    weights = class_average_weights(targets, len(task.counts))
    outcome, norms = models.scores(task.x[rows]), output_norms(models)
    for name, decision in DECISIONS.items():
        own = [number for number, entry in enumerate(plan) if entry.trained == decision.trained]
        part = slice(own[0], own[-1] + 1)
        errors = torch.stack(
            [
                validation_error(
                    decision.scores(outcome[:, part], value, task.counts, norms[:, part]),
                    targets,
                    weights,
                )
                for value in decision.values
            ]
        )
        if name not in best:
            room = torch.full((len(rows),), float("inf"), device=rows.device)
            best[name] = Kept(models.one_per_seed(), room)
        kept = best[name]
        least = errors.transpose(0, 1).flatten(1).min(1)
        for seed in (least.values < kept.error).nonzero().flatten().tolist():
            value_at, number = divmod(int(least.indices[seed]), len(own))
            kept.models.take(models, seed, own[number])
            kept.error[seed] = least.values[seed]
            kept.choice[seed] = own[number], at, decision.values[value_at]


@torch.no_grad()
def scores_on_test(kept: Kept, decision: Decision, task: LongTail) -> tuple[Tensor, Tensor]:
    """Test scores of the chosen models, as trained and as they decide, `(seeds, rows, classes)`."""
    raw = kept.models.scores(task.test_x.unsqueeze(0)).squeeze(1)
    norms = output_norms(kept.models).squeeze(1)
    changed = [
        decision.scores(raw[seed], kept.choice[seed][2], task.counts, norms[seed])
        for seed in range(len(raw))
    ]
    return raw, torch.stack(changed)


def train(
    task: LongTail, model: Model, seeds: Sequence[int], budget: Budget
) -> tuple[list[Configuration], dict[str, Kept]]:
    """Train every method on a task and keep for each seed what validation chooses.

    Returns:
        The configurations, and for each key of `DECISIONS` the chosen models.
    """
    plan = configurations(model, budget.configurations)
    order = [batches(rows, budget, seed) for rows, seed in zip(task.train, seeds, strict=True)]
    steps = torch.from_numpy(np.stack(order, axis=1)).to(task.y.device)
    rates = torch.tensor([entry.rate for entry in plan], device=task.y.device)
    models = start(model, task, rates, seeds)
    return plan, fit(models, task, steps, plan, budget.checkpoints)


def describe(plan: Sequence[Configuration], choice: tuple[int, int, float], own: Any) -> str:
    """A choice in words: parameter;learning rate;updates."""
    number, updates, value = choice
    parameter = plan[number].parameter if own.change == "none" else value
    return f"{'' if parameter is None else f'{parameter:g}'};{plan[number].rate:.3g};{updates}"
